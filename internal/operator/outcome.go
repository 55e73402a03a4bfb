package operator

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/internal/record"
)

// outcome is what became of a job.
type outcome struct {
	// saving is why the record could not be written; nothing was done then.
	saving error
	report backfill.Report
	// touched says that the schedule was made to register anew; else again is when that may be done, if it had to wait, and
	// touching is why it failed.
	touched  bool
	again    time.Time
	touching error
}

// carryOut does a job. It is called outside of the roll's goroutine.
func (o *Operator) carryOut(ctx context.Context, j job) (done outcome) {
	if j.save {
		if done.saving = o.Records.Save(ctx, j.key, j.state, true); done.saving != nil {
			return done
		}
	}
	if j.touchFirst {
		if o.touch(ctx, j, &done); done.touched {
			done.again = o.now().Add(afterTouch) // Argo may be starting the newest
			return done
		}
	}
	switch {
	case j.works() && j.rehearse:
		done.report = o.rehearser.Run(ctx, j.plan)
	case j.works():
		done.report = o.executor.Run(ctx, j.plan)
	}
	recovered := slices.ContainsFunc(done.report.Results, func(r backfill.Result) bool { return r.Planned && r.Outcome.Recovered() })
	if j.touch != "" && !j.touchFirst && !recovered {
		o.touch(ctx, j, &done)
	}
	return done
}

// touch makes the schedule register anew.
func (o *Operator) touch(ctx context.Context, j job, done *outcome) {
	touched, hold, err := o.executor.Touch(ctx, j.id, j.touch)
	done.touched, done.again, done.touching = touched, hold.Until, err
	if touched {
		o.Log.Info("touched the CronWorkflow, so that Argo registers its schedule again", "cronworkflow", j.key.String(), "why", j.touch)
	}
}

// concluded takes in what became of a job, and says when to look after the CronWorkflow again.
func (r *roll) concluded(c *cron, j job, done outcome) {
	if r.busy[c.key.Namespace]--; r.busy[c.key.Namespace] == 0 {
		delete(r.busy, c.key.Namespace)
	}
	c.cancel = nil
	now := r.now()
	if len(r.due) > 0 {
		r.next = now // there is a place for the next
	}
	if r.crons[c.key] != c || c.cw.UID != j.id.UID {
		return
	}
	stirred := c.stirred
	if r.unsaved(c, done.saving, now) {
		return
	}
	c.saved = max(c.saved, j.lost)
	for _, result := range done.report.Results {
		if errors.Is(result.LastError, record.ErrSuperseded) {
			r.reread(c)
			return
		}
	}
	again := done.again
	if done.touching != nil {
		r.Log.Warn("the schedule could not be made to register anew", "cronworkflow", c.key.String(), "error", done.touching)
		again = now.Add(r.Timing.RetryMax)
	}
	switch {
	case j.touch != "" && done.touched:
		c.touches++
		c.hold = c.hold || j.touchFirst // its own news is no reason to begin
	case j.touch != "":
		c.touched = time.Time{}
	}
	if j.works() && (!j.touchFirst || !done.touched) {
		again = earlier(r.take(c, j, done.report, now), again)
	}
	switch {
	case !again.IsZero():
		r.schedule(c, later(again, now.Add(settle))) // whatever is said, never at once
	case c.concerns():
		r.schedule(c, now.Add(maxPoll)) // what keeps it may have passed by then
	}
	if stirred {
		r.stir(c, now)
	}
	r.show(c)
}

