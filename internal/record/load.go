package record

import (
	"context"
	"fmt"
	"maps"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// Load reads all records there are. What was saved and not written is dropped, and what another Rollcall has written is known
// from here on: it is for the start of a term as leader, before the first Save of it.
//
// A record that cannot be relied on is left out, with a line in the log, and replaced by the next Save.
func (s *Store) Load(ctx context.Context) (map[auditor.Key]auditor.State, error) {
	namespaces := s.options.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	states := map[auditor.Key]auditor.State{}
	versions := map[auditor.Key]version{}
	for _, namespace := range namespaces {
		where := "all namespaces"
		if namespace != "" {
			where = "namespace " + namespace
		}
		begin := func() {
			inHere := func(key auditor.Key) bool { return namespace == "" || key.Namespace == namespace }
			maps.DeleteFunc(states, func(key auditor.Key, _ auditor.State) bool { return inHere(key) })
			maps.DeleteFunc(versions, func(key auditor.Key, _ version) bool { return inHere(key) })
		}
		err := s.api.list(ctx, namespace, begin, func(i item) {
			key := auditor.Key{Namespace: i.Metadata.Namespace, Name: i.Metadata.Name}
			v, state, ok := s.judge(key, i)
			versions[key] = v
			if ok {
				states[key] = state
			}
		})
		if err != nil {
			return nil, explain(err, "read the records in %s", where)
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		s.drop(e)
	}
	for key, v := range versions {
		s.entry(key).know(v)
	}
	return states, nil
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
	v, state, err := i.read()
	if err == nil {
		err = ripe(state, s.options.Now())
	}
	switch {
	case err != nil:
		s.log.Warn("record cannot be relied on and is begun anew", "cronworkflow", key.String(), "error", err.Error())
	case state.UID == "": // made and not written yet
	case state.UID != v.owner:
		s.log.Warn("record is of another CronWorkflow than its owner and is begun anew", "cronworkflow", key.String(), "uid", state.UID, "owner", v.owner)
	default:
		return v, state, true
	}
	return v, auditor.State{}, false
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
