package proxy

import (
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// A Match picks requests. It sees what has been recorded by the time the
// request is complete: nothing of an answer yet.
type Match func(Request) bool

// On matches a method ("" is any) and a regular expression that the path must
// contain a match of. Like regexp.MustCompile it panics on a bad expression.
func On(method, path string) Match {
	re := regexp.MustCompile(path)
	return func(r Request) bool {
		return (method == "" || r.Method == method) && re.MatchString(r.Path)
	}
}

// Writes matches whatever may change something.
func Writes(r Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions
}

// Watches matches the start of a watch.
func Watches(r Request) bool {
	return r.Method == http.MethodGet && (r.Query.Get("watch") == "true" || r.Query.Get("watch") == "1")
}

// A Rule says what happens to some requests.
type Rule struct {
	When  Match  // nil matches every request
	Skip  int    // so many matching requests are let by first
	Times int    // then so many are acted on; 0: all of them
	Do    Action // the zero Action passes a request on
}

// A Scripted is a Rule in force.
type Scripted struct {
	p    *Proxy
	rule Rule

	// Guarded by p.mu.
	matched, applied int
	removed          bool
}

// Applied is how many requests the rule has acted on.
func (s *Scripted) Applied() int {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	return s.applied
}

// Remove takes the rule out of force.
func (s *Scripted) Remove() {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.removed = true
}

// take reports whether the rule acts on r, and counts it. Call under p.mu.
func (s *Scripted) take(r Request) bool {
	if s.removed || s.rule.Times > 0 && s.applied == s.rule.Times {
		return false
	}
	if s.rule.When != nil && !s.rule.When(r) {
		return false
	}
	s.matched++
	if s.matched <= s.rule.Skip {
		return false
	}
	s.applied++
	return true
}

type kind int

const (
	pass kind = iota
	closeIt
	reset
	answer
	loseAnswer
)

// An Action is what a Rule does to a request. The zero value passes it on.
type Action struct {
	kind         kind
	code         int
	retryAfter   time.Duration
	message      string
	requestDelay time.Duration
	answerDelay  time.Duration
}

// Pass passes the request on: on its own it is the exception from a later,
// wider rule; with a delay, a slow server.
func Pass() Action { return Action{} }

// Close closes the connection in good order without an answer, as a server does
// that is shutting down: the client reads EOF. The request is not passed on.
func Close() Action { return Action{kind: closeIt} }

// Reset breaks the connection with a TCP RST without an answer. The request is
// not passed on.
func Reset() Action { return Action{kind: reset} }

// LoseAnswer passes the request on, reads the whole answer, records it, and
// resets the client's connection without a byte of it: the request was carried
// out and the client cannot know. It is carried out even if the client goes
// away meanwhile.
func LoseAnswer() Action { return Action{kind: loseAnswer} }

// Answer answers with an HTTP error code and a matching metav1.Status, as the
// API server would. The request is not passed on.
func Answer(code int, message string) Action {
	return Action{kind: answer, code: code, message: message}
}

// TooManyRequests answers 429 with a Retry-After header of so many whole
// seconds, rounded up. client-go waits that long and repeats the request by
// itself.
func TooManyRequests(retryAfter time.Duration) Action {
	return Action{
		kind: answer, code: http.StatusTooManyRequests, retryAfter: retryAfter,
		message: "the server has received too many requests and has asked us to try again later",
	}
}

// DelayRequest waits before anything else is done: a slow way to the server.
func (a Action) DelayRequest(d time.Duration) Action {
	a.requestDelay = d
	return a
}

// DelayAnswer waits after the server's answer is there and before it is handed
// on: to a client with a timeout, the other way to lose the answer to what was
// carried out. It delays the first byte of a watch, and the answers the proxy
// makes up.
func (a Action) DelayAnswer(d time.Duration) Action {
	a.answerDelay = d
	return a
}

// String names the action for records and messages.
func (a Action) String() string {
	s := map[kind]string{pass: "pass", closeIt: "close", reset: "reset", loseAnswer: "lose answer"}[a.kind]
	if a.kind == answer {
		s = fmt.Sprintf("answer %d", a.code)
	}
	if a.requestDelay > 0 {
		s += fmt.Sprintf(", request delayed %s", a.requestDelay)
	}
	if a.answerDelay > 0 {
		s += fmt.Sprintf(", answer delayed %s", a.answerDelay)
	}
	return s
}