// take takes in what became of a plan, and says when it is worth making another; zero when nothing tells.
func (r *roll) take(c *cron, j job, report backfill.Report, now time.Time) (again time.Time) {
	again = report.Again
	progress, waits := false, false
	var blocked *backfill.Result
	tried := tried(j.plan)
	for _, result := range report.Results {
		if j.rehearse {
			r.tellRehearsal(c, result)
			continue
		}
		progress = progress || result.Outcome == backfill.Created
		waits = waits || result.Outcome == backfill.Requeued
		if result.Outcome == backfill.Blocked || result.Outcome == backfill.Requeued && lasting(result.LastError) {
			// The others were left because of the one that was tried, which knows the reason itself.
			if blocked == nil || tried(result) && !tried(*blocked) {
				blocked = &result
			}
		}
	}
	if blocked != nil {
		r.tellBlocked(c, *blocked)
	}
	if j.rehearse {
		return now.Add(maxPoll)
	}
	failing := failed(j.plan, report)
	if blocked == nil && (progress || failing || !waits) {
		c.blocked = "" // otherwise nothing was tried that could tell
	}
	r.alert(c, now)
	switch {
	case progress:
		c.polls = 0
	case failing:
		c.hold = true
	case !again.IsZero() && again.Before(now.Add(poll)):
		// Room, or a live firing: the watch tells of both.
		delay := min(poll<<min(c.polls, 10), maxPoll) / 2
		again = later(again, now.Add(delay+rand.N(delay)))
		c.polls++
	}
	if report.StatusError != nil {
		r.Log.Warn("the CronWorkflow's status is still to be repaired", "cronworkflow", c.key.String(), "error", report.StatusError)
	}
	if report.StatusError != nil || c.owes() {
		// The watch may be a moment behind; somebody who puts the old time back again and again is not to be fought.
		again = earlier(again, now.Add(r.doubled(c.repairs+1)))
		c.hold = true
		c.repairs++
	} else {
		c.repairs = 0
	}
	return again
}

// failed says whether something was tried that is to be tried again because of an error; not when it only waits for room.
func failed(plan backfill.Plan, report backfill.Report) bool {
	tried := tried(plan)
	return slices.ContainsFunc(report.Results, func(r backfill.Result) bool {
		return (r.Outcome == backfill.Blocked || r.Outcome == backfill.Requeued) && tried(r)
	})
}

// tried tells the results of firings that were tried since a plan was made.
func tried(plan backfill.Plan) func(backfill.Result) bool {
	before := map[time.Time]int{}
	for _, step := range plan.Steps {
		before[step.Finding.ScheduledTime] = step.Attempts
	}
	return func(r backfill.Result) bool { return r.Attempts > before[r.Finding.ScheduledTime] }
}

// noteResult notes what became of the recovery of one firing. That it has a run the watch tells too, but if that broke off, or is
// late, the run may have come and gone by then, and would be made a second time.
func (r *roll) noteResult(c *cron, result backfill.Result, now time.Time) {
	noted := auditor.Recovery{ScheduledTime: result.Finding.ScheduledTime, Attempts: result.Attempts, LastError: firstOf(result.Why)}
	if result.LastError != nil {
		noted.LastError = result.LastError.Error()
	}
	switch result.Outcome {
	case backfill.Requeued, backfill.Blocked, backfill.Interrupted:
		if result.Attempts == 0 {
			return
		}
	case backfill.GaveUp, backfill.Uncertain:
		noted.Ended = ended(result)
	case backfill.Created, backfill.AlreadyThere:
		if run := (auditor.Run{CreatedAt: result.CreatedAt, BackfilledBy: result.MadeBy}); !run.CreatedAt.IsZero() {
			if run.BackfilledBy == backfill.ByArgo {
				run.BackfilledBy = ""
			}
			r.watcher.NoteRan(c.key, result.Finding.ScheduledTime, run, now)
		}
		return
	default:
		return
	}
	r.watcher.NoteRecovery(c.key, noted, now)
}

// ended is the reason for which a recovery is given up; empty where what stands against it may pass: a suspended CronWorkflow is
// resumed, an edited schedule edited back.
func ended(result backfill.Result) auditor.Reason {
	switch {
	case result.Outcome == backfill.Uncertain:
		return auditor.Permanent
	case slices.Contains([]auditor.Reason{auditor.Permanent, auditor.NameTaken, auditor.DeadlinePassed}, result.Reason):
		return result.Reason
	}
	return ""
}
