package operator

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/internal/alert"
	"rollcall.dev/rollcall/internal/events"
)

// told is what was told of one CronWorkflow, so that nothing is said twice.
type told struct {
	// stuck says why the schedule is stuck, blocked why a recovery is, unjudged why nothing can be judged, unwritten why its record
	// cannot be written; empty when that is not so.
	stuck, blocked, unjudged, unwritten string
	// unscheduled is the last firing that is certain not to have been created though Argo's controller was, or may have been, alive;
	// zero once it created that or a newer one.
	unscheduled time.Time
	// lostLately are the last firings that are certain to be lost for good.
	lostLately []auditor.Finding
	// alerting says that an alert may be firing.
	alerting bool
	// rehearsed are the firings of which was told what a recovery would do.
	rehearsed map[time.Time]bool
}

// lostFor is how long after its loss an alert for a firing goes on.
const lostFor = 24 * time.Hour

// lostAt is until when a lost firing could be saved: its starting deadline, or its scheduled time where it has none. One that was
// given up before its deadline counts as lost then; until then somebody can still make it run in time.
func lostAt(f auditor.Finding) time.Time { return later(f.ScheduledTime, f.Deadline) }

// heed tells, shows and records what was found out.
func (r *roll) heed(judged []auditor.Judgement, now time.Time) {
	r.askForLost(judged)
	for _, j := range judged {
		c := r.crons[j.Key]
		if c == nil {
			continue
		}
		before, stuck := c.open, c.stuck
		state, ok := r.watcher.State(j.Key)
		if !ok {
			continue
		}
		for _, verdict := range j.Tally {
			r.Metrics.Decided(c.key, verdict)
		}
		found := false // what is on record as missed has run
		for _, f := range j.Decided {
			known := slices.ContainsFunc(before, func(o auditor.Finding) bool { return o.ScheduledTime.Equal(f.ScheduledTime) })
			r.tellFinding(c, f, known, now)
			found = found || f.Verdict == auditor.Backfilled || known && f.Verdict.Ran()
		}
		r.tellStuck(c, j.Stuck)
		r.tellUnjudged(c, j.Err)
		r.know(c, state, now)
		if !j.Changed {
			continue
		}
		if j.Urgent || found {
			c.lost++
		}
		switch {
		case !r.save(c, state):
		case c.lost > c.saved:
			r.attend(c, now)
		case len(j.Decided) > 0 || c.stuck != stuck: // what a recovery notes itself is no news to it
			r.stir(c, now)
		}
	}
}

// save has a state recorded when there is time for that; false when the record has to be read again first.
func (r *roll) save(c *cron, state auditor.State) bool {
	if err := r.Records.Save(r.term.ctx, c.key, state, false); err != nil {
		r.unsaved(c, err, r.now())
		return false
	}
	return true
}

// know takes in what is not final, and shows it.
func (r *roll) know(c *cron, state auditor.State, now time.Time) {
	c.open, c.outstanding = state.Open, len(state.Open)+len(state.Unsettled) > 0
	if len(c.recoverable()) == 0 {
		c.blocked = ""
	}
	if all := backfilled(state); len(all) > 0 {
		c.backfilled = later(c.backfilled, all[len(all)-1])
	}
	maps.DeleteFunc(c.rehearsed, func(t time.Time, _ bool) bool {
		return !slices.ContainsFunc(state.Open, func(f auditor.Finding) bool { return f.ScheduledTime.Equal(t) })
	})
	c.gauges.Open, c.gauges.LastLost, c.gauges.LastLostDeadline = state.Open, time.Time{}, time.Time{}
	c.lostLately = nil
	if c.cw.Settings.Off {
		c.unscheduled, state.Notable = time.Time{}, nil // what is left out rings no more
	}
	for _, f := range state.Notable {
		if (f.Verdict == auditor.Expired || f.Verdict == auditor.GaveUp) && f.Certainty != auditor.Likely {
			c.gauges.LastLost, c.gauges.LastLostDeadline = f.ScheduledTime, lostAt(f) // they are ascending
			c.lostLately = append(c.lostLately, f)
		}
	}
	r.show(c)
	r.alert(c, now)
}

// expect makes everything that is counted of a CronWorkflow exist at 0.
func (r *roll) expect(c *cron) {
	r.executor.Expect(c.id())
	r.show(c)
	r.tellSettings(c, auditor.Settings{})
}

