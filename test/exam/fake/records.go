package fake

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/operator"
	"rollcall.dev/rollcall/internal/record"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

// audit is a CronAudit as stored.
type audit struct {
	owner, writer string
	revision      int64
	status        v1alpha1.CronAuditStatus
}

// Records are operator.Records over the Server, by the rules of record.Store: what is urgent is written before Save returns, with
// up to three retries; the rest at most once a minute; what another has written has to be read again first. A state is converted on
// its way in and out.
type Records struct {
	client *Client

	mu      sync.Mutex
	entries map[auditor.Key]*recorded
	wake    chan struct{}
}

var _ operator.Records = (*Records)(nil)

type recorded struct {
	next           *auditor.State
	saved, written uint64
	known          int64
	knownWriter    string
	lastWrite      time.Time
	due            time.Time
	failures       int
	refused        error
	// turn holds a value while nobody writes or reads: who waits for a mutex stops the time of a bubble.
	turn      chan struct{}
	forgotten bool
}

// NewRecords are those of a process.
func NewRecords(client *Client) *Records {
	return &Records{client: client, entries: map[auditor.Key]*recorded{}, wake: make(chan struct{}, 1)}
}

func stateOf(key auditor.Key, a *audit) (auditor.State, error) {
	object := v1alpha1.CronAudit{Status: a.status}
	object.Namespace, object.Name = key.Namespace, key.Name
	return record.StateOf(&object)
}

// Load is operator.Records'.
func (r *Records) Load(ctx context.Context) (map[auditor.Key]auditor.State, error) {
	found := map[auditor.Key]*audit{}
	err := r.client.do(ctx, "list", "cronaudits", "", func() error {
		for key, a := range r.client.server.audits {
			found[auditor.Key(key)] = a
		}
		return nil
	})
	if err != nil {
		return nil, explain(err)
	}
	states := map[auditor.Key]auditor.State{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.entries {
		e.forgotten, e.next = true, nil
	}
	clear(r.entries)
	for key, a := range found {
		e := r.entry(key)
		e.known, e.knownWriter = a.revision, a.writer
		state, err := stateOf(key, a)
		if err != nil {
			return nil, err // the exam's records are not edited by hand
		}
		if state.UID != "" && state.UID == a.owner {
			states[key] = state
		}
	}
	return states, nil
}

// explain gives errors the kinds that the operator knows.
func explain(err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("%w: %w", record.ErrForbidden, err)
	}
	return err
}

// entry is that of a key; call it with mu.
func (r *Records) entry(key auditor.Key) *recorded {
	e := r.entries[key]
	if e == nil {
		e = &recorded{turn: make(chan struct{}, 1)}
		e.turn <- struct{}{}
		r.entries[key] = e
	}
	return e
}

