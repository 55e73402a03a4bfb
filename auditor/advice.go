package auditor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// shortDeadline is the starting deadline under which a recovery is hardly possible: grace takes up to half of it, a firing's
	// quiet zone and the retries most of the rest.
	shortDeadline = time.Minute
	// newlyCreated is how long a CronWorkflow may be without any trace of a controller.
	newlyCreated = 2 * time.Minute
	// argoResync is how often Argo processes a CronWorkflow to which nothing happens; each time restarts the timers of @every.
	argoResync = 20 * time.Minute
	// dstHorizon is how far ahead an audit looks for changes of daylight saving time.
	dstHorizon = 366 * 24 * time.Hour
)

// advice says what the CronWorkflow itself, and the findings about it, make fragile; most pressing first.
func (r *roll) advice(report Report) []string {
	var said []string
	say := func(sentence string, args ...any) { said = append(said, fmt.Sprintf(sentence, args...)) }
	cw, current := r.in.CronWorkflow, r.current()
	spec := current.spec

	if stuck := r.stuck(report); stuck != "" {
		say("%s", stuck)
	}
	if !cw.Served && r.now.Sub(cw.CreatedAt) > newlyCreated {
		say("No Argo controller has looked after it so far: check its namespace and the label workflows.argoproj.io/controller-instanceid against the controller's settings.")
	}
	if broken := r.brokenWhen(report); broken != "" {
		say("%s", broken)
	}
	switch deadline := r.deadline(spec); {
	case deadline == 0:
		say("It has no startingDeadlineSeconds above 0, so neither Argo nor Rollcall recovers a lost firing by itself: set one, 600 for example.")
	case deadline < shortDeadline:
		say("Its starting deadline of %s is hardly long enough to notice a miss and recover it: a minute or more is.", deadline)
	}
	for _, period := range current.schedule.Every() {
		if period > argoResync {
			say("@every %s may never fire: Argo restarts the timer at every event on the object, and at the latest every 20 minutes; use a cron expression.", period)
		} else {
			say("@every %s has no fixed phase (Argo restarts the timer at every event on the object), so no firing of it can be called missed; use a cron expression to have each one accounted for.", period)
		}
	}
	if interval, longest := r.interval(), r.longestRun(); spec.Policy == Forbid && interval > 0 && longest > interval {
		say("Its runs take up to %s and it fires every %s: concurrencyPolicy Forbid skips firings as a matter of course.", longest.Round(time.Second), interval)
	}
	for _, s := range current.schedule.Shifts(r.now, r.now.Add(dstHorizon), 1) {
		say("Daylight saving time in %s touches it next at %s: a local time there is skipped or comes twice. A timezone without it, or another hour, avoids that (see rollcall schedule).", s.Zone, stamp(s.At))
	}
	if gone := slices.IndexFunc(report.Findings, func(f Finding) bool { return f.Reason == EvidenceGone }); gone >= 0 {
		say("Not all of this window can be accounted for, since %s: %s.", r.horizon.why, r.horizon.remedy)
	}
	if doubt := r.firstDoubt(report); doubt != "" {
		say("%s", doubt)
	}
	return said
}

// stuck notices a schedule for which an Argo controller that is alive does nothing.
func (r *roll) stuck(report Report) string {
	if cw := r.in.CronWorkflow; r.current().spec.Suspend || cw.Status.Stopped || cw.Settings.Off {
		return "" // nothing is to run
	}
	if every := r.current().schedule.Every(); len(every) > 0 {
		quiet := 2*every[0] + argoResync
		if last := later(r.newestRun, r.in.CronWorkflow.CreatedAt); r.now.Sub(last) > quiet {
			return fmt.Sprintf("ScheduleStuck: nothing has run since %s, though it runs @every %s.", stamp(last), every[0])
		}
		return ""
	}
	var silent int
	restarted := false
	for _, found := range slices.Backward(report.Findings) {
		if found.Verdict == Pending || found.Verdict == Skipped { // a schedule that is not registered skips nothing
			continue
		}
		if found.ScheduledTime.Before(r.current().from) {
			break // by an edit Argo registers the schedule anew
		}
		firing := r.firing(r.current(), found.ScheduledTime)
		undetermined := found.Verdict.Lost() && found.Cause == Undetermined
		around, may := firing.atWorkAround()
		if undetermined && (firing.mayLeadInSilence() || may) {
			continue // as of one that is Pending, the others tell
		}
		inSilence := undetermined && firing.leadsInSilence()
		unheeded := found.Cause == Unscheduled || inSilence || undetermined && around
		if !found.Verdict.Lost() || !unheeded {
			break
		}
		restarted = restarted || inSilence
		silent++
	}
	switch {
	case silent < 2:
		return ""
	case restarted:
		return fmt.Sprintf("ScheduleStuck: Argo's controller leads, but has created none of the last %d firings; unless it has only just come back, this schedule is not registered.", silent)
	}
	return fmt.Sprintf("ScheduleStuck: Argo's controller is alive, but the last %d firings were not created.", silent)
}

// firstDoubt says why the first firing whose being due is in doubt is so; empty when there is none.
func (r *roll) firstDoubt(report Report) string {
	for _, found := range report.Findings {
		if found.Reason != SpecUnknown {
			continue
		}
		if e, ok := r.epochAt(found.ScheduledTime); ok && e.known {
			if doubt := r.firing(e, found.ScheduledTime).doubt(); doubt != "" {
				return doubt
			}
		}
	}
	return ""
}

// interval is the time between the next two firings; 0 when there are none.
func (r *roll) interval() time.Duration {
	first, ok := r.current().schedule.Next(r.now)
	if !ok {
		return 0
	}
	second, ok := r.current().schedule.Next(first)
	if !ok {
		return 0
	}
	return second.Sub(first)
}

func (r *roll) longestRun() time.Duration {
	var longest time.Duration
	for _, run := range r.in.Runs {
		if r.counts(run) && run.Finished() && !run.StartedAt.IsZero() {
			longest = max(longest, run.FinishedAt.Sub(run.StartedAt))
		}
	}
	return longest
}

// brokenWhen says that the when expression cannot be evaluated, and so nothing runs: for sure where Argo says so too, and where not,
// if the last firing did not run; empty otherwise.
func (r *roll) brokenWhen(report Report) string {
	cw, current := r.in.CronWorkflow, r.current()
	if current.spec.When == "" || cw.When == nil {
		return ""
	}
	_, err := WhenHolds(cw, current.spec, r.now, r.opts)
	if err == nil {
		return ""
	}
	if why, ok := strings.CutPrefix(cw.Status.SubmissionError, runPolicyErrors); ok && !cw.Status.WrittenAt.Before(current.from) {
		return fmt.Sprintf("Its when expression cannot be evaluated, so it never runs: %s.", brief(errors.New(why)))
	}
	for _, found := range slices.Backward(report.Findings) {
		if found.Verdict == Pending {
			continue
		}
		if found.Reason == WhenUnknown {
			return fmt.Sprintf("Its when expression cannot be evaluated here, and where Argo cannot either it never runs: %s.", brief(err))
		}
		break
	}
	return ""
}