// show sets the metrics of a CronWorkflow to what is so.
func (r *roll) show(c *cron) {
	if r.term == nil {
		return
	}
	c.gauges.Blocked, c.gauges.Stuck, c.gauges.Next = c.blocked != "", c.stuck != "", time.Time{}
	if next, ok := r.watcher.Next(c.key); ok && !presentSpec(c.cw).Suspend {
		c.gauges.Next = next
	}
	r.Metrics.Set(c.key, c.gauges)
}

func (r *roll) event(c *cron, reason events.Reason, warning bool, format string, args ...any) {
	if r.Events != nil {
		r.Events.Record(events.Object{Namespace: c.key.Namespace, Name: c.key.Name, UID: c.cw.UID}, reason, warning, fmt.Sprintf(format, args...))
	}
}

// tellFinding tells of a verdict; known says that the firing was known to be missed before.
func (r *roll) tellFinding(c *cron, f auditor.Finding, known bool, now time.Time) {
	at := stamp(f.ScheduledTime)
	if (f.Verdict == auditor.OnTime || f.Verdict == auditor.Late) && !f.CreatedAt.IsZero() {
		r.Metrics.StartDelay(f.CreatedAt.Sub(f.ScheduledTime))
	}
	if (f.Verdict == auditor.Missed || f.Verdict == auditor.Expired) && !known {
		spec := presentSpec(c.cw)
		grace := auditor.EffectiveGrace(cmp.Or(c.cw.Settings.Grace, r.Judging.Grace), auditor.EffectiveDeadline(spec, c.cw.Settings, r.Judging.DefaultDeadline))
		r.Metrics.DetectionDelay(now.Sub(f.ScheduledTime.Add(grace)))
	}
	switch {
	case f.Verdict == auditor.Missed && f.Certainty == auditor.Certain && (f.Cause == auditor.Unscheduled || f.Cause == auditor.Undetermined):
		c.unscheduled = later(c.unscheduled, f.ScheduledTime)
	case (f.Verdict == auditor.OnTime || f.Verdict == auditor.Late) && !f.ScheduledTime.Before(c.unscheduled):
		if !c.unscheduled.IsZero() {
			c.touched, c.touches = time.Time{}, 0 // it moves again; should it stop once more, that is another matter
		}
		c.unscheduled = time.Time{}
	}
	sure := f.Certainty != auditor.Likely
	level := slog.LevelWarn
	switch f.Verdict {
	case auditor.Missed:
		r.event(c, events.RunMissed, sure, "The firing of %s was missed (%s, %s). It can be made up for until %s.", at, f.Cause, f.Certainty, stamp(f.Deadline))
	case auditor.Expired:
		why := "its starting deadline passed at " + stamp(f.Deadline)
		if f.Deadline.IsZero() {
			why = "it has no starting deadline, so nothing brings it back by itself: rollcall backfill does so by hand"
		}
		r.event(c, events.RunExpired, sure, "The firing of %s is lost (%s, %s): %s.", at, f.Cause, f.Certainty, why)
	case auditor.GaveUp:
		r.event(c, events.BackfillGaveUp, true, "The recovery of the firing of %s ended without a run (%s): %s", at, f.Reason, r.lastError(c, f))
	case auditor.Backfilled:
		level = slog.LevelInfo
		r.event(c, events.RunBackfilled, false, "The firing of %s was made up for by Workflow %s, created at %s.", at, f.Workflow, stamp(f.CreatedAt))
	case auditor.OnTime, auditor.Skipped:
		level = slog.LevelDebug
	default:
		level = slog.LevelInfo
	}
	attrs := []any{"cronworkflow", c.key.String(), "uid", c.cw.UID, "firing", at, "verdict", f.Verdict}
	for _, more := range []struct{ key, value string }{
		{"reason", string(f.Reason)}, {"certainty", string(f.Certainty)}, {"cause", string(f.Cause)},
		{"deadline", stamp(f.Deadline)}, {"created_at", stamp(f.CreatedAt)}, {"evidence", strings.Join(f.Evidence, " ")},
	} {
		if more.value != "" {
			attrs = append(attrs, more.key, more.value)
		}
	}
	r.Log.Log(r.term.ctx, level, "verdict", attrs...)
}

// lastError is what the recovery of a firing ended with.
func (r *roll) lastError(c *cron, f auditor.Finding) string {
	state, _ := r.watcher.State(c.key)
	for _, recovery := range state.Record.Recoveries {
		if recovery.ScheduledTime.Equal(f.ScheduledTime) {
			return recovery.LastError
		}
	}
	return ""
}

