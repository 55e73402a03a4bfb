package record

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

// write writes the newest state of a record, unless the one that is meant, or a newer one, has been written meanwhile. What
// could not be written is queued again.
func (s *Store) write(ctx context.Context, e *entry, saved uint64) error {
	select {
	case <-e.turn:
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		s.again(e, time.Now())
		return fmt.Errorf("write the record of CronWorkflow %s: %w", e.key, context.Cause(ctx))
	}
	defer func() { e.turn <- struct{}{} }()

	s.mu.Lock()
	if e.refused != nil || e.next == nil || e.written >= saved {
		defer s.mu.Unlock()
		return e.refused
	}
	status, taken := *e.next, e.saved
	s.mu.Unlock()

	err := s.put(ctx, e, status)

	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil:
		e.written, e.lastWrite, e.failures = taken, now, 0
		s.done(e, taken)
		s.again(e, now.Add(s.timing.Every))
		return nil
	case errors.Is(err, ErrSuperseded):
		e.refused = err
		s.done(e, e.saved)
	case errors.Is(err, ErrAnother):
		e.written = taken
		s.done(e, taken)
		s.again(e, now)
	default:
		e.failures++
		s.again(e, now.Add(s.backoff(e.failures)))
	}
	s.options.WriteFailed()
	return err
}

// done forgets what was to be written unless there is something newer; call it with mu.
func (s *Store) done(e *entry, taken uint64) {
	if e.saved == taken {
		e.next = nil
		s.dequeue(e)
	}
}

// again has an entry written later where there is something to write; call it with mu.
func (s *Store) again(e *entry, due time.Time) {
	if e.next != nil && !e.forgotten {
		s.enqueue(e, due)
	}
}

// maxSteps bounds how often one write adapts to what it finds. A record that exists unread, is of a former CronWorkflow, changes
// while it is adopted, is deleted when it has been and is made by somebody else takes seven.
const maxSteps = 8

// put replaces the status in the API server, and makes the CronAudit where there is none; call it with the entry's turn.
func (s *Store) put(ctx context.Context, e *entry, status v1alpha1.CronAuditStatus) error {
	for range maxSteps {
		switch {
		case e.have == nil:
			made, err := s.api.create(ctx, e.key, status.ObservedUID)
			switch {
			case err == nil:
				e.have = &made
			case apierrors.IsAlreadyExists(err):
				if _, err := s.find(ctx, e, status.ObservedUID); err != nil {
					return err
				}
			default:
				return explain(err, "create the record of CronWorkflow %s", e.key)
			}
		case e.have.owner != status.ObservedUID:
			if err := s.adopt(ctx, e, status.ObservedUID); err != nil {
				return err
			}
		default:
			if err := s.superseded(e, *e.have, status.ObservedUID); err != nil {
				return err // it was found when a write for a former CronWorkflow failed
			}
			status.Revision, status.WrittenBy = e.have.revision+1, s.writer
			var before []metav1.Condition
			if e.have.of == status.ObservedUID {
				before = e.have.conditions
			}
			setConditions(&status, before, s.options.Now())
			written, err := s.api.replace(ctx, e.key, *e.have, status)
			switch {
			case err == nil:
				e.know(written)
				return nil
			case absent(err):
				e.have = nil
			case apierrors.IsConflict(err):
				if _, err := s.find(ctx, e, status.ObservedUID); err != nil {
					return err
				}
			default:
				return explain(err, "write the record of CronWorkflow %s", e.key)
			}
		}
	}
	return fmt.Errorf("write the record of CronWorkflow %s: somebody else changes it all the time", e.key)
}

// know takes a version for the one to write on.
func (e *entry) know(v version) {
	e.have, e.known = &v, v.knowledge()
}

// find reads a record that is not as it was expected. It is an error when another Rollcall has written this CronWorkflow's
// record since it was read here; whatever else has changed it is no reason not to write.
func (s *Store) find(ctx context.Context, e *entry, uid string) (item, error) {
	found, err := s.api.get(ctx, e.key)
	if absent(err) {
		e.have = nil
		return item{}, nil
	}
	if err != nil {
		return item{}, explain(err, "read the record of CronWorkflow %s", e.key)
	}
	v, _, _ := found.read()
	if err := s.superseded(e, v, uid); err != nil {
		return item{}, err
	}
	e.have = &v
	return found, nil
}

// superseded says whether another Rollcall has written this CronWorkflow's record since it was read here.
func (s *Store) superseded(e *entry, v version, uid string) error {
	if v.of != uid || v.knowledge() == e.known || v.writer == s.writer {
		return nil
	}
	return fmt.Errorf("record of CronWorkflow %s: %w: it has revision %d by %q, and here revision %d by %q was known",
		e.key, ErrSuperseded, v.revision, v.writer, e.known.revision, e.known.writer)
}

// adopt makes the record of another CronWorkflow of the name, or one without an owner, that of the CronWorkflow with this UID, if
// it is the other one that is gone. What it says is replaced by the next write; until then it is of another CronWorkflow than its
// owner, and nobody relies on it.
func (s *Store) adopt(ctx context.Context, e *entry, uid string) error {
	// It is read first: whoever adopts it for a CronWorkflow that comes after the one that is live now makes a newer version.
	found, err := s.find(ctx, e, uid)
	if err != nil || e.have == nil || e.have.owner == uid {
		return err
	}
	live, err := s.api.cronWorkflow(ctx, e.key)
	switch {
	case absent(err):
		return fmt.Errorf("record of CronWorkflow %s: %w: it does not exist", e.key, ErrAnother)
	case err != nil:
		return explain(err, "read CronWorkflow %s, whose record is of another one", e.key)
	case live != uid:
		return fmt.Errorf("record of CronWorkflow %s: %w: its UID is %s, that of the state %s", e.key, ErrAnother, live, uid)
	}
	adopted, err := s.api.adopt(ctx, e.key, found, uid)
	switch {
	case err == nil:
		e.have = &adopted
		return nil
	case absent(err):
		e.have = nil
		return nil
	case apierrors.IsConflict(err):
		return nil // it is read again
	}
	return explain(err, "adopt the record of CronWorkflow %s, which is of a former one and is begun anew once it is deleted", e.key)
}
