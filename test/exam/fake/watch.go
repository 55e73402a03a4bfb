package fake

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// watch is one watch of one collection.
type watch struct {
	who, resource string
	more          chan struct{}
	broken        chan struct{} // closed when it breaks off
	ended         bool
	version       int64 // up to which it was told; guarded by the server's mu
}

// toldAll says whether a watch was told of everything up to a version that concerns it. Call it with mu, before a compaction.
func (s *Server) toldAll(w *watch, version int64) bool {
	return !slices.ContainsFunc(s.log, func(e Event) bool { return e.Version > w.version && e.Version <= version && w.concerns(e) })
}

func (w *watch) concerns(e Event) bool {
	return e.CronWorkflow != nil && w.resource == "cronworkflows" || e.Workflow != nil && e.Workflow.CronLabel != "" && w.resource == "workflows"
}

func (w *watch) wake(e Event) {
	if e.CronWorkflow != nil && w.resource != "cronworkflows" || e.Workflow != nil && w.resource != "workflows" {
		return
	}
	select {
	case w.more <- struct{}{}:
	default:
	}
}

func (w *watch) breaks(how string) {
	switch how {
	case Refused, Erring:
		if !w.ended {
			w.ended = true
			close(w.broken)
		}
	}
}

// List reads a collection and its version. The objects are called for one after the other.
func (c *Client) List(ctx context.Context, resource string, each func(Event)) (version int64, err error) {
	s := c.server
	err = c.do(ctx, "list", resource, "", func() error {
		version = s.version
		if resource == "cronworkflows" {
			for _, cw := range s.crons {
				each(Event{Version: cw.Version, CronWorkflow: cw})
			}
			return nil
		}
		for _, w := range s.runs {
			if w.CronLabel != "" { // as everybody selects them
				each(Event{Version: w.Version, Workflow: w})
			}
		}
		return nil
	})
	return version, err
}

// Watch tells of all changes of a collection from a version on, in order, until it breaks off or ctx ends: then it returns the last
// version that was told of. Opened is called when the watch is open, bookmark every minute. An error that is a 410 says that the
// version is gone.
func (c *Client) Watch(ctx context.Context, resource string, version int64, opened, bookmark func(), tell func(Event)) (int64, error) {
	s := c.server
	w := &watch{who: c.name, resource: resource, more: make(chan struct{}, 1), broken: make(chan struct{})}
	err := c.do(ctx, "watch", resource, "", func() error {
		if version < s.first {
			return apierrors.NewResourceExpired("too old resource version")
		}
		s.watches[w], w.version = true, version
		return nil
	})
	if err != nil {
		return version, err
	}
	defer func() {
		s.mu.Lock()
		delete(s.watches, w)
		s.mu.Unlock()
	}()
	opened()
	var silent time.Time // since when it has been
	due := false         // a bookmark
	for {
		s.mu.Lock()
		version = w.version
		if version < s.first { // it was too slow, and what it has not been told of is compacted
			s.mu.Unlock()
			return version, connection(errReset)
		}
		events, patience, late := s.since(w, version)
		if len(events) == 0 && patience == 0 {
			w.version, version = s.version, s.version // a bookmark
		}
		s.mu.Unlock()
		if len(events) > 0 && patience == 0 {
			if err := c.sleep(ctx, late); err != nil {
				return version, nil
			}
			for _, e := range events {
				if !c.Pass() || ctx.Err() != nil {
					return version, nil
				}
				tell(e)
				version = e.Version
				s.mu.Lock()
				w.version = max(w.version, version)
				s.mu.Unlock()
			}
			continue
		}
		if due && patience == 0 {
			if !c.Pass() {
				return version, nil
			}
			bookmark()
		}
		due = false
		switch {
		case patience == 0:
			silent, patience = time.Time{}, bookmarkEvery
		case silent.IsZero():
			silent = now()
		default:
			patience -= now().Sub(silent)
		}
		given := time.NewTimer(patience)
		select {
		case <-ctx.Done():
			given.Stop()
			return version, nil
		case <-w.broken:
			given.Stop()
			return version, connection(errReset)
		case <-given.C:
			if !silent.IsZero() {
				return version, connection(context.DeadlineExceeded)
			}
			due = true
		case <-w.more:
			given.Stop()
		}
	}
}

const (
	// bookmarkEvery is how often a watch says where it is.
	bookmarkEvery = time.Minute
	// deadFor is how long a connection may be dead before HTTP/2's pings find that out (30 s and 15 s in client-go), deafFor how long
	// one may be alive and say nothing before internal/argo gives it up.
	deadFor = 45 * time.Second
	deafFor = 3 * time.Minute
)

// since are the changes after a version, and late how long they take. Where they do not arrive, patience is how long that can go on.
// Call it with mu.
func (s *Server) since(w *watch, version int64) (events []Event, patience, late time.Duration) {
	late = time.Duration(1+s.rand.IntN(10)) * time.Millisecond
	for _, f := range s.faults {
		if !f.hits(w.who, w.resource) || f.How == Hang && f.Percent > 0 {
			continue // some requests hang, and connections that stand go on
		}
		switch f.How {
		case Hang:
			patience = deadFor
		case Deaf:
			patience = deafFor
		case Slow:
			late = time.Duration(s.rand.IntN(8000)) * time.Millisecond
		}
	}
	i := len(s.log)
	for i > 0 && s.log[i-1].Version > version {
		i--
	}
	for _, e := range s.log[i:] {
		if w.concerns(e) {
			events = append(events, e)
		}
	}
	return events, patience, late
}
