package operator

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// recovery is how the recovery of one CronWorkflow stands.
type recovery struct {
	// open are its firings that are Missed; outstanding says that there are these, or others whose verdict is not final.
	open        []auditor.Finding
	outstanding bool
	// lost counts verdicts that have to be on record before anything is done about them, saved up to which of them are.
	lost, saved int
	// due is when to look after it; zero for never. hold says that nothing that is seen makes it earlier, but for an edit.
	due  time.Time
	hold bool
	// cancel ends what is under way; nil when nothing is. stirred says that something was seen meanwhile.
	cancel  context.CancelFunc
	stirred bool
	// failures counts records that could not be written in a row, repairs the status writes owed in a row, polls the times that
	// there was no room in a row.
	failures, repairs, polls int
	// touched is when the schedule was last made to register anew, touches how often since it last moved.
	touched time.Time
	touches int
}

const (
	// settle is how long to wait for more after something was seen.
	settle = 200 * time.Millisecond
	// poll is how far ahead the next look of a recovery is, at the most, that waits for what may happen at any time. The watch
	// tells of that too, so after each such look the next one is twice as far, up to maxPoll.
	poll    = 6 * time.Second
	maxPoll = time.Minute
	// touchAgain is how soon the schedule of a CronWorkflow is made to register anew a second time where the first was in vain, touchEvery
	// how often at the most after some more.
	touchAgain = 50 * time.Second
	touchEvery = 10 * time.Minute
	// afterTouch is how long nothing is recovered after a touch: what Argo then starts has to be seen first.
	afterTouch = 5 * time.Second
)

func (c *cron) id() backfill.Key {
	return backfill.Key{Namespace: c.key.Namespace, Name: c.key.Name, UID: c.cw.UID}
}

// owes says that Rollcall made a run that the status does not show: until it does, Argo may not fire the schedule again.
func (c *cron) owes() bool { return c.backfilled.After(c.cw.Status.LastScheduledTime) }

// concerns says whether there is anything to look after.
func (c *cron) concerns() bool {
	return len(c.open) > 0 || c.lost > c.saved || c.owes() || c.stuck != "" || !c.unscheduled.IsZero()
}

// recoverable are the open firings that are certainly missed: what is only likely missed is not recovered, so nothing blocks it.
func (c *cron) recoverable() []auditor.Finding {
	return slices.DeleteFunc(slices.Clone(c.open), func(f auditor.Finding) bool { return f.Certainty != auditor.Certain })
}

// stir looks after a recovery soon, since something was seen that may make room for it.
func (r *roll) stir(c *cron, now time.Time) {
	switch {
	case r.term == nil || !c.concerns():
	case c.cancel != nil:
		c.stirred = true
	case !c.hold:
		r.schedule(c, now.Add(settle))
	}
}

// attend looks after a recovery soon, whatever it was waiting for.
func (r *roll) attend(c *cron, now time.Time) {
	c.hold, c.polls = false, 0
	r.stir(c, now)
}

// schedule looks after a recovery at some time, or earlier if that is so already.
func (r *roll) schedule(c *cron, at time.Time) {
	if r.term == nil || !c.due.IsZero() && !at.Before(c.due) {
		return
	}
	c.due = at
	r.due[c.key] = c
	if r.next.IsZero() || at.Before(r.next) {
		r.next = at
	}
}

// abandon ends what is under way for a CronWorkflow, and plans nothing.
func (r *roll) abandon(c *cron) {
	if c.cancel != nil {
		c.cancel()
	}
	delete(r.due, c.key)
	c.recovery = recovery{cancel: c.cancel}
}

// recover begins the recoveries that are due, as far as there are places. What takes no place waits for none, or what cannot be
// helped would hold up what can. No namespace gets more than half of the places, and the one that has the fewest comes first:
// where a webhook hangs, each recovery keeps its place until it is settled whether the run was made.
func (r *roll) recover(now time.Time) {
	if r.next.IsZero() || now.Before(r.next) {
		return
	}
	ready := map[string][]*cron{}
	r.next = time.Time{}
	for _, c := range r.due {
		switch {
		case !c.due.After(now):
			ready[c.key.Namespace] = append(ready[c.key.Namespace], c)
		case r.next.IsZero() || c.due.Before(r.next):
			r.next = c.due
		}
	}
	for _, waiting := range ready {
		slices.SortFunc(waiting, func(a, b *cron) int { return cmp.Or(a.due.Compare(b.due), a.key.Compare(b.key)) })
	}
	namespaces := slices.Sorted(maps.Keys(ready))
	for len(namespaces) > 0 && r.places() > 0 {
		namespace := slices.MinFunc(namespaces, func(a, b string) int { return cmp.Compare(r.busy[a], r.busy[b]) })
		if r.busy[namespace] >= max(r.Timing.Recoveries/2, 1) {
			return
		}
		c := ready[namespace][0]
		if ready[namespace] = ready[namespace][1:]; len(ready[namespace]) == 0 {
			namespaces = slices.DeleteFunc(namespaces, func(n string) bool { return n == namespace })
		}
		delete(r.due, c.key)
		c.due, c.hold, c.stirred = time.Time{}, false, false
		if r.watcher.IsBlind(c.key.Namespace) {
			r.schedule(c, now.Add(poll)) // what is missed by what was seen last may have run since
			continue
		}
		r.begin(c, now)
	}
}

// places is how many more recoveries may be under way.
func (r *roll) places() int {
	left := r.Timing.Recoveries
	for _, n := range r.busy {
		left -= n
	}
	return left
}

