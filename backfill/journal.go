package backfill

import (
	"context"
	"slices"
	"time"
)

// Journal is told of a firing before its run may exist, and when its recovery has an outcome. It is called from the goroutine
// that carries the plan out. A dry run tells it nothing.
type Journal interface {
	// Intend is called once per attempt, before its first request that may make the firing's run or move lastScheduledTime to it;
	// it has to be on record when Intend returns. An error keeps the attempt from being made: nothing is written to the cluster,
	// and the firing is queued again as after a transient error. It is for the Journal to bound its own time.
	Intend(ctx context.Context, cronWorkflow Key, intent Intent) error
	// Moved is called right before each write of status.lastScheduledTime, repairs included: an auditor must not take the value
	// for Argo's.
	Moved(cronWorkflow Key, scheduled time.Time)
	// Ended is called once per plan with the outcome of every firing that the plan was to recover (also Left, Requeued and
	// Interrupted), after what follows from it was written, and of those that it leaves as GaveUp, see Step.Attempts. Where a
	// run may still turn up, that is at the end of Run.
	Ended(cronWorkflow Key, result Result)
}

// Intent is what an attempt is about to do.
type Intent struct {
	ScheduledTime time.Time
	// Attempt counts from 1, over all plans (see Step.Attempts).
	Attempt int
	// LastError is the last error so far, also of an earlier plan; nil when there was none.
	LastError error
}

// intend tells the Journal of the attempt, once. told says that it did, which may have taken a while.
func (w *work) intend(ctx context.Context, it *item) (told bool, err error) {
	if w.Journal == nil || it.intended {
		return false, nil
	}
	err = w.Journal.Intend(ctx, w.key, Intent{ScheduledTime: it.at, Attempt: it.result.Attempts, LastError: it.result.LastError})
	if err != nil {
		return false, &failure{requestIntend, err}
	}
	it.intended = true
	return true, nil
}

// moved tells the Journal of a write of lastScheduledTime that is about to be made.
func (w *work) moved(scheduled time.Time) {
	if w.Journal != nil {
		w.Journal.Moved(w.key, scheduled)
	}
}

// ended tells the Journal of an outcome, unless a run may still turn up and give the firing another one.
func (w *work) ended(it *item) {
	if it.result.Outcome.Recovered() || it.result.Creates == 0 {
		w.tellEnded(it.result)
	}
}

// endedAll tells the Journal of what it was not told yet.
func (w *work) endedAll() {
	for i := range w.report.Results {
		if r := &w.report.Results[i]; r.Planned || r.Outcome == GaveUp {
			w.tellEnded(r)
		}
	}
}

func (w *work) tellEnded(r *Result) {
	at := r.Finding.ScheduledTime.UTC()
	if w.Journal == nil || slices.ContainsFunc(w.told, at.Equal) {
		return
	}
	w.told = append(w.told, at)
	w.Journal.Ended(w.key, *r)
}
