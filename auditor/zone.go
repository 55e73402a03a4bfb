package auditor

import (
	"fmt"
	"slices"
	"time"

	"rollcall.dev/rollcall/schedule"
)

// contradictions are signs that Argo does not read the schedule as this audit does: the controller's local zone is another
// than Options.ControllerZone, or the spec was changed without a trace (a dump without managedFields). Absent firings that
// such a sign puts in doubt are Unknown: a wrong zone would otherwise make a miss of every daily run.
type contradictions struct {
	// offsets are offsets from UTC, in the runs' own annotations, that ControllerZone does not have at that time.
	offsets []contradictingOffset
	// strays are scheduled times of runs that the schedule in effect does not name.
	strays []time.Time
}

type contradictingOffset struct {
	seconds int
	example string
}

func (r *roll) findContradictions() contradictions {
	var c contradictions
	stray := func(t time.Time) {
		e, ok := r.epochAt(t)
		settled := ok && e.known && t.After(e.from.Add(r.grace(e.spec)))
		if settled && len(e.schedule.Every()) == 0 && !e.schedule.Contains(t) {
			c.strays = append(c.strays, t)
		}
	}
	for name, runs := range r.runs {
		run := runs[0]
		t, ok := ScheduledTimeOf(r.in.CronWorkflow.Name, name)
		if !ok || !r.owns(run) || run.BackfilledBy != "" {
			continue
		}
		stray(t)
		annotated, err := time.Parse(time.RFC3339, run.ScheduledTime)
		if err != nil || !annotated.Equal(t) {
			continue
		}
		_, theirs := annotated.Zone()
		_, ours := t.In(r.opts.ControllerZone).Zone()
		if theirs != ours && !slices.ContainsFunc(c.offsets, func(o contradictingOffset) bool { return o.seconds == theirs }) {
			c.offsets = append(c.offsets, contradictingOffset{theirs, annotated.Format("-07:00")})
		}
	}
	if last := r.in.CronWorkflow.Status.LastScheduledTime; !last.IsZero() && !r.wroteLastScheduled(last) {
		stray(last)
	}
	slices.SortFunc(c.strays, time.Time.Compare)
	slices.SortFunc(c.offsets, func(a, b contradictingOffset) int { return a.seconds - b.seconds })
	return c
}

// doubt says in a sentence why the firing may not have been due at all; empty when nothing speaks against it.
func (f *firing) doubt() string {
	// Around some changes of the clocks (Lord Howe, Beirut, Havana) the scheduler's answer depends on when it is asked, and Argo
	// asks anew at every event on the object.
	if next, ok := f.epoch.schedule.Next(f.at.Add(-time.Second)); !ok || !next.Equal(f.at) {
		return "The clocks change around that time, and whether the schedule names it depends on when Argo last registered it (see rollcall schedule)."
	}
	local := f.epoch.spec.Timezone == ""
	for _, t := range f.contradictions.strays {
		e, _ := f.epochAt(t)
		if !e.from.Equal(f.epoch.from) || (!local && f.at.After(t)) {
			continue
		}
		way := "the spec was changed without leaving a trace"
		if local {
			way = "Argo's controller keeps another local time (set --controller-timezone) or " + way
		}
		return fmt.Sprintf("Argo ran it at %s, which its schedule does not name: %s.", stamp(t), way)
	}
	if !local {
		return ""
	}
	for _, o := range f.contradictions.offsets {
		theirs, err := schedule.Parse(f.epoch.spec.Schedules, "", time.FixedZone("", o.seconds))
		if err == nil && !theirs.Contains(f.at) {
			return fmt.Sprintf("Its runs' scheduled-time annotations show that Argo's controller keeps the local time %s, where this is no firing: set --controller-timezone.", o.example)
		}
	}
	return ""
}
