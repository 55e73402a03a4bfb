package fake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// How a fault shows.
const (
	Refused   = "refused"   // no connection; watches break off
	Hang      = "hang"      // no answer until the caller or the connection gives up; watches go silent
	Erring    = "error"     // 500, 503 or an etcd that has no leader; watches break off
	Throttled = "throttled" // 429 with a Retry-After
	Lost      = "lost"      // carried out, and the connection ends without an answer
	Slow      = "slow"      // answers and events take seconds
	Deaf      = "deaf"      // watches go silent, requests are answered
	Quota     = "quota"     // creates of Workflows exceed a quota
	Denied    = "denied"    // writes are not permitted
)

// Hows are all of them.
func Hows() []string {
	return []string{Refused, Hang, Erring, Throttled, Lost, Slow, Deaf, Quota, Denied}
}

// A Fault of the API server or the way to it.
type Fault struct {
	// Who is the client that it hits, a prefix of its name; empty for all.
	Who string `json:"who,omitempty"`
	How string `json:"how"`
	// What are the resources it hits; empty for all.
	What []string `json:"what,omitempty"`
	// Percent of the requests are hit; 0 for all.
	Percent  int       `json:"percent,omitempty"`
	From, To time.Time `json:"-"`
}

// Begin has a fault hit from now on, End no longer.
func (s *Server) Begin(f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
	for w := range s.watches {
		if f.hits(w.who, w.resource) {
			w.breaks(f.How)
		}
	}
}

// End undoes a fault.
func (s *Server) End(f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(g *Fault) bool { return g == f })
	for w := range s.watches {
		w.wake(Event{})
	}
}

func (f *Fault) hits(who, resource string) bool {
	return strings.HasPrefix(who, f.Who) && (len(f.What) == 0 || slices.Contains(f.What, resource))
}

// fault is what a request is hit by; empty for nothing. Call it with mu.
func (s *Server) fault(who, verb, resource string) (how string, until time.Time) {
	for _, f := range s.faults {
		if !f.hits(who, resource) || f.Percent > 0 && s.rand.IntN(100) >= f.Percent {
			continue
		}
		switch {
		case f.How == Deaf:
		case f.How == Quota && (verb != "create" || resource != "workflows"):
		case f.How == Denied && (verb == "get" || verb == "list" || verb == "watch"):
		case f.How == Lost && verb == "watch":
		default:
			return f.How, f.To
		}
	}
	return "", time.Time{}
}

var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
)

func connection(err error) error {
	return &url.Error{Op: "Post", URL: "https://apiserver/", Err: err}
}

// give up is how long a connection that says nothing lasts.
const giveUp = 30 * time.Second

// hang waits until somebody gives up.
func hang(ctx context.Context, until time.Time) error {
	end := now().Add(giveUp)
	if !until.IsZero() && until.After(end) {
		end = until
	}
	timer := time.NewTimer(time.Until(end))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return connection(ctx.Err())
	case <-timer.C:
		return connection(errReset)
	}
}

// answer is the error of a fault that answers; refused says nothing was carried out.
func (s *Server) answer(how, verb, resource, name string) error {
	group := workflows
	group.Resource = resource
	switch how {
	case Refused:
		return connection(errRefused)
	case Throttled:
		return apierrors.NewTooManyRequests("too many requests", 1+s.rand.IntN(3))
	case Quota:
		return apierrors.NewForbidden(group, name, errors.New("exceeded quota: runs, requested: count/workflows=1, used: 10, limited: 10"))
	case Denied:
		return apierrors.NewForbidden(group, name, fmt.Errorf("User cannot %s resource", verb))
	case Lost:
		if s.rand.IntN(2) == 0 {
			return connection(io.ErrUnexpectedEOF)
		}
		return connection(errReset)
	}
	switch s.rand.IntN(4) {
	case 0:
		return apierrors.NewInternalError(errors.New("etcdserver: leader changed"))
	case 1:
		return apierrors.NewInternalError(errors.New("etcdserver: request timed out"))
	case 2:
		return apierrors.NewServiceUnavailable("apiserver is shutting down")
	}
	return apierrors.NewInternalError(errors.New("rpc error: code = Unavailable"))
}
