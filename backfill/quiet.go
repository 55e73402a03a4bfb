package backfill

import (
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/schedule"
)

// mostFirings bounds every enumeration of firings ahead or behind.
const mostFirings = 2000

// shortestQuiet is how long a live firing has at the least to be seen to start.
const shortestQuiet = 10 * time.Second

// Quiet says whether the CronWorkflow is in the quiet zone of a live firing, in which nothing may be created for it or written
// to it: from 5 s before the firing until that is accounted for. A write at that moment makes Argo register the schedule anew
// while it fires; a create may take the live run's place. The Admission is a Wait inside the zone and empty outside it, and
// also where the spec is not known or does not parse.
//
// A firing is accounted for when its run exists, when the status says that it ran, or when its grace is over; where firings follow
// each other faster than that, when half of the time until the next one is: there would be no time outside else.
func Quiet(look Look, policy Policy, now time.Time) Admission {
	spec, ok := presentSpec(look.CronWorkflow)
	if !ok {
		return pass
	}
	firings, err := schedule.Parse(spec.Schedules, spec.Timezone, policy.ControllerZone)
	if err != nil {
		return pass
	}
	l := &live{Look: look, policy: policy, now: now, spec: spec, firings: firings}
	l.key.UID = look.CronWorkflow.UID
	return l.outsideQuietZone()
}

func (l *live) outsideQuietZone() Admission {
	return l.outsideZone(l.policy.grace(l.CronWorkflow, l.spec))
}

// outsideBriefZone is outsideQuietZone for a schedule that is stuck: no run is to be expected there, so it is not waited for for as long
// as its grace is, which may be as long as the when expression stays true.
func (l *live) outsideBriefZone() Admission { return l.outsideZone(shortestQuiet) }

func (l *live) outsideZone(grace time.Duration) Admission {
	around, _ := l.firings.Firings(l.now.Add(-grace), l.now.Add(quietBefore), mostFirings)
	for _, firing := range slices.Backward(around) {
		end := firing.Add(grace)
		if next, ok := l.firings.Next(firing); ok {
			end = earlier(end, firing.Add(max(next.Sub(firing)/2, shortestQuiet)))
		}
		switch {
		case firing.After(l.now):
			return wait(firing, "The live firing of %s is about to start.", stamp(firing))
		case l.now.Before(end) && !l.accounted(firing):
			return wait(earlier(l.now.Add(pollLive), end), "The live firing of %s has not been seen to start, and may until %s.", stamp(firing), stamp(end))
		}
	}
	return pass
}

func (l *live) accounted(firing time.Time) bool {
	if ran := ranByStatus(l.CronWorkflow.Status); !ran.IsZero() && !ran.Before(firing) {
		return true
	}
	name := auditor.WorkflowName(l.CronWorkflow.Name, firing)
	return slices.ContainsFunc(l.Runs, func(run auditor.Run) bool { return run.Name == name && l.owns(run) })
}
