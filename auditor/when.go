package auditor

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Condition judges the when expressions of one CronWorkflow. It is a value of what they may read of it.
type Condition interface {
	// Holds says whether the expression is true at the moment. An error means that this cannot be judged.
	Holds(expression string, at Moment) (bool, error)
}

// Moment is what a when expression reads of the time at which it is judged.
type Moment struct {
	// At is what now() gives, in the local zone of Argo's controller.
	At time.Time
	// LastScheduled is status.lastScheduledTime as of then, in that zone; zero when there was none.
	LastScheduled time.Time
	// LastUnknown says that LastScheduled cannot be told.
	LastUnknown bool
}

// Argo judges when a firing as soon as its timer wakes it: hardly at the scheduled time itself, and seldom later than this.
const (
	whenSoonest = time.Millisecond
	whenLatest  = 5 * time.Second
)

// runPolicyErrors begin so: Argo could not tell whether a firing may run. It runs nothing then, and counts a failure (argo-workflows
// v3.7.18, workflow/cron/operator.go, run; evalWhen is part of the policy).
const runPolicyErrors = "run policy error: "

// runPolicyError is the error for which Argo did not run this firing, as far as its condition or the record tells; empty where neither
// does. Each is a write, since it is counted, and a success clears it: one that stands was there since then, at each firing under the
// spec that was in effect as it was written.
func (f *firing) runPolicyError() string {
	messages := f.submissionErrorsAt()
	if status := f.in.CronWorkflow.Status; f.sinceLastSuccess() && (f.epoch.until.IsZero() || !status.WrittenAt.After(f.epoch.until)) {
		messages = append(messages, status.SubmissionError)
	}
	for _, message := range messages {
		if why, ok := strings.CutPrefix(message, runPolicyErrors); ok {
			return why
		}
	}
	return ""
}

// brief is what an error says in its first line, without a full stop: expr-lang adds lines that show the expression.
func brief(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimRight(first, ". ")
}

var errNoCondition = errors.New("what it read at that time is not known")

// WhenHeld says whether the when expression in effect at a firing's time let it run, judged for that time: true where there is
// none. An error means that this cannot be judged.
func WhenHeld(in Input, at, now time.Time, opts Options) (bool, error) {
	r, err := newRoll(in, now, opts)
	if err != nil {
		return false, err
	}
	e, ok := r.epochAt(at)
	if !ok {
		return false, fmt.Errorf("CronWorkflow %s/%s did not exist at %s", in.CronWorkflow.Namespace, in.CronWorkflow.Name, stamp(at))
	}
	return r.firing(e, at).whenHeld()
}

// WhenHolds says whether the when expression of the spec is true now: true where there is none. An error means that this
// cannot be judged.
func WhenHolds(cw CronWorkflow, spec Spec, now time.Time, opts Options) (bool, error) {
	if spec.When == "" {
		return true, nil
	}
	if cw.When == nil {
		return false, errNoCondition
	}
	zone := opts.withDefaults().ControllerZone
	return cw.When.Holds(spec.When, Moment{At: now.In(zone), LastScheduled: inZone(cw.Status.LastScheduledTime, zone)})
}

// whenHeld asks for both ends of the time in which Argo judged it.
func (f *firing) whenHeld() (bool, error) {
	spec, condition, zone := f.epoch.spec, f.in.CronWorkflow.When, f.opts.ControllerZone
	if spec.When == "" {
		return true, nil
	}
	if condition == nil {
		return false, errNoCondition
	}
	last, known := f.lastScheduledThen()
	moment := Moment{At: f.at.Add(whenSoonest).In(zone), LastScheduled: inZone(last, zone), LastUnknown: !known}
	soon, err := condition.Holds(spec.When, moment)
	if err != nil {
		return false, err
	}
	moment.At = f.at.Add(whenLatest).In(zone)
	late, err := condition.Holds(spec.When, moment)
	if err != nil {
		return false, err
	}
	if soon != late {
		return false, fmt.Errorf("it was %t at the scheduled time and %t %s later, and when exactly Argo judged it is not known", soon, late, whenLatest)
	}
	return soon, nil
}

// lastScheduledThen is status.lastScheduledTime as it stood at the scheduled time: that of the newest firing before it whose
// run had been created by then. It moves forward only, so what it is now was so then where it is older than the firing,
// unless a run was created late or Rollcall moved it.
func (f *firing) lastScheduledThen() (last time.Time, known bool) {
	present := f.in.CronWorkflow.Status.LastScheduledTime
	var newest time.Time // among the runs there were then
	late := false        // the run of the present value came after the firing
	note := func(scheduled, created time.Time) {
		switch {
		case !scheduled.Before(f.at):
		case !created.After(f.at):
			newest = later(newest, scheduled)
		case scheduled.Equal(present):
			late = true
		}
	}
	for _, byName := range []map[string][]Run{f.runs, f.archived} {
		for name, runs := range byName {
			if t, ok := ScheduledTimeOf(f.in.CronWorkflow.Name, name); ok && f.owns(runs[0]) {
				note(t, runs[0].CreatedAt)
			}
		}
	}
	if f.in.Record != nil {
		for _, run := range f.in.Record.Runs {
			note(run.ScheduledTime, run.CreatedAt)
		}
	}
	switch {
	case newest.Equal(present): // also where there has been none so far
		return present, true
	case present.Before(f.at) && !late && !f.wroteLastScheduled(present):
		return present, true
	}
	// A newer one may have been in between and be deleted since.
	since := later(newest, f.in.CronWorkflow.CreatedAt)
	due, _ := f.epoch.schedule.Firings(since, f.at.Add(-time.Second), 1)
	switch {
	case since.Before(f.epoch.from):
		return newest, false
	case len(due) == 0, f.horizon.from.Before(due[0]):
		return newest, true
	}
	for _, c := range f.in.Coverage {
		if c.covers(due[0], f.now) {
			return newest, true
		}
	}
	return newest, false
}

func inZone(t time.Time, zone *time.Location) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(zone)
}
