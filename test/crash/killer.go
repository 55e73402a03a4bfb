package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/internal/operator"
)

// point is between two writes of a recovery.
type point string

const (
	// intentRecorded: the record that a firing is about to be tried has been written, and nothing else.
	intentRecorded point = "intent-recorded"
	// created: the run has been made.
	created point = "created"
	// schedulePatched: lastScheduledTime has been moved; before the create under Replace, after it otherwise.
	schedulePatched point = "schedule-patched"
	// resultRecorded: the record that the firing was made up for has been written.
	resultRecorded point = "result-recorded"
)

var points = []point{intentRecorded, created, schedulePatched, resultRecorded}

func (p point) validate() error {
	if !slices.Contains(points, p) {
		return fmt.Errorf("%q is none of %v", string(p), points)
	}
	return nil
}

// killer ends the process.
type killer struct {
	at  point
	log *slog.Logger
}

// reached ends the process if this is the point.
func (k *killer) reached(p point) {
	if p != k.at {
		return
	}
	k.log.Info("dying", "at", string(p), "time", time.Now())
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // nothing more is done in the moment that takes
}

// submitter tells the killer of what has been written to Argo's objects.
type submitter struct {
	backfill.Submitter
	killer *killer
}

func (s submitter) Create(ctx context.Context, look backfill.Look, run backfill.NewRun) (auditor.Run, error) {
	made, err := s.Submitter.Create(ctx, look, run)
	if err == nil {
		s.killer.reached(created)
	}
	return made, err
}

func (s submitter) Change(ctx context.Context, look backfill.Look, change backfill.Change) error {
	err := s.Submitter.Change(ctx, look, change)
	if err == nil && !change.LastScheduledTime.IsZero() {
		s.killer.reached(schedulePatched)
	}
	return err
}

// records tells the killer of what has been recorded.
type records struct {
	operator.Records
	killer *killer
}

func (r records) Save(ctx context.Context, key auditor.Key, state auditor.State, urgent bool) error {
	err := r.Records.Save(ctx, key, state, urgent)
	if err != nil || !urgent {
		return err
	}
	backfilled := slices.ContainsFunc(state.Record.Runs, func(run auditor.RecordedRun) bool { return run.Verdict == auditor.Backfilled })
	tried := slices.ContainsFunc(state.Record.Recoveries, func(recovery auditor.Recovery) bool { return recovery.Attempts > 0 })
	switch {
	case backfilled:
		r.killer.reached(resultRecorded)
	case tried:
		r.killer.reached(intentRecorded)
	}
	return nil
}
