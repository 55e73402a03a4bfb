package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/argo"
	"rollcall.dev/rollcall/internal/record"
)

// readRecords reads what the add-on has recorded of the CronWorkflows that were read from the cluster. The time to judge by is then
// that after it, so that no record seems to come from the future.
func (s *source) readRecords(ctx context.Context, e *evidence, scope argo.Scope) (map[auditor.Key]auditor.State, error) {
	if len(e.CronWorkflows) == 0 {
		return nil, nil
	}
	cfg, err := s.connection.config()
	if err != nil {
		return nil, err
	}
	states, notes := record.Read(ctx, record.Reading{
		Config: cfg, Version: buildVersion().Version, Namespaces: scope.Namespaces, Names: scope.Names, Now: e.client.Now(),
	})
	if ctx.Err() != nil {
		return nil, errors.New("interrupted")
	}
	e.Notes = append(e.Notes, notes...)
	e.Now = e.client.Now()
	return states, nil
}

// decodeRecords reads the records in a dump. The time to judge by is that of the newest where nothing else in the dump is newer.
func decodeRecords(e *evidence) map[auditor.Key]auditor.State {
	asked := map[auditor.Key]bool{}
	for _, observed := range e.CronWorkflows {
		asked[auditor.Key{Namespace: observed.CronWorkflow.Namespace, Name: observed.CronWorkflow.Name}] = true
	}
	states := map[auditor.Key]auditor.State{}
	for _, r := range e.Records {
		key, state, err := record.Decode(r.Object)
		if err != nil && !asked[key] {
			continue
		}
		if err != nil {
			e.Notes = append(e.Notes, fmt.Sprintf("%s: the record of CronWorkflow %s cannot be relied on and is not used: %v.", r.Where, key, err))
			continue
		}
		states[key] = state
		if taken := state.TakenAt(); taken.After(e.Now) {
			e.Now = taken
		}
	}
	return states
}

// recall adds to the evidence what is on record. A record that was taken after the time to judge by is left out: it would tell what
// was not known then. For one of a cluster that is judged at present there is no such time; clocks differ.
func (e *evidence) recall(states map[auditor.Key]auditor.State, present bool) {
	var later []string
	var newest time.Time
	for i := range e.CronWorkflows {
		observed := &e.CronWorkflows[i]
		key := auditor.Key{Namespace: observed.CronWorkflow.Namespace, Name: observed.CronWorkflow.Name}
		state, ok := states[key]
		if !ok || observed.Err != nil || state.UID != observed.CronWorkflow.UID {
			continue
		}
		if taken := state.TakenAt(); taken.After(e.now) && !present {
			later = append(later, key.String())
			if taken.After(newest) {
				newest = taken
			}
			continue
		}
		observed.Input = auditor.WithState(observed.Input, state, e.now, e.options)
	}
	switch n := len(later); {
	case n == 1:
		e.Notes = append(e.Notes, fmt.Sprintf("The record of CronWorkflow %s is not used: it was taken at %s, after the time of --now.", later[0], stamp(newest)))
	case n > 1:
		e.Notes = append(e.Notes, fmt.Sprintf("The records of %d CronWorkflows are not used: they were taken after the time of --now, up to %s.", n, stamp(newest)))
	}
}
