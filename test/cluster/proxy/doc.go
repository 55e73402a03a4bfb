// Package proxy stands between one client and an API server and fails on
// request: a test scripts which requests are refused, reset, delayed, answered
// with an error, or carried out without the client ever hearing of it.
//
//	p.Add(proxy.Rule{
//		When:  proxy.On(http.MethodPost, `/workflows$`),
//		Times: 1,
//		Do:    proxy.LoseAnswer(),
//	})
//
// Everything that passes is recorded, see Proxy.Requests.
//
// Toward the client it speaks TLS and HTTP/1.1 only, so that a request has a
// connection of its own that can be broken without touching another request.
// When the upstream itself cannot be reached or breaks off, the client's
// connection is reset: the proxy never makes up a 502 that no API server would
// send.
//
// # What a client's own retries hide
//
// net/http repeats a GET whose reused connection broke before the first byte of
// an answer, and client-go repeats GETs after resets and any request that is
// answered with a Retry-After header, up to ten times. A rule with Times: 1 on
// such a request may never surface in the client; the record shows both
// requests.
//
// The package knows HTTP and the form of Kubernetes' error answers. It must not
// know Argo or Rollcall.
package proxy
