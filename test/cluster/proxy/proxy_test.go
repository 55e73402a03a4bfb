package proxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"rollcall.dev/rollcall/test/cluster/proxy"
)

// upstream stands for an API server: it creates on POST, streams on watch=true,
// and counts.
type upstream struct {
	*httptest.Server
	requests atomic.Int64
	events   chan string // what a watch sends
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{events: make(chan string, 10)}
	u.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.requests.Add(1)
		switch {
		case r.URL.Query().Get("watch") == "true":
			w.(http.Flusher).Flush()
			for {
				select {
				case <-r.Context().Done():
					return
				case e := <-u.events:
					fmt.Fprintln(w, e)
					w.(http.Flusher).Flush()
				}
			}
		case r.Method == http.MethodPost:
			body, _ := io.ReadAll(r.Body)
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, "created %s as %s", body, r.Header.Get("Authorization"))
		default:
			fmt.Fprint(w, "here")
		}
	}))
	t.Cleanup(u.Close)
	return u
}

func newProxy(t *testing.T, u *upstream) (*proxy.Proxy, *http.Client) {
	t.Helper()
	p, err := proxy.New(proxy.Options{
		Upstream: &rest.Config{
			Host: u.URL, BearerToken: "secret",
			TLSClientConfig: rest.TLSClientConfig{Insecure: true},
		},
		Kubeconfig: t.TempDir() + "/kubeconfig",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	cfg := p.RESTConfig()
	cfg.Timeout = 20 * time.Second // a test that hangs is to fail, not to hang
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p, client
}

// send gives the status and the body of the answer.
func send(ctx context.Context, c *http.Client, method, url, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

func TestWithoutRulesARequestPassesUnchangedAndIsRecorded(t *testing.T) {
	u := newUpstream(t)
	p, c := newProxy(t, u)
	code, body, err := send(t.Context(), c, http.MethodPost, p.RESTConfig().Host+"/runs?dryRun=All", "a run")
	if code != http.StatusCreated || body != "created a run as Bearer secret" || err != nil {
		t.Errorf("got %d %q %v", code, body, err)
	}
	got := p.Requests()
	if len(got) != 1 {
		t.Fatalf("recorded %+v", got)
	}
	r := got[0]
	if r.Method != http.MethodPost || r.Path != "/runs" || r.Query.Get("dryRun") != "All" || string(r.Body) != "a run" ||
		r.Action != "pass" || r.Upstream != http.StatusCreated || string(r.Answer) != body || r.Err != nil || time.Since(r.Time) > time.Minute {
		t.Errorf("recorded %+v", r)
	}
}

func TestTheKubeconfigLeadsThroughTheProxy(t *testing.T) {
	p, _ := newProxy(t, newUpstream(t))
	cfg, err := clientcmd.BuildConfigFromFlags("", p.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	c, err := rest.HTTPClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, body, err := send(t.Context(), c, http.MethodPost, cfg.Host+"/runs", "x"); err != nil || body != "created x as Bearer secret" {
		t.Errorf("got %q %v", body, err)
	}
}

func TestABrokenRequestIsNotCarriedOut(t *testing.T) {
	for name, tc := range map[string]struct {
		do   proxy.Action
		want error
	}{
		"closed": {proxy.Close(), io.EOF},
		"reset":  {proxy.Reset(), syscall.ECONNRESET},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(t)
			p, c := newProxy(t, u)
			p.Add(proxy.Rule{Do: tc.do})
			_, _, err := send(t.Context(), c, http.MethodPost, p.RESTConfig().Host+"/runs", "x")
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if n := u.requests.Load(); n != 0 {
				t.Errorf("the server got %d requests", n)
			}
			if r := p.Requests()[0]; r.Upstream != 0 || r.Action != tc.do.String() {
				t.Errorf("recorded %+v", r)
			}
		})
	}
}

func TestALostAnswerIsRecordedAndTheClientIsReset(t *testing.T) {
	u := newUpstream(t)
	p, c := newProxy(t, u)
	p.Add(proxy.Rule{Do: proxy.LoseAnswer()})
	_, _, err := send(t.Context(), c, http.MethodPost, p.RESTConfig().Host+"/runs", "x")
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	if n := u.requests.Load(); n != 1 {
		t.Errorf("the server got %d requests, want 1", n)
	}
	r := p.Requests()[0]
	if r.Upstream != http.StatusCreated || string(r.Answer) != "created x as Bearer secret" || r.Action != "lose answer" || r.Err != nil {
		t.Errorf("recorded %+v", r)
	}
}

func TestAnAnswerThatIsLateForTheClientWasCarriedOut(t *testing.T) {
	u := newUpstream(t)
	p, c := newProxy(t, u)
	p.Add(proxy.Rule{Do: proxy.Pass().DelayAnswer(time.Hour)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, _, err := send(ctx, c, http.MethodPost, p.RESTConfig().Host+"/runs", "x")
		done <- err
	}()
	await(t, "the server's answer", func() bool {
		got := p.Requests()
		return len(got) == 1 && got[0].Upstream == http.StatusCreated
	})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v", err)
	}
}

func TestADelayedRequestWhoseClientGivesUpIsNotCarriedOut(t *testing.T) {
	u := newUpstream(t)
	p, c := newProxy(t, u)
	p.Add(proxy.Rule{Times: 1, Do: proxy.Pass().DelayRequest(time.Hour)})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := send(ctx, c, http.MethodPost, p.RESTConfig().Host+"/runs", "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, _, err := send(t.Context(), c, http.MethodPost, p.RESTConfig().Host+"/runs", "y"); err != nil {
		t.Error(err)
	}
	if n := u.requests.Load(); n != 1 {
		t.Errorf("the server got %d requests, want only the second", n)
	}
}

func TestADelayIsKept(t *testing.T) {
	p, c := newProxy(t, newUpstream(t))
	const d = 50 * time.Millisecond
	p.Add(proxy.Rule{Do: proxy.Pass().DelayRequest(d).DelayAnswer(d)})
	begun := time.Now()
	if _, _, err := send(t.Context(), c, http.MethodGet, p.RESTConfig().Host+"/runs", ""); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took < 2*d {
		t.Errorf("took %s", took)
	}
}

func TestAMadeUpAnswerIsAStatusAsTheAPIServerGives(t *testing.T) {
	for name, tc := range map[string]struct {
		do    proxy.Action
		after string
		want  metav1.Status
	}{
		"429": {
			proxy.TooManyRequests(1500 * time.Millisecond), "2",
			metav1.Status{Code: 429, Reason: metav1.StatusReasonTooManyRequests, Details: &metav1.StatusDetails{RetryAfterSeconds: 2}},
		},
		"500": {proxy.Answer(500, "boom"), "", metav1.Status{Code: 500, Reason: metav1.StatusReasonInternalError, Message: "boom"}},
		"503": {proxy.Answer(503, "gone"), "", metav1.Status{Code: 503, Reason: metav1.StatusReasonServiceUnavailable, Message: "gone"}},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(t)
			p, c := newProxy(t, u)
			p.Add(proxy.Rule{Do: tc.do})
			resp, err := c.Get(p.RESTConfig().Host + "/runs")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var got metav1.Status
			if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != int(tc.want.Code) || resp.Header.Get("Retry-After") != tc.after || u.requests.Load() != 0 {
				t.Errorf("status %d, Retry-After %q, %d requests passed on", resp.StatusCode, resp.Header.Get("Retry-After"), u.requests.Load())
			}
			if got.Kind != "Status" || got.Status != metav1.StatusFailure || got.Code != tc.want.Code || got.Reason != tc.want.Reason ||
				tc.want.Message != "" && got.Message != tc.want.Message || (got.Details == nil) != (tc.want.Details == nil) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestARuleActsOnTheNthMatchesOnly(t *testing.T) {
	p, c := newProxy(t, newUpstream(t))
	p.Add(proxy.Rule{When: proxy.On(http.MethodGet, `^/kept`)}) // the exception from the next
	s := p.Add(proxy.Rule{When: proxy.On(http.MethodGet, `runs$`), Skip: 1, Times: 2, Do: proxy.Answer(500, "x")})
	var got []int
	for _, path := range []string{"/runs", "/other", "/runs", "/kept/runs", "/runs", "/runs"} {
		code, _, err := send(t.Context(), c, http.MethodGet, p.RESTConfig().Host+path, "")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, code)
	}
	if want := []int{200, 200, 500, 200, 500, 200}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if s.Applied() != 2 {
		t.Errorf("applied %d times", s.Applied())
	}
	if n := len(p.Requests(proxy.On("", `runs$`), func(r proxy.Request) bool { return r.Upstream == 0 })); n != 2 {
		t.Errorf("%d requests are recorded as kept from the server, want 2", n)
	}
}

func TestARemovedRuleDoesNothing(t *testing.T) {
	p, c := newProxy(t, newUpstream(t))
	p.Add(proxy.Rule{Do: proxy.Answer(500, "x")}).Remove()
	p.Add(proxy.Rule{Do: proxy.Answer(503, "x")})
	p.ClearRules()
	if code, _, err := send(t.Context(), c, http.MethodGet, p.RESTConfig().Host+"/", ""); code != 200 {
		t.Errorf("got %d %v", code, err)
	}
}

func TestAWatchFlowsUntilItIsCut(t *testing.T) {
	u := newUpstream(t)
	p, c := newProxy(t, u)
	resp, err := c.Get(p.RESTConfig().Host + "/runs?watch=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, e := range []string{"first", "second"} {
		u.events <- e
		buf := make([]byte, len(e)+1)
		if _, err := io.ReadFull(resp.Body, buf); err != nil || !bytes.Equal(buf, []byte(e+"\n")) {
			t.Fatalf("got %q, %v", buf, err)
		}
	}
	if len(p.Requests(proxy.Watches)) != 1 {
		t.Errorf("recorded %+v", p.Requests())
	}
	p.Cut()
	if _, err := resp.Body.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the watch ended with %v, want a reset", err)
	}
	if _, _, err := send(t.Context(), c, http.MethodPost, p.RESTConfig().Host+"/runs", "x"); err != nil {
		t.Errorf("after the cut: %v", err)
	}
}

func TestWhileDownConnectionsAreRefused(t *testing.T) {
	p, c := newProxy(t, newUpstream(t))
	post := func() error {
		_, _, err := send(t.Context(), c, http.MethodPost, p.RESTConfig().Host+"/runs", "x")
		return err
	}
	for range 3 {
		if err := post(); err != nil {
			t.Fatalf("up: %v", err)
		}
		p.Down()
		// The first may still meet the connection that was just cut.
		if err := post(); err == nil {
			t.Error("down, but answers")
		}
		if err := post(); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("down: %v, want connection refused", err)
		}
		if err := p.Up(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAServerThatIsGoneIsNotMadeUpFor(t *testing.T) {
	u := newUpstream(t)
	p, c := newProxy(t, u)
	u.Close()
	if _, _, err := send(t.Context(), c, http.MethodPost, p.RESTConfig().Host+"/runs", "x"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	if r := p.Requests()[0]; !errors.Is(r.Err, syscall.ECONNREFUSED) {
		t.Errorf("recorded %v", r.Err)
	}
}

func TestAClosedProxyStaysClosed(t *testing.T) {
	p, _ := newProxy(t, newUpstream(t))
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Up(); err == nil {
		t.Error("it came up again")
	}
}

// await polls: what is awaited happens on the proxy's goroutines.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
