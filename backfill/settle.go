package backfill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
)

// settleMost is how long after its time the watch over the status goes on while something is still owed to it.
const settleMost = 2 * time.Minute

var errStatusOwed = errors.New("the CronWorkflow's status could not be made to show the newest run")

// record writes to the status what it lacks of the run just made, with retries of its own: a conflict says to look again.
func (w *work) record(ctx context.Context, look Look, it *item) error {
	retries := delays(w.Timing.Retry, time.Minute)
	const mostConflicts = 10
	for failed, conflicts := 0, 0; ; {
		change, any := w.owed(look, it.at)
		if !any {
			return nil
		}
		err := w.change(ctx, look, change)
		if err == nil {
			return nil
		}
		conflict := apierrors.IsConflict(err)
		s := w.failed(it, err)
		if conflict {
			conflicts++
		} else {
			failed++
		}
		if s.Class != ClassTransient || failed > MaxRetries || conflicts > mostConflicts {
			it.log.Warn("the status is not written yet", "attempt", it.result.Attempts, "class", s.Class, "error", err)
			return err
		}
		delay := max(retries.NextBackOff(), s.RetryAfter)
		if conflict {
			delay = 0
		}
		w.retrying(it, s, delay, err)
		if err := sleep(ctx, delay); err != nil {
			return err
		}
		if again, err := w.look(ctx); err == nil {
			look = again
		}
		if hold := Quiet(look, w.Policy, w.Now()); hold.Decision == Wait {
			return fmt.Errorf("%s: %w", hold.Why, err) // repair makes up for it after the live firing
		}
	}
}

// change writes to the CronWorkflow.
func (w *work) change(ctx context.Context, look Look, change Change) error {
	ctx, cancel := context.WithTimeout(ctx, w.Timing.Call)
	defer cancel()
	if at := change.LastScheduledTime; !at.IsZero() {
		w.moved(at)
	}
	w.wrote = w.Now()
	if err := w.Submitter.Change(ctx, look, change); err != nil {
		return &failure{requestChange, err}
	}
	attrs := []any{}
	if !change.LastScheduledTime.IsZero() {
		attrs = append(attrs, "last_scheduled_time", change.LastScheduledTime.UTC().Format(time.RFC3339))
	}
	if change.Append != nil {
		attrs = append(attrs, "appended", change.Append.Name)
		if t, ok := auditor.ScheduledTimeOf(w.key.Name, change.Append.Name); ok {
			w.appends[t]++
		}
	}
	if !change.Intend.IsZero() {
		attrs = append(attrs, "intended", change.Intend.UTC().Format(time.RFC3339))
	}
	w.log.Info("status written", attrs...)
	return nil
}

// mostAppends is how often one run is appended to status.active. Argo takes runs out again that it does not count; each write
// has it register the schedule anew, so that is not to become a fight.
const mostAppends = 2

// owed is what the status lacks at this look; the run of first is to be appended before any other.
func (w *work) owed(look Look, first ...time.Time) (Change, bool) {
	appendable := slices.DeleteFunc(slices.Concat(first, w.seen), func(t time.Time) bool { return w.appends[t] >= mostAppends })
	return owed(look, w.seen, appendable)
}

// repair writes what the status lacks of runs that were seen, outside the quiet zone and, where somebody puts that back again
// and again, more and more seldom. Otherwise it stays owed, and hold says until when.
func (w *work) repair(ctx context.Context, look Look) (wrote bool, hold Admission, err error) {
	w.unchecked = false
	change, any := w.owed(look)
	if !any {
		w.owing = nil
		return false, pass, nil
	}
	now := w.Now()
	hold = Quiet(look, w.Policy, now)
	if again := w.repaired.Add(min(w.Timing.SettleEvery<<min(w.repairs, 10), w.Timing.RequeueMax)); hold.Decision != Wait && now.Before(again) {
		hold = wait(again, "Somebody has put back what was written to its status.")
		if w.lastError != nil {
			hold = wait(again, "The last write to its status failed: %v", w.lastError)
		}
	}
	if hold.Decision == Wait {
		w.owing, w.owingUntil = fmt.Errorf("%w: %s", errStatusOwed, hold.Why), hold.Until
		return false, hold, nil
	}
	w.repaired = now
	w.repairs++
	if w.lastError = w.change(ctx, look, change); w.lastError != nil {
		err := w.lastError
		w.owing, w.owingUntil = fmt.Errorf("%w: %w", errStatusOwed, err), w.comeBackAfter(err)
		return false, pass, err
	}
	w.owing = nil
	return true, pass, nil
}

// notice sees which of the watched runs exist, and which of those that are still to be recovered exist already.
func (w *work) notice(look Look) {
	for _, it := range w.queue {
		if run, ok := runOf(look, w.key, it.at); ok {
			if w.sighted == nil {
				w.sighted = map[time.Time]auditor.Run{}
			}
			w.sighted[it.at] = run
		}
	}
	for _, t := range w.watched {
		if _, ok := runOf(look, w.key, t); ok {
			w.see(t)
		}
	}
}

