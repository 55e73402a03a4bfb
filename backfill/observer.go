package backfill

import (
	"time"

	"rollcall.dev/rollcall/auditor"
)

// Observer is told how an Executor gets on, for a progress bar or lines. It is called from the goroutine that does the work,
// with RunAll from several, and must not block.
type Observer interface {
	Observe(Event)
}

// EventKind is what happened. The zero value is no event.
type EventKind string

const (
	// Waiting: nothing is created before Event.Until, because of Event.Why. Said once per reason.
	Waiting EventKind = "waiting"
	// Trying: an attempt begins.
	Trying EventKind = "trying"
	// Retrying: a request failed with Event.Err and is sent again at Event.Until.
	Retrying EventKind = "retrying"
	// Finished: Event.Result is final.
	Finished EventKind = "finished"
	// Settling: all is done but to see until Event.Until that the status stays right.
	Settling EventKind = "settling"
)

// Event is one step.
type Event struct {
	Kind         EventKind
	CronWorkflow Key
	// Finding is the firing that it is about; zero for Settling.
	Finding auditor.Finding
	Attempt int
	Until   time.Time
	Why     string
	Err     error
	// Result is set for Finished.
	Result Result
}

type nobody struct{}

func (nobody) Observe(Event) {}
