package backfill

import (
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/schedule"
)

const (
	// observedRuns is from how many of the last runs the length of the next one is guessed.
	observedRuns = 10
	// roomMargin is added to that guess.
	roomMargin = 15 * time.Second
	// roomHorizon is how far to look ahead for an interval that is long enough, where no deadline says.
	roomHorizon = 24 * time.Hour
)

// room: under Forbid a recovered run that is still active at the next live firing makes Argo skip that one; under Replace it
// is terminated by it. So it has to fit in before: 1.25 times the longest of the last 10 observed runs and 15 s, or, where
// none was observed, half the interval has to be left.
func (l *live) room() Admission {
	policy := l.policy.concurrency(l.spec)
	if policy != auditor.Forbid && policy != auditor.Replace {
		return pass
	}
	if every := l.firings.Every(); len(every) > 0 {
		return refuse(NoRoom, "concurrencyPolicy %s, and @every %s has no fixed phase: whether a run would be in a live one's way cannot be told (--detached runs beside them).", policy, every[0]).admission()
	}
	next, ok := l.firings.Next(l.now)
	if !ok {
		return pass
	}
	longest, observed := l.longest()
	need := l.need(next)
	if !l.now.Add(need).After(next) {
		return pass
	}
	left := next.Sub(l.now).Round(time.Second)
	if !observed {
		if end := l.deadline(); !end.IsZero() && !next.Before(end) {
			return refuse(NoRoom, "No run of it has been observed, so half the interval between two firings has to be left, which is %s; %s is, and its starting deadline ends with it.", need, left).admission()
		}
		return wait(next, "concurrencyPolicy %s: no run of it has been observed, and of the interval until the next firing at %s less than half is left (%s).", policy, stamp(next), left)
	}
	begin, bounded := l.firstInterval(next, need)
	if begin.IsZero() {
		until := "until its starting deadline"
		if !bounded {
			until = "of the next " + roomHorizon.String()
		}
		return refuse(NoRoom, "concurrencyPolicy %s: its runs take up to %s, so %s have to be free before a live firing, and no interval between firings %s is that long (--detached runs beside them).",
			policy, longest.Round(time.Second), need.Round(time.Second), until).admission()
	}
	return wait(begin, "concurrencyPolicy %s: its runs take up to %s, so %s have to be free before the next firing at %s, and only %s are.",
		policy, longest.Round(time.Second), need.Round(time.Second), stamp(next), left)
}

// need is how much room a run made now is given until the next live firing.
func (l *live) need(next time.Time) time.Duration {
	if longest, observed := l.longest(); observed {
		return longest + longest/4 + roomMargin
	}
	previous := l.at // a firing, and not after now
	if last := l.firings.Last(l.now, 1, l.at); len(last) > 0 {
		previous = last[0]
	}
	return (next.Sub(previous) + 1) / 2
}

// begins: while Argo is away no run begins, so that under Forbid it may be in the way of a live one when Argo is back. Argo runs a
// firing that it skipped late, but not after its own starting deadline: so that has to be longer than the run.
func (l *live) begins() Admission {
	next, ok := l.firings.Next(l.now)
	if !l.policy.ArgoAway || !ok || l.policy.concurrency(l.spec) != auditor.Forbid || l.spec.StartingDeadline >= l.need(next) {
		return pass
	}
	return wait(l.now.Add(pollAway), "concurrencyPolicy Forbid, and Argo's controller is away: a run that begins only when it is back could cost a live firing.")
}

// roomAtAll refuses before anything is waited for in vain.
func (l *live) roomAtAll() Admission {
	if a := l.room(); a.Decision == Refuse {
		return a
	}
	return pass
}

// firstInterval is the first firing from next on, before the deadline, after which there is nothing for as long as needed;
// zero when there is none. bounded is false where no deadline set the end.
func (l *live) firstInterval(next time.Time, need time.Duration) (begin time.Time, bounded bool) {
	end := l.deadline()
	bounded = !end.IsZero()
	if !bounded {
		end = l.now.Add(roomHorizon)
	}
	for range mostFirings {
		if !next.Before(end) {
			return time.Time{}, bounded
		}
		following, ok := l.firings.Next(next)
		if !ok || !next.Add(need).After(following) {
			return next, bounded
		}
		next = following
	}
	return time.Time{}, bounded
}

// longest is how long the longest of the last observed runs took.
func (l *live) longest() (d time.Duration, observed bool) {
	var ended []auditor.Run
	for _, run := range l.Runs {
		if l.owns(run) && run.Finished() && !run.StartedAt.IsZero() {
			ended = append(ended, run)
		}
	}
	slices.SortFunc(ended, func(a, b auditor.Run) int { return b.FinishedAt.Compare(a.FinishedAt) })
	for _, run := range ended[:min(len(ended), observedRuns)] {
		d = max(d, run.FinishedAt.Sub(run.StartedAt))
	}
	return d, len(ended) > 0
}

// untilNext is the time until the next live firing; ok is false when there is none, or it is not known.
func untilNext(look Look, policy Policy, now time.Time) (d time.Duration, ok bool) {
	spec, ok := presentSpec(look.CronWorkflow)
	if !ok {
		return 0, false
	}
	firings, err := schedule.Parse(spec.Schedules, spec.Timezone, policy.ControllerZone)
	if err != nil {
		return 0, false
	}
	next, ok := firings.Next(now)
	return next.Sub(now), ok
}