// job is what is to be done for one CronWorkflow, outside of the roll's goroutine.
type job struct {
	id    backfill.Key
	key   auditor.Key
	state auditor.State
	// lost is up to which loss the state has what is to be recorded; save says that some is not on record yet.
	lost int
	save bool
	plan backfill.Plan
	// rehearse: only find out what a recovery would do.
	rehearse bool
	// touch says why the schedule is to be made to register anew; empty when it is not. touchFirst: before anything is recovered.
	touch      string
	touchFirst bool
}

// begin does what there is to do for a CronWorkflow.
func (r *roll) begin(c *cron, now time.Time) {
	state, ok := r.watcher.State(c.key)
	in, also := r.watcher.Input(c.key)
	if !ok || !also {
		return
	}
	j := job{id: c.id(), key: c.key, state: state, lost: c.lost, save: c.lost > c.saved}
	mode := r.mode(in.CronWorkflow)
	j.rehearse = mode == auditor.BackfillDryRun
	found, again := findings(state), maxPoll
	if wouldBlock(in, now) {
		found, again = found[len(state.Open):], poll
	}
	if mode != auditor.BackfillOff {
		j.plan = backfill.NewPlan(in.CronWorkflow, found, r.policy(), now).Attempted(state.Record.Recoveries)
	}
	j.plan.ArgoAway = in.Controller.Away(now)
	if j.rehearse {
		j.plan = c.untold(j.plan)
	}
	// What recovers an outstanding firing frees the schedule too; where nothing does for the moment, Argo is to look again.
	if mode == auditor.BackfillOn && !c.owes() && c.mayTouch(now) {
		if j.touch = c.stuck; j.touch == "" && !c.unscheduled.IsZero() && alive(in.Controller, c.unscheduled, now) {
			j.touch = fmt.Sprintf("Argo's controller is alive, and did not create the firing of %s.", stamp(c.unscheduled))
		}
		if j.touch != "" {
			c.touched = now
			// A touch is good only while the when expression is true, which it may not be any more when a recovery has waited.
			j.touchFirst = presentSpec(in.CronWorkflow).When != ""
		}
	}
	if !j.rehearse {
		r.giveUp(c, j.plan, now)
	}
	if !j.save && !j.works() && j.touch == "" {
		if c.concerns() {
			r.schedule(c, now.Add(again)) // what keeps it may have passed by then
		}
		return
	}
	ctx, cancel := context.WithCancel(r.term.ctx)
	c.cancel = cancel
	r.busy[c.key.Namespace]++
	r.term.tasks.Go(func() {
		defer cancel()
		done := r.carryOut(ctx, j)
		r.ask(func() { r.concluded(c, j, done) })
	})
}

// mayTouch says whether it is worth it to have the schedule register anew: not again before that has shown to be in vain.
func (c *cron) mayTouch(now time.Time) bool {
	shown := c.touches == 0 || c.unscheduled.IsZero() || c.unscheduled.After(c.touched) || !now.Before(c.touched.Add(touchEvery))
	return shown && !now.Before(c.touched.Add(min(touchAgain<<min(max(c.touches-1, 0), 10), touchEvery)))
}

// wouldBlock says whether a run that is made now may cost a live firing. While Argo is away no run begins, so that it may still be
// active when Argo is back and the next firing is due: Forbid then skips that one, and without a starting deadline of its own for good.
func wouldBlock(in auditor.Input, now time.Time) bool {
	spec := presentSpec(in.CronWorkflow)
	return spec.Policy == auditor.Forbid && spec.StartingDeadline == 0 && in.Controller.Away(now)
}

// alive says whether a controller of Argo's gave a sign of life lately, and after the time of a firing: its lease is renewed every few
// seconds and read every 15 s.
func alive(argo auditor.Controller, firing, now time.Time) bool {
	const lately = 45 * time.Second
	var sign time.Time
	if argo.Lease != nil {
		sign = argo.Lease.RenewedAt
	}
	if n := len(argo.Writes); n > 0 {
		sign = later(sign, argo.Writes[n-1])
	}
	return now.Sub(sign) < lately && sign.After(firing)
}

// works says whether carrying out the plan is more than reading it.
func (j job) works() bool { return len(j.plan.ToRecover()) > 0 || !j.rehearse && j.plan.OwesStatus() }

// findings are what a plan is made from: what is missed, and then what Rollcall has run, which the status may not show yet.
func findings(state auditor.State) []auditor.Finding {
	found := slices.Clone(state.Open)
	for _, t := range backfilled(state) {
		found = append(found, auditor.Finding{ScheduledTime: t, Verdict: auditor.Backfilled})
	}
	return found
}

// backfilled are the firings that Rollcall has run, also those whose runs are gone, ascending.
func backfilled(state auditor.State) (times []time.Time) {
	for _, run := range state.Record.Runs {
		if run.Verdict == auditor.Backfilled {
			times = append(times, run.ScheduledTime)
		}
	}
	return times
}

// untold is what is left of a plan to rehearse: what a recovery would do is told once of each firing, and asked once.
func (c *cron) untold(plan backfill.Plan) backfill.Plan {
	plan.Steps = slices.DeleteFunc(slices.Clone(plan.Steps), func(s backfill.Step) bool { return c.rehearsed[s.Finding.ScheduledTime] })
	return plan
}

// giveUp notes the firings that a plan leaves for good.
func (r *roll) giveUp(c *cron, plan backfill.Plan, now time.Time) {
	for _, s := range plan.Steps {
		if !s.Recover && s.Reason == auditor.TooManyMissed {
			r.watcher.NoteRecovery(c.key, auditor.Recovery{ScheduledTime: s.Finding.ScheduledTime, Attempts: s.Attempts, LastError: s.Why, Ended: s.Reason}, now)
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// earlier is the earlier of two times, of which one that is zero does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func firstOf(sentences []string) string {
	if len(sentences) == 0 {
		return ""
	}
	return sentences[0]
}