// settle watches the status until it has stayed right for SettleFor after the last write: Argo sends no resourceVersion with its
// own writes and may put an older lastScheduledTime back. A run that turns up late gives its firing another outcome.
func (w *work) settle(ctx context.Context) {
	if slices.ContainsFunc(w.watched, w.mayExist) && !w.report.Interrupted {
		if w.Patience > 0 {
			w.checkStatus(ctx)
		} else {
			w.watchStatus(ctx)
		}
	}
	w.report.StatusError = w.owing
	if w.Patience > 0 && w.owing != nil {
		w.comeBack(w.owingUntil)
	}
}

// mayExist says whether a run of this plan's may exist: there is nothing to watch after creates that were all refused.
func (w *work) mayExist(t time.Time) bool {
	i := slices.IndexFunc(w.items, func(it *item) bool { return it.at.Equal(t) })
	return i < 0 || !w.items[i].sent.IsZero() || slices.ContainsFunc(w.seen, t.Equal)
}

// checkStatus looks once, where no look has been made since the status may owe something: the caller watches it by himself, and
// comes back.
func (w *work) checkStatus(ctx context.Context) {
	if !w.unchecked {
		return
	}
	_, _, err := w.check(ctx)
	switch {
	case ctx.Err() != nil:
		w.report.Interrupted = true
	case apierrors.IsNotFound(err):
		w.owing = nil // with the CronWorkflow its schedule is gone
	case err != nil:
		s := w.sort(err)
		w.metrics.failure(w.key, s.Class)
		w.log.Warn("the status could not be checked", "class", s.Class, "retry_after", s.RetryAfter, "error", err)
	}
}

func (w *work) watchStatus(ctx context.Context) {
	w.requeue.Reset()
	most := w.Now().Add(w.Timing.SettleFor + settleMost)
	last := ""
	for told := false; ; told = true {
		look, wrote, err := w.check(ctx)
		switch {
		case ctx.Err() != nil:
			w.report.Interrupted = true
			return
		case apierrors.IsNotFound(err):
			w.owing = nil // with the CronWorkflow its schedule is gone
			return
		}
		pause, now := w.Timing.SettleEvery, w.Now()
		if err != nil {
			s := w.sort(err)
			w.metrics.failure(w.key, s.Class)
			if last != err.Error() {
				last = err.Error()
				w.log.Warn("the status could not be checked", "class", s.Class, "retry_after", s.RetryAfter, "error", err)
			}
			if s.Class != ClassTransient {
				most = earlier(most, w.Now().Add(w.Timing.SettleFor))
			}
			pause = max(pause, w.requeue.NextBackOff(), s.RetryAfter)
		}
		end := later(w.wrote, w.newest(look)).Add(w.Timing.SettleFor)
		if !told {
			w.Observer.Observe(Event{Kind: Settling, CronWorkflow: w.key, Until: end})
		}
		if w.owing == nil && !wrote && !now.Before(end) {
			return
		}
		if !now.Before(most) {
			if wrote {
				w.owing = fmt.Errorf("%w: somebody puts back again and again what is written to it", errStatusOwed)
			}
			return
		}
		if sleep(ctx, pause) != nil {
			w.report.Interrupted = true
			return
		}
	}
}

// check looks once and writes what is owed; what could not be written stays in owing.
func (w *work) check(ctx context.Context) (look Look, wrote bool, err error) {
	if look, err = w.look(ctx); err != nil {
		if w.owing == nil {
			w.owing = fmt.Errorf("%w: %w", errStatusOwed, err)
		}
		w.owingUntil = w.comeBackAfter(err)
		return Look{}, false, err
	}
	w.turnedUp(look)
	wrote, _, err = w.repair(ctx, look)
	return look, wrote, err
}

// turnedUp gives firings whose create was given up without knowing its outcome a better one.
func (w *work) turnedUp(look Look) {
	for _, it := range w.items {
		r := it.result
		run, ok := runOf(look, w.key, it.at)
		if !ok || r.Outcome.Recovered() || r.Creates == 0 {
			continue
		}
		r.Outcome, r.Reason, r.UID, r.CreatedAt, r.MadeBy = AlreadyThere, "", run.UID, run.CreatedAt, madeBy(run)
		if run.BackfilledBy == w.Policy.By {
			r.Outcome = Created
		}
		r.Why = []string{"No answer told of its run, but it has turned up."}
		it.log.Info("run turned up", "outcome", r.Outcome, "workflow", r.Workflow, "uid", r.UID, "made_by", r.MadeBy)
	}
}

// newest is when the newest of the seen runs was created.
func (w *work) newest(look Look) (created time.Time) {
	for _, t := range w.seen {
		if run, ok := runOf(look, w.key, t); ok {
			created = later(created, run.CreatedAt)
		}
	}
	return created
}
