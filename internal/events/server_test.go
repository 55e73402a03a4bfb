package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// server is the part of an API server that a Recorder deals with, in memory: its clock can be that of a synctest bubble.
type server struct {
	mu     sync.Mutex
	events map[string]corev1.Event
	// order are the names in events in the order in which they were made.
	order []string
	// requests are the times at which one came.
	requests []time.Time
	// fault is asked before each request; a status or an error takes the place of the answer.
	fault func(method, path string) (*metav1.Status, error)
	// after is asked when a request has been carried out.
	after func() error
	// hang has requests hang until their context ends.
	hang bool
}

func newServer() *server { return &server{events: map[string]corev1.Event{}} }

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.requests = append(s.requests, time.Now())
	fault, after, hang := s.fault, s.after, s.hang
	s.mu.Unlock()
	if hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if fault != nil {
		switch status, err := fault(r.Method, r.URL.Path); {
		case err != nil:
			return nil, err
		case status != nil:
			return answer(int(status.Code), status), nil
		}
	}
	s.mu.Lock()
	response := s.answer(r, body)
	s.mu.Unlock()
	if after != nil {
		if err := after(); err != nil {
			return nil, err
		}
	}
	return response, nil
}

func (s *server) answer(r *http.Request, body []byte) *http.Response {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) < 5 || path.Join(parts[:3]...) != "api/v1/namespaces" || parts[4] != "events" {
		return refuse(404, metav1.StatusReasonNotFound, r.URL.Path)
	}
	switch {
	case r.Method == http.MethodPost && len(parts) == 5 && r.Header.Get("Content-Type") == "application/json":
		var event corev1.Event
		if err := strict(body, &event); err != nil || event.Namespace != parts[3] || event.InvolvedObject.Namespace != parts[3] {
			return refuse(422, metav1.StatusReasonInvalid, fmt.Sprint("not an Event of the namespace: ", err))
		}
		if _, exists := s.events[event.Name]; exists {
			return refuse(409, metav1.StatusReasonAlreadyExists, event.Name)
		}
		s.events[event.Name] = event
		s.order = append(s.order, event.Name)
		return answer(201, event)
	case r.Method == http.MethodPatch && len(parts) == 6 && r.Header.Get("Content-Type") == "application/merge-patch+json":
		event, exists := s.events[parts[5]]
		if !exists {
			return refuse(404, metav1.StatusReasonNotFound, parts[5])
		}
		if err := strict(body, &event); err != nil {
			return refuse(400, metav1.StatusReasonBadRequest, err.Error())
		}
		s.events[event.Name] = event
		return answer(200, event)
	}
	return refuse(405, metav1.StatusReasonMethodNotAllowed, r.Method+" "+r.Header.Get("Content-Type"))
}

// strict decodes over what is there already, which is a merge patch where no field is a map.
func strict(body []byte, into *corev1.Event) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func status(code int, reason metav1.StatusReason, message string) *metav1.Status {
	return &metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Code: int32(code), Reason: reason, Message: message,
	}
}

func refuse(code int, reason metav1.StatusReason, message string) *http.Response {
	return answer(code, status(code, reason, message))
}

func answer(code int, object any) *http.Response {
	body, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if s, ok := object.(*metav1.Status); ok && s.Details != nil && s.Details.RetryAfterSeconds > 0 {
		header.Set("Retry-After", fmt.Sprint(s.Details.RetryAfterSeconds))
	}
	return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(bytes.NewReader(body))}
}

// told are the Events in the order in which they were made, as TYPE REASON cronworkflow xCOUNT: message.
func (s *server) told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, name := range s.order {
		if e, exists := s.events[name]; exists {
			all = append(all, fmt.Sprintf("%s %s %s x%d: %s", e.Type, e.Reason, e.InvolvedObject.Name, e.Count, e.Message))
		}
	}
	return all
}

// asked is when the requests came.
func (s *server) asked() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *server) faulty(fault func(method, path string) (*metav1.Status, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
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

// lines are those that say something.
func (l *log) lines(what string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(strings.Split(l.text.String(), "\n"), func(line string) bool { return !strings.Contains(line, what) })
}

// recorder is one whose Run is not running yet.
func recorder(t *testing.T, api *server, logged *log, denied func(bool)) *Recorder {
	t.Helper()
	r, err := New(Options{
		Config: &rest.Config{Host: "http://api.invalid", Transport: api}, Identity: "rollcall-0",
		Log: slog.New(slog.NewTextHandler(logged, nil)), Now: time.Now, Denied: denied,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