// Reload is operator.Records'.
func (r *Records) Reload(ctx context.Context, key auditor.Key) (state auditor.State, ok bool, err error) {
	r.mu.Lock()
	e := r.entry(key)
	r.mu.Unlock()
	<-e.turn
	defer func() { e.turn <- struct{}{} }()
	var a *audit
	if err := r.client.do(ctx, "get", "cronaudits", key.Name, func() error { a = r.client.server.audits[Key(key)]; return nil }); err != nil {
		return auditor.State{}, false, explain(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e.refused, e.next, e.written, e.known, e.knownWriter = nil, nil, e.saved, 0, ""
	if a != nil {
		e.known, e.knownWriter = a.revision, a.writer
		state, err = stateOf(key, a)
		ok = err == nil && state.UID != "" && state.UID == a.owner
	}
	return state, ok, err
}

// Save is operator.Records'.
func (r *Records) Save(ctx context.Context, key auditor.Key, state auditor.State, urgent bool) error {
	r.mu.Lock()
	e := r.entry(key)
	if e.refused != nil {
		r.mu.Unlock()
		return e.refused
	}
	e.next = &state
	e.saved++
	mine := e.saved
	if !urgent {
		if e.due.IsZero() {
			e.due = e.lastWrite.Add(time.Minute)
			r.stir()
		}
		r.mu.Unlock()
		return nil
	}
	r.mu.Unlock()
	err := r.write(ctx, key, e, mine)
	for retry := 0; retry < 3 && transient(err) && r.client.sleep(ctx, 100*time.Millisecond<<retry) == nil; retry++ {
		err = r.write(ctx, key, e, mine)
	}
	return err
}

func transient(err error) bool {
	return err != nil && !apierrors.IsForbidden(err) && !apierrors.IsConflict(err) && !isSuperseded(err)
}

// stir wakes Run.
func (r *Records) stir() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Forget is operator.Records'.
func (r *Records) Forget(key auditor.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[key]; e != nil {
		e.forgotten, e.next = true, nil
		delete(r.entries, key)
	}
}

// Run is operator.Records'.
func (r *Records) Run(ctx context.Context) {
	for ctx.Err() == nil {
		r.mu.Lock()
		var key auditor.Key
		var next *recorded
		for k, e := range r.entries {
			if e.next != nil && !e.due.IsZero() && (next == nil || e.due.Before(next.due)) {
				key, next = k, e
			}
		}
		pause := time.Hour
		var saved uint64
		if next != nil {
			pause, saved = time.Until(next.due), next.saved
		}
		r.mu.Unlock()
		if next != nil && pause <= 0 {
			_ = r.write(ctx, key, next, saved)
			_ = r.client.sleep(ctx, 50*time.Millisecond)
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-r.wake:
		}
		timer.Stop()
	}
}

// Flush is operator.Records'.
func (r *Records) Flush(ctx context.Context) error {
	type job struct {
		key   auditor.Key
		e     *recorded
		saved uint64
	}
	var jobs []job
	r.mu.Lock()
	for key, e := range r.entries {
		if e.next != nil {
			jobs = append(jobs, job{key, e, e.saved})
		}
	}
	r.mu.Unlock()
	var first error
	for _, j := range jobs {
		if err := r.write(ctx, j.key, j.e, j.saved); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func isSuperseded(err error) bool { return err != nil && errors.Is(err, record.ErrSuperseded) }

// write writes the newest state of a record, unless that was done.
func (r *Records) write(ctx context.Context, key auditor.Key, e *recorded, saved uint64) error {
	<-e.turn
	defer func() { e.turn <- struct{}{} }()
	r.mu.Lock()
	if e.refused != nil || e.next == nil || e.written >= saved {
		defer r.mu.Unlock()
		return e.refused
	}
	status, taken := record.StatusOf(*e.next), e.saved
	known, writer := e.known, e.knownWriter
	r.mu.Unlock()

	call, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := r.client.do(call, "update", "cronaudits", key.Name, func() error {
		s := r.client.server
		old := s.audits[Key(key)]
		cw := s.crons[Key(key)]
		switch {
		case old != nil && old.owner == status.ObservedUID:
			if (old.revision != known || old.writer != writer) && old.writer != r.client.name {
				return fmt.Errorf("record of CronWorkflow %s: %w", key, record.ErrSuperseded)
			}
		case cw == nil || cw.UID != status.ObservedUID:
			return fmt.Errorf("record of CronWorkflow %s: %w", key, record.ErrAnother)
		}
		next := &audit{owner: status.ObservedUID, writer: r.client.name, revision: 1, status: status}
		if old != nil {
			next.revision = old.revision + 1
		}
		s.audits[Key(key)] = next
		known, writer = next.revision, next.writer
		return nil
	})
	err = explain(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	done := func() {
		if e.saved == taken {
			e.next, e.due = nil, time.Time{}
		} else if e.next != nil {
			e.due = now().Add(time.Minute)
		}
	}
	switch {
	case err == nil:
		e.written, e.lastWrite, e.failures, e.known, e.knownWriter = taken, now(), 0, known, writer
		done()
	case isSuperseded(err):
		e.refused = err
		e.next, e.due = nil, time.Time{}
	case errors.Is(err, record.ErrAnother):
		e.written = taken
		done()
	default:
		if e.failures++; e.next != nil && !e.forgotten {
			e.due = now().Add(min(time.Second<<min(e.failures-1, 6), time.Minute))
			r.stir()
		}
	}
	return err
}

// State is what is on record of a CronWorkflow.
func (s *Server) State(key Key) (state auditor.State, ok bool) {
	s.mu.Lock()
	a := s.audits[key]
	s.mu.Unlock()
	if a == nil {
		return auditor.State{}, false
	}
	state, err := stateOf(auditor.Key(key), a)
	return state, err == nil
}
