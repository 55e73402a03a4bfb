package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Request is the record of one request. Slices and maps in it must not be
// changed.
type Request struct {
	Time      time.Time // when it was complete
	Method    string
	Path      string
	Query     url.Values
	UserAgent string
	Body      []byte
	Action    string // what was done to it, "pass" without a rule

	// Upstream is the status code of the server's answer; 0 while there is
	// none, and for good if the request was not passed on.
	Upstream int
	// Answer is the body of the server's answer to a write, and any answer that
	// was lost. nil for other reads.
	Answer []byte
	// Err is what kept the server's answer from arriving.
	Err error
}

// Requests are the requests so far that all of the matches pick, oldest first.
func (p *Proxy) Requests(matches ...Match) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Request
next:
	for _, r := range p.records {
		for _, m := range matches {
			if !m(*r) {
				continue next
			}
		}
		out = append(out, *r)
	}
	return out
}

// exchange is a request on its way.
type exchange struct {
	record *Request // guarded by Proxy.mu once it is recorded
	action Action
}

type exchangeKey struct{}

var errAnswerLost = errors.New("answer withheld from the client")

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away half way
	}
	x := p.admit(&Request{
		Time: time.Now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(),
		UserAgent: r.UserAgent(), Body: body,
	})
	if !p.wait(r.Context(), x.action.requestDelay) {
		breakOff(r, reset)
	}
	switch x.action.kind {
	case closeIt, reset:
		breakOff(r, x.action.kind)
	case answer:
		if !p.wait(r.Context(), x.action.answerDelay) {
			breakOff(r, reset)
		}
		writeStatus(w, x.action)
	default:
		ctx := r.Context()
		if x.action.kind == loseAnswer {
			// It is to be carried out whatever the client does.
			var cancel context.CancelFunc
			ctx, cancel = context.WithCancel(context.WithoutCancel(ctx))
			defer cancel()
			defer context.AfterFunc(p.life, cancel)()
		}
		r = r.WithContext(context.WithValue(ctx, exchangeKey{}, x))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.TransferEncoding = nil
		p.forward.ServeHTTP(w, r)
	}
}

// admit records a request and decides what is done to it.
func (p *Proxy) admit(r *Request) *exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := &exchange{record: r}
	for _, s := range p.rules {
		if s.take(*r) {
			x.action = s.rule.Do
			break
		}
	}
	r.Action = x.action.String()
	p.records = append(p.records, r)
	return x
}

// wait reports whether d passed with both the client and the proxy still there.
func (p *Proxy) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	case <-p.life.Done():
		return false
	}
}

func (p *Proxy) reverseProxy(upstream *url.URL, quiet *log.Logger) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		Transport:      p.transport,
		FlushInterval:  -1, // a watch's events are to pass as they come
		ErrorLog:       quiet,
		ModifyResponse: p.answered,
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			if !errors.Is(err, errAnswerLost) {
				p.note(r, func(rec *Request) { rec.Err = err })
			}
			breakOff(r, reset)
		},
	}
}

// answered records the server's answer and withholds it if the rule says so.
func (p *Proxy) answered(resp *http.Response) error {
	x := resp.Request.Context().Value(exchangeKey{}).(*exchange)
	p.note(resp.Request, func(rec *Request) { rec.Upstream = resp.StatusCode })
	if x.action.kind == loseAnswer || Writes(*x.record) {
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		p.note(resp.Request, func(rec *Request) { rec.Answer = body })
		if err != nil {
			return err
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	if !p.wait(resp.Request.Context(), x.action.answerDelay) || x.action.kind == loseAnswer {
		return errAnswerLost
	}
	return nil
}

func (p *Proxy) note(r *http.Request, set func(*Request)) {
	x := r.Context().Value(exchangeKey{}).(*exchange)
	p.mu.Lock()
	defer p.mu.Unlock()
	set(x.record)
}

// breakOff ends the client's connection and the handler. It does not return.
func breakOff(r *http.Request, how kind) {
	c := r.Context().Value(connKey{}).(*conn)
	if how == reset {
		c.reset()
	} else {
		_ = c.Close()
	}
	panic(http.ErrAbortHandler) // net/http's way to say: write nothing more
}

// reasons are those the API server gives with these codes.
var reasons = map[int]metav1.StatusReason{
	http.StatusUnauthorized:          metav1.StatusReasonUnauthorized,
	http.StatusForbidden:             metav1.StatusReasonForbidden,
	http.StatusNotFound:              metav1.StatusReasonNotFound,
	http.StatusConflict:              metav1.StatusReasonConflict,
	http.StatusGone:                  metav1.StatusReasonExpired,
	http.StatusUnprocessableEntity:   metav1.StatusReasonInvalid,
	http.StatusTooManyRequests:       metav1.StatusReasonTooManyRequests,
	http.StatusInternalServerError:   metav1.StatusReasonInternalError,
	http.StatusServiceUnavailable:    metav1.StatusReasonServiceUnavailable,
	http.StatusGatewayTimeout:        metav1.StatusReasonTimeout,
	http.StatusRequestEntityTooLarge: metav1.StatusReasonRequestEntityTooLarge,
}

func writeStatus(w http.ResponseWriter, a Action) {
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure,
		Message:  a.message,
		Reason:   reasons[a.code],
		Code:     int32(a.code),
	}
	w.Header().Set("Content-Type", "application/json")
	if a.retryAfter > 0 {
		seconds := int32(math.Ceil(a.retryAfter.Seconds()))
		status.Details = &metav1.StatusDetails{RetryAfterSeconds: seconds}
		w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	w.WriteHeader(a.code)
	_ = json.NewEncoder(w).Encode(status)
}
