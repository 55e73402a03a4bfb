package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/auditor"
)

var (
	tick  = auditor.Key{Namespace: "default", Name: "tick"}
	other = auditor.Key{Namespace: "prod", Name: "report"}
)

// post is one request that reached Alertmanager.
type post struct {
	at     time.Time
	alerts []wire
}

// alertmanager takes alerts in memory: its clock can be that of a synctest bubble.
type alertmanager struct {
	mu    sync.Mutex
	posts []post
	// answer is asked for each request what becomes of it; nil and 0 is 200.
	answer func(n int) (code int, body string, err error)
	hang   bool
	n      int
}

func (a *alertmanager) RoundTrip(r *http.Request) (*http.Response, error) {
	var alerts []wire
	if err := json.NewDecoder(r.Body).Decode(&alerts); err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.n++
	n, answer, hang := a.n, a.answer, a.hang
	a.mu.Unlock()
	if hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	code, body := 0, ""
	if answer != nil {
		var err error
		if code, body, err = answer(n); err != nil {
			return nil, err
		}
	}
	if code == 0 {
		code = 200
	}
	if code == 200 {
		a.mu.Lock()
		a.posts = append(a.posts, post{time.Now(), alerts})
		a.mu.Unlock()
	}
	return &http.Response{
		StatusCode: code, Status: fmt.Sprintf("%d %s", code, http.StatusText(code)), Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

func (a *alertmanager) answers(answer func(n int) (int, string, error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer, a.n = answer, 0
}

// requests is how many came since the last call of answers.
func (a *alertmanager) requests() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n
}

// took are the posts since the last time.
func (a *alertmanager) took() []post {
	a.mu.Lock()
	defer a.mu.Unlock()
	posts := a.posts
	a.posts = nil
	return posts
}

// says is what a post says, in sentences: NAME of CRONWORKFLOW fires|ended.
func (p post) says() []string {
	var all []string
	for _, w := range p.alerts {
		state := "ended"
		if w.EndsAt.After(p.at) {
			state = "fires"
		}
		all = append(all, fmt.Sprintf("%s of %s %s", w.Labels["alertname"], w.Labels["cronworkflow"], state))
	}
	slices.Sort(all)
	return all
}

// log holds what was logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// bench is a Sender, what it talks to and what it said.
type bench struct {
	*Sender
	to     *alertmanager
	logged *log

	mu       sync.Mutex
	outcomes map[string]int
}

func (b *bench) posted() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.outcomes)
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{to: &alertmanager{}, logged: &log{}, outcomes: map[string]int{}}
	sender, err := New(Options{
		URL: "http://alertmanager.invalid:9093", Log: slog.New(slog.NewTextHandler(b.logged, nil)), Now: time.Now, Transport: b.to,
		Posted: func(outcome string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.outcomes[outcome]++
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Sender = sender
	return b
}

// running runs a Sender until the returned function is called, which says how long it took to end.
func (b *bench) running(t *testing.T) func() time.Duration {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		b.Run(ctx)
		close(done)
	}()
	stop := func() time.Duration {
		began := time.Now()
		cancel()
		<-done
		return time.Since(began)
	}
	t.Cleanup(func() { stop() })
	return stop
}

func lost(summary string) Alert {
	return Alert{Name: RunLost, Annotations: map[string]string{"summary": summary}}
}
