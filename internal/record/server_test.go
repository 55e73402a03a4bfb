package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

// server is the part of an API server that a Store deals with, in memory: its clock can be that of a synctest bubble.
type server struct {
	mu      sync.Mutex
	version int
	audits  map[auditor.Key]v1alpha1.CronAudit
	// crons are the UIDs of the CronWorkflows.
	crons map[auditor.Key]string
	// requests are "METHOD path" of what reached it.
	requests []string
	// fault is asked before each request; a response or an error takes the place of the answer.
	fault func(what string) (*reply, error)
	// after is asked when a request has been carried out.
	after func(what string) error
}

func newServer() *server {
	return &server{audits: map[auditor.Key]v1alpha1.CronAudit{}, crons: map[auditor.Key]string{}}
}

const base = "/apis/rollcall.dev/v1alpha1"

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	what := r.Method + " " + r.URL.Path
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	s.mu.Lock()
	s.requests = append(s.requests, what)
	fault, after := s.fault, s.after
	s.mu.Unlock()
	if fault != nil {
		switch reply, err := fault(what); {
		case err != nil:
			return nil, err
		case reply != nil:
			return reply.response(), nil
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	answer := s.answer(r, body)
	s.mu.Unlock()
	if after != nil {
		if err := after(what); err != nil {
			return nil, err
		}
	}
	return answer.response(), nil
}

// reply is an answer.
type reply struct {
	code      int
	mediaType string
	body      []byte
}

func (r *reply) response() *http.Response {
	return &http.Response{StatusCode: r.code, Header: http.Header{"Content-Type": {r.mediaType}}, Body: io.NopCloser(bytes.NewReader(r.body))}
}

func (s *server) answer(r *http.Request, body []byte) *reply {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/apis/argoproj.io/v1alpha1/namespaces/"); ok {
		parts := strings.Split(rest, "/")
		key := auditor.Key{Namespace: parts[0], Name: parts[2]}
		if uid, ok := s.crons[key]; ok {
			return answers(200, metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, UID: types.UID(uid)}})
		}
		return knowsNo("cronworkflows", key.Name)
	}
	namespace, name := "", ""
	if rest, ok := strings.CutPrefix(r.URL.Path, base+"/namespaces/"); ok {
		parts := strings.Split(rest, "/")
		namespace = parts[0]
		if len(parts) > 2 {
			name = parts[2]
		}
	}
	key := auditor.Key{Namespace: namespace, Name: name}
	found, exists := s.audits[key]
	var sent v1alpha1.CronAudit
	switch {
	case r.Method == http.MethodGet && name == "":
		return s.list(namespace, r.URL.Query().Get("limit"), r.URL.Query().Get("continue"))
	case r.Method == http.MethodPost:
		if err := json.Unmarshal(body, &sent); err != nil {
			return refuses(400, metav1.StatusReasonBadRequest, err.Error())
		}
		key.Name = sent.Name
		if _, exists := s.audits[key]; exists {
			return refuses(409, metav1.StatusReasonAlreadyExists, fmt.Sprintf("cronaudits %q already exists", key.Name))
		}
		sent.Status = v1alpha1.CronAuditStatus{}
		sent.UID = types.UID("audit-" + strconv.Itoa(s.version+1))
		return answers(201, s.store(key, sent))
	case !exists:
		return knowsNo("cronaudits", name)
	case r.Method == http.MethodGet:
		return answers(200, found)
	case r.Method == http.MethodPut:
		if err := json.Unmarshal(body, &sent); err != nil {
			return refuses(400, metav1.StatusReasonBadRequest, err.Error())
		}
		if sent.ResourceVersion != found.ResourceVersion || sent.UID != found.UID {
			return refuses(409, metav1.StatusReasonConflict, "the object has been modified")
		}
		if strings.HasSuffix(r.URL.Path, "/status") {
			found.Status = sent.Status
		} else {
			found.ObjectMeta = sent.ObjectMeta
		}
		return answers(200, s.store(key, found))
	}
	return refuses(405, metav1.StatusReasonMethodNotAllowed, r.Method)
}

func (s *server) store(key auditor.Key, audit v1alpha1.CronAudit) v1alpha1.CronAudit {
	s.version++
	audit.ResourceVersion = strconv.Itoa(s.version)
	s.audits[key] = audit
	return audit
}

func (s *server) list(namespace, limit, from string) *reply {
	keys := slices.SortedFunc(maps.Keys(s.audits), func(a, b auditor.Key) int { return strings.Compare(a.String(), b.String()) })
	keys = slices.DeleteFunc(keys, func(k auditor.Key) bool { return namespace != "" && k.Namespace != namespace })
	first, _ := strconv.Atoi(from)
	end := len(keys)
	var page v1alpha1.CronAuditList
	if n, err := strconv.Atoi(limit); err == nil && first+n < end {
		end = first + n
		page.Continue = strconv.Itoa(end)
	}
	for _, key := range keys[first:end] {
		page.Items = append(page.Items, s.audits[key])
	}
	return answers(200, page)
}

// change is what somebody else does.
func (s *server) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *server) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.requests
	s.requests = nil
	return asked
}

// before has something happen once, just before a request is carried out.
func (s *server) before(request string, happens func()) {
	var once sync.Once
	s.breaks(func(what string) (*reply, error) {
		if what == request {
			once.Do(happens)
		}
		return nil, nil
	})
}

func (s *server) breaks(fault func(what string) (*reply, error)) {
	s.change(func() { s.fault = fault })
}

// recorded is the state that a record holds.
func (s *server) recorded(t testing.TB, key auditor.Key) auditor.State {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	audit, ok := s.audits[key]
	if !ok {
		t.Fatalf("there is no record of %s", key)
	}
	state, err := StateOf(&audit)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func answers(code int, object any) *reply {
	data, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return &reply{code, "application/json", data}
}

func refuses(code int, reason metav1.StatusReason, message string) *reply {
	return answers(code, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message})
}

func knowsNo(resource, name string) *reply {
	return answers(404, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: 404, Reason: metav1.StatusReasonNotFound,
		Message: fmt.Sprintf("%s %q not found", resource, name), Details: &metav1.StatusDetails{Name: name, Kind: resource}})
}

// notServed is the answer to a path that the API server does not know.
func notServed() *reply {
	return &reply{http.StatusNotFound, "text/plain", []byte("404 page not found\n")}
}

var errRefused = errors.New("dial tcp 127.0.0.1:6443: connect: connection refused")

// newStore makes a Store of a Rollcall called by that name.
func newStore(t testing.TB, s *server, name string, change ...func(*Options)) *Store {
	t.Helper()
	options := Options{
		Config: &rest.Config{Host: "http://api", Transport: s}, Identity: name,
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	for _, c := range change {
		c(&options)
	}
	store, err := NewStore(options)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

var tick = auditor.Key{Namespace: "default", Name: "tick"}

// known is a state of tick that knows n things, knownOf one of the CronWorkflow with that UID.
func known(n int) auditor.State { return knownOf("u1", n) }

func knownOf(uid string, n int) auditor.State {
	return auditor.State{UID: uid, Totals: map[auditor.Verdict]int64{auditor.OnTime: int64(n)}}
}