// tellBlocked tells once of each reason for which somebody has to act.
func (r *roll) tellBlocked(c *cron, result backfill.Result) {
	why := firstOf(result.Why)
	if lasting(result.LastError) {
		why = unrecorded(result.LastError)
	}
	if r.block(c, result.Finding.ScheduledTime, why) {
		r.Log.Warn("recovery blocked", "cronworkflow", c.key.String(), "firing", stamp(result.Finding.ScheduledTime), "attempt", result.Attempts,
			"why", why, "error", result.LastError)
	}
}

// block notes that somebody has to act before a firing can be recovered, and says whether the reason is news.
func (r *roll) block(c *cron, firing time.Time, why string) bool {
	news := gist(c.blocked) != gist(why)
	if c.blocked = why; news {
		r.event(c, events.BackfillBlocked, true, "The firing of %s cannot be recovered before somebody acts: %s", stamp(firing), why)
	}
	return news
}

// gist is a text without its numbers: the name of the run that was refused, and what is used of a quota, make no other reason.
func gist(why string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, why)
}

// tellRehearsal tells once of each firing what a recovery would do about it now.
func (r *roll) tellRehearsal(c *cron, result backfill.Result) {
	t := result.Finding.ScheduledTime
	if !result.Planned || c.rehearsed[t] || result.Outcome == backfill.Interrupted || result.Reason == backfill.RetriesEnded {
		return // or it could not be found out, and is asked again
	}
	if c.rehearsed == nil {
		c.rehearsed = map[time.Time]bool{}
	}
	c.rehearsed[t] = true
	said := "Dry run: its recovery would create Workflow " + result.Workflow + " now."
	if result.Outcome != backfill.WouldCreate {
		said = strings.TrimSpace(fmt.Sprintf("Dry run: its recovery would not create it now (%s). %s", result.Outcome, firstOf(result.Why)))
	}
	r.watcher.NoteRecovery(c.key, auditor.Recovery{ScheduledTime: t, Attempts: result.Attempts, LastError: said}, r.now())
	r.event(c, events.RunMissed, true, "The firing of %s was missed. %s", stamp(t), said)
	r.Log.Info("dry run", "cronworkflow", c.key.String(), "firing", stamp(t), "outcome", result.Outcome, "workflow", result.Workflow, "why", firstOf(result.Why))
}

// tellStuck tells when a schedule is found stuck, and when it moves again.
func (r *roll) tellStuck(c *cron, why string) {
	switch {
	case why != "" && c.stuck == "":
		r.event(c, events.ScheduleStuck, true, "%s", why)
		r.Log.Warn("schedule stuck", "cronworkflow", c.key.String(), "why", why)
	case why == "" && c.stuck != "":
		r.Log.Info("schedule moves again", "cronworkflow", c.key.String())
		c.touched, c.touches = time.Time{}, 0
	}
	c.stuck = why
}

// tellUnjudged tells when nothing can be judged of a CronWorkflow.
func (r *roll) tellUnjudged(c *cron, err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	if why != "" && why != c.unjudged {
		r.Log.Warn("cannot be judged", "cronworkflow", c.key.String(), "error", why)
	}
	c.unjudged = why
}

// tellSettings tells of annotations whose values are not accepted.
func (r *roll) tellSettings(c *cron, before auditor.Settings) {
	if invalid := c.cw.Settings.Invalid; invalid != "" && invalid != before.Invalid {
		r.event(c, events.InvalidAnnotation, true, "%s", invalid)
		r.Log.Warn("invalid annotation", "cronworkflow", c.key.String(), "why", invalid)
	}
}

// alert has the alerts fire that should, and no others.
func (r *roll) alert(c *cron, now time.Time) {
	if r.Alerts == nil {
		return
	}
	var alerts []alert.Alert
	lost := slices.DeleteFunc(slices.Clone(c.lostLately), func(f auditor.Finding) bool { return now.Sub(lostAt(f)) >= lostFor })
	if n := len(lost); n > 0 {
		alerts = append(alerts, lostAlert(c.key, lost))
	}
	if open := c.recoverable(); c.blocked != "" && len(open) > 0 {
		alerts = append(alerts, blockedAlert(c.key, open, c.blocked))
	}
	c.alerting = len(alerts) > 0
	r.Alerts.Set(c.key, alerts)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
