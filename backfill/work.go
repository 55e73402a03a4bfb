package backfill

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"

	"rollcall.dev/rollcall/auditor"
)

// work is the carrying out of one plan.
type work struct {
	Options
	metrics *metrics
	spread  *spread
	key     Key
	plan    Plan
	log     *slog.Logger
	report  Report
	queue   []*item
	items   []*item
	// requeue are the delays between attempts; it starts over whenever a run is made.
	requeue *backoff.ExponentialBackOff
	// watched are the scheduled times whose runs may be this plan's; seen are those whose runs were seen to exist.
	watched, seen []time.Time
	// sighted are the runs of scheduled times still to be recovered, by whoever's hand, that were seen to exist at some look.
	sighted map[time.Time]auditor.Run
	*upkeep
	// unchecked says that the status may owe something that no look has shown yet.
	unchecked bool
	// progress is when the last run was made or the work began, wrote when something was last written.
	progress, wrote time.Time
	// owing is why the status could not be made to show a run; nil when it was seen to, or nothing was owed. owingUntil is when
	// another try is worth it.
	owing      error
	owingUntil time.Time
	// waiting is when the present stretch of waiting began; zero when an item has got an outcome since.
	waiting time.Time
	// permitted says that the status may be written, as far as permissions go.
	permitted bool
	// blocked is how many attempts in a row somebody has to act for.
	blocked int
	// told are the scheduled times of whose outcomes the Journal was told.
	told []time.Time
	// waitingFor is what was last said of a wait.
	waitingFor string
	// audited is when the audit was made that the queue rests on; replanned says that it is not the plan's any more. acted says that
	// something was sent to recover a firing.
	audited   time.Time
	replanned bool
	acted     bool
}

// item is one firing to recover.
type item struct {
	step   Step
	at     time.Time
	log    *slog.Logger
	result *Result
	// begun says that the present attempt has been counted.
	begun bool
	// intended says that the Journal has the present attempt on record.
	intended bool
	// failing is when it first failed since the API server last answered; zero when it did not.
	failing time.Time
	// sent is when the first create was sent whose answer does not tell whether it was carried out; zero when there is none.
	sent time.Time
	// pending is what the item has to wait for before it is tried again.
	pending pending
	// placed says that the global limit has let the next create pass.
	placed bool
	// absent is when the run was last known not to have been, and passed what the status said then of Argo's last run.
	absent, passed time.Time
	// standing is what the newest audit says of it, whyNot a sentence where it is not still lost.
	standing standing
	whyNot   string
}

func newWork(e *Executor, plan Plan) *work {
	o := e.options
	now := o.Now()
	w := &work{
		Options: o, metrics: e.metrics, spread: e.spread, key: plan.CronWorkflow, plan: plan, progress: now, audited: plan.MadeAt, upkeep: e.upkeeps.of(plan.CronWorkflow, o.Patience > 0, now),
		log:     o.Log.With("cronworkflow", plan.CronWorkflow.String()),
		requeue: delays(o.Timing.Requeue, o.Timing.RequeueMax),
		report:  Report{CronWorkflow: plan.CronWorkflow, Results: make([]Result, len(plan.Steps))},
	}
	w.Policy.ArgoAway = plan.ArgoAway
	results := map[time.Time]*Result{}
	for i, s := range plan.Steps {
		r := &w.report.Results[i]
		*r = Result{
			Finding: s.Finding, Planned: s.Recover, Workflow: auditor.WorkflowName(w.key.Name, s.Finding.ScheduledTime),
			Attempts: s.Attempts, LastError: s.lastError(),
		}
		results[s.Finding.ScheduledTime.UTC()] = r
		if s.Recover {
			continue
		}
		r.Outcome, r.Reason, r.Why = Left, s.Reason, []string{s.Why}
		switch {
		case s.Finding.Verdict.Ran():
			r.Outcome = AlreadyThere
		case s.triedInVain(now):
			r.Outcome, r.Reason = GaveUp, auditor.DeadlinePassed
			if s.Reason != auditor.DeadlinePassed {
				r.Why = append(r.Why, tooLate(s.Deadline, o.Policy, now).why)
			}
		}
		if s.Finding.Verdict == auditor.Backfilled {
			w.watch(s.Finding.ScheduledTime)
			if o.Patience > 0 {
				// Made by the plan before this one, it may have ended and be deleted by now; its time is owed all the same, or
				// Argo runs the firing again.
				w.see(s.Finding.ScheduledTime)
			}
		}
	}
	for _, s := range plan.ToRecover() {
		at := s.Finding.ScheduledTime.UTC()
		w.queue = append(w.queue, &item{
			step: s, at: at, result: results[at], log: w.log.With("firing", at.Format(time.RFC3339)),
			absent: plan.MadeAt, passed: plan.LastScheduledTime, standing: stillLost,
		})
	}
	if o.Patience > 0 && !plan.OneAtATime {
		// Not all of them may come to be tried, and no plan is to begin with the same ones again.
		slices.SortStableFunc(w.queue, func(a, b *item) int { return cmp.Compare(a.step.Attempts, b.step.Attempts) })
	}
	w.items = slices.Clone(w.queue)
	// Otherwise the first attempt looks.
	w.unchecked = len(w.watched) > 0 && (len(w.queue) == 0 || plan.OwesStatus())
	return w
}

// turn is how an attempt left the queue.
type turn struct {
	// again is the delay before the next attempt, which item.pending says too; 0 when the item is done.
	again time.Duration
	// halt says that nothing more is to be tried.
	halt bool
}

