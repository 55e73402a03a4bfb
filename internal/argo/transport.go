package argo

import (
	"context"
	"io"
	"net/http"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// Requests are repeated without being told to in two places, and both are in reach here:
//
//   - client-go repeats any request up to ten times when the answer is 429 or 5xx with a Retry-After header, and a GET also
//     when the connection breaks (rest/with_retry.go); Request.MaxRetries sets the limit. limited sets it on every request.
//   - net/http repeats a GET, and any request whose body it can rewind and of which nothing was sent, when a connection that
//     was kept open turns out to be dead (Transport.shouldRetryRequest). transport takes away what it needs for that.

// limited makes requests that client-go repeats at most retries times.
type limited struct {
	rest.Interface
	retries int
}

func (l limited) Verb(verb string) *rest.Request { return l.Interface.Verb(verb).MaxRetries(l.retries) }
func (l limited) Get() *rest.Request             { return l.Interface.Get().MaxRetries(l.retries) }
func (l limited) Post() *rest.Request            { return l.Interface.Post().MaxRetries(l.retries) }
func (l limited) Put() *rest.Request             { return l.Interface.Put().MaxRetries(l.retries) }
func (l limited) Delete() *rest.Request          { return l.Interface.Delete().MaxRetries(l.retries) }
func (l limited) Patch(t types.PatchType) *rest.Request {
	return l.Interface.Patch(t).MaxRetries(l.retries)
}

// onceKey marks the context of a request that must reach the server once at the most.
type onceKey struct{}

func once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// transport notes the API server's clock and sends requests marked by once only once.
type transport struct {
	next  http.RoundTripper
	clock *clock
}

func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Context().Value(onceKey{}) != nil {
		request = unrepeatable(request)
	}
	sent := t.clock.now()
	response, err := t.next.RoundTrip(request)
	if err == nil {
		t.clock.note(response.Header.Get("Date"), sent, t.clock.now())
	}
	return response, err
}

// WrappedRoundTripper lets client-go find the transport below.
func (t transport) WrappedRoundTripper() http.RoundTripper { return t.next }

// unrepeatable returns the request with a body that cannot be rewound: net/http repeats no request that has one. A GET gets
// an empty one, which is not sent.
func unrepeatable(request *http.Request) *http.Request {
	r := *request
	r.GetBody = nil
	if r.Body == nil || r.Body == http.NoBody {
		r.Body = emptyBody{}
	}
	return &r
}

// emptyBody is an empty body that net/http does not recognise as http.NoBody.
type emptyBody struct{}

func (emptyBody) Read([]byte) (int, error) { return 0, io.EOF }
func (emptyBody) Close() error             { return nil }
