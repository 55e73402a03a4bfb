package record

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/auditor"
)

// Load reads all records there are. What was saved and not written is dropped, and what another Rollcall has written is known
// from here on: it is for the start of a term as leader, before the first Save of it.
//
// A record that cannot be relied on is left out, with a line in the log, and replaced by the next Save. So are those of a namespace that
// may not be read, where there are others that may: a Save there fails, or has to Reload first.
func (s *Store) Load(ctx context.Context) (map[auditor.Key]auditor.State, error) {
	type record struct {
		version
		state auditor.State
		ok    bool
	}
	keep := func(key auditor.Key, i item) record {
		v, state, ok := s.judge(key, i)
		return record{v, state, ok}
	}
	namespaces := s.options.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	all, forbidden := map[auditor.Key]record{}, []error{}
	for _, namespace := range namespaces {
		some, err := readAll(ctx, s.api, []string{namespace}, keep)
		switch {
		case errors.Is(err, ErrForbidden):
			forbidden = append(forbidden, err)
		case err != nil:
			return nil, err
		}
		maps.Copy(all, some)
	}
	if len(forbidden) == len(namespaces) {
		return nil, errors.Join(forbidden...)
	}
	for _, err := range forbidden {
		s.log.Warn("the records of a namespace are not read", "error", err)
	}
	states := map[auditor.Key]auditor.State{}

	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		s.drop(e)
	}
	for key, r := range all {
		s.entry(key).know(r.version)
		if r.ok {
			states[key] = r.state
		}
	}
	return states, nil
}

// readAll reads the records of namespaces, of all when there are none, and keeps of each what keep makes of it.
func readAll[T any](ctx context.Context, from *api, namespaces []string, keep func(auditor.Key, item) T) (map[auditor.Key]T, error) {
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	kept := map[auditor.Key]T{}
	for _, namespace := range namespaces {
		where := "all namespaces"
		if namespace != "" {
			where = "namespace " + namespace
		}
		begin := func() {
			maps.DeleteFunc(kept, func(key auditor.Key, _ T) bool { return namespace == "" || key.Namespace == namespace })
		}
		err := from.list(ctx, namespace, begin, func(i item) {
			key := auditor.Key{Namespace: i.Metadata.Namespace, Name: i.Metadata.Name}
			kept[key] = keep(key, i)
		})
		if err != nil {
			return nil, explain(err, "read the records in %s", where)
		}
	}
	return kept, nil
}

// Reload reads one record again, so that it can be written after ErrSuperseded. What was saved and not written is dropped: the
// next state to save must know what the one returned knows. ok is false where there is no record that can be relied on.
func (s *Store) Reload(ctx context.Context, key auditor.Key) (state auditor.State, ok bool, err error) {
	s.mu.Lock()
	e := s.entry(key)
	s.mu.Unlock()
	select {
	case <-e.turn:
	case <-ctx.Done():
		return auditor.State{}, false, fmt.Errorf("read the record of CronWorkflow %s: %w", key, context.Cause(ctx))
	}
	defer func() { e.turn <- struct{}{} }()

	found, err := s.api.get(ctx, key)
	switch {
	case absent(err):
		e.know(version{})
		e.have = nil
	case err != nil:
		return auditor.State{}, false, explain(err, "read the record of CronWorkflow %s", key)
	default:
		var v version
		v, state, ok = s.judge(key, found)
		e.know(v)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.refused, e.next, e.written = nil, nil, e.saved
	s.dequeue(e)
	return state, ok, nil
}

// judge reads a record; ok says whether it can be relied on.
func (s *Store) judge(key auditor.Key, i item) (version, auditor.State, bool) {
	v, state, err := i.rely(s.options.Now())
	if err != nil {
		s.log.Warn("record cannot be relied on and is begun anew", "cronworkflow", key.String(), "error", err.Error())
	}
	return v, state, err == nil && state.UID != ""
}

// rely reads a record. An error says why it cannot be relied on at this time, zero for any; the version is good all the same. A record
// that was made and not written yet has no UID.
func (i item) rely(now time.Time) (version, auditor.State, error) {
	v, state, err := i.read()
	if err == nil && !now.IsZero() {
		err = ripe(state, now)
	}
	if err == nil && state.UID != "" && state.UID != v.owner {
		err = fmt.Errorf("it is of another CronWorkflow (UID %s) than its owner (UID %q)", state.UID, v.owner)
	}
	if err != nil {
		return v, auditor.State{}, err
	}
	return v, state, nil
}

// ripe is an error for a state that knows the future: no firing would be judged until then.
func ripe(s auditor.State, now time.Time) error {
	latest := now.Add(ahead)
	if s.AuditedThrough.After(latest) {
		return fmt.Errorf("status.auditedThrough is in the future")
	}
	for i, c := range s.Coverage {
		if c.To.After(latest) {
			return fmt.Errorf("status.record.coverage[%d] is in the future", i)
		}
	}
	return nil
}