// recover takes the queue down, one create at a time.
func (w *work) recover(ctx context.Context) {
	for len(w.queue) > 0 {
		if !w.turnToNext(ctx) {
			return
		}
		it := w.queue[0]
		t := w.attempt(ctx, it)
		if t.halt {
			return
		}
		if t.again == 0 {
			w.queue = w.queue[1:]
			continue
		}
		// Nothing else is created while it is not known whether this one was.
		if !w.plan.OneAtATime && it.sent.IsZero() {
			w.queue = append(w.queue[1:], it)
		}
		if w.Patience == 0 && sleep(ctx, t.again) != nil {
			w.interrupt()
			return
		}
	}
}

// leaveRest gives all that is still in the queue the same outcome, but for what is not settled.
func (w *work) leaveRest(outcome Outcome, reason auditor.Reason, why string) turn {
	for _, it := range w.queue {
		switch {
		case it.result.Outcome != "":
		case !it.sent.IsZero():
			w.finish(it, Uncertain, NotSettled, "A create may have been carried out, and that could not be found out.", why)
		default:
			w.finish(it, outcome, reason, why)
		}
	}
	w.queue = nil
	return turn{halt: true}
}

// interrupt ends the work for the user.
func (w *work) interrupt() turn {
	w.report.Interrupted = true
	for _, it := range w.queue {
		if it.result.Outcome == "" && !it.sent.IsZero() {
			w.finish(it, Interrupted, Stopping, "Interrupted after a create without an answer: the run may exist. The same command again finds out and completes it.")
		}
	}
	return w.leaveRest(Interrupted, Stopping, "Interrupted before it was created; the same command again recovers it.")
}

// begin counts the attempt, once.
func (w *work) begin(it *item) {
	if it.begun {
		return
	}
	it.begun = true
	it.result.Attempts++
	it.log.Info("attempt begins", "attempt", it.result.Attempts)
	w.Observer.Observe(Event{Kind: Trying, CronWorkflow: w.key, Finding: it.step.Finding, Attempt: it.result.Attempts})
}

// endAttempt counts what a begun attempt ended in.
func (w *work) endAttempt(it *item, outcome Outcome) {
	it.intended = false
	if it.begun {
		it.begun = false
		w.metrics.attempt(w.key, outcome)
	}
}

// finish gives the item its outcome.
func (w *work) finish(it *item, outcome Outcome, reason auditor.Reason, why ...string) turn {
	r := it.result
	r.Outcome, r.Reason, r.Why = outcome, reason, why
	w.endAttempt(it, outcome)
	w.waiting = time.Time{}
	level := slog.LevelWarn
	switch {
	case outcome == Requeued, w.Patience > 0 && outcome == Blocked && r.Attempts == it.step.Attempts:
		// An attempt that failed has been told of, and plans follow one another by the minute.
		level = slog.LevelDebug
	case outcome.Recovered() || outcome == WouldCreate:
		level = slog.LevelInfo
	}
	attrs := []any{"outcome", outcome, "attempt", r.Attempts, "creates", r.Creates, "workflow", r.Workflow}
	if reason != "" {
		attrs = append(attrs, "reason", reason)
	}
	if r.UID != "" {
		attrs = append(attrs, "uid", r.UID, "made_by", r.MadeBy)
	}
	if r.LastError != nil && !outcome.Recovered() {
		attrs = append(attrs, "error", r.LastError)
	}
	it.log.Log(context.Background(), level, "firing finished", attrs...)
	w.Observer.Observe(Event{Kind: Finished, CronWorkflow: w.key, Finding: it.step.Finding, Attempt: r.Attempts, Result: *r})
	w.ended(it)
	return turn{}
}

// exists gives the item the outcome of having a run.
func (w *work) exists(it *item, run auditor.Run, more ...string) turn {
	w.watch(it.at)
	w.see(it.at)
	w.progress, w.blocked = w.Now(), 0
	w.requeue.Reset()
	r := it.result
	r.UID, r.CreatedAt, r.MadeBy = run.UID, run.CreatedAt, madeBy(run)
	outcome, why := AlreadyThere, ""
	switch {
	case r.Creates > 0 && run.BackfilledBy == w.Policy.By:
		outcome = Created
		if !it.sent.IsZero() {
			why = "The answer to the create was lost or unclear, but the run exists."
		}
	case run.BackfilledBy == "":
		why = noLongerLost("Argo")
	default:
		why = noLongerLost(fmt.Sprintf("Rollcall (%s)", run.BackfilledBy))
	}
	if why != "" {
		more = append([]string{why}, more...)
	}
	return w.finish(it, outcome, "", more...)
}

// ByArgo is Result.MadeBy of a run that Rollcall did not make.
const ByArgo = "argo"

// madeBy is who made a run: Argo, or the value of its label.
func madeBy(run auditor.Run) string { return cmp.Or(run.BackfilledBy, ByArgo) }

// limit is when to stop trying: the starting deadline or, where none counts, RetryFor after the first of a series of errors.
func (w *work) limit(it *item) (end time.Time, reason auditor.Reason) {
	if !it.step.Deadline.IsZero() {
		return it.step.Deadline, auditor.DeadlinePassed
	}
	first := it.failing
	if first.IsZero() { // it is not the API server that fails
		first = w.Now()
	}
	return first.Add(w.Timing.RetryFor), RetriesEnded
}

func (w *work) watch(t time.Time) { w.watched = add(w.watched, t.UTC()) }

func (w *work) see(t time.Time) { w.seen = add(w.seen, t.UTC()) }

func add(times []time.Time, t time.Time) []time.Time {
	if slices.ContainsFunc(times, t.Equal) {
		return times
	}
	return append(times, t)
}
