package backfill

import (
	"fmt"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// The refusals that the plan and the last check before a create have in common.

// switchedOff refuses a CronWorkflow that shall not run, with the way out.
func switchedOff(cw auditor.CronWorkflow, spec auditor.Spec) refusal {
	switch {
	case spec.Suspend:
		return refuse(auditor.Suspended, "The CronWorkflow is suspended: resume it first (argo cron resume %s -n %s, or kubectl patch cronworkflow %s -n %s --type merge -p '{\"spec\":{\"suspend\":false}}').",
			cw.Name, cw.Namespace, cw.Name, cw.Namespace)
	case cw.Status.Stopped:
		return refuse(auditor.Stopped, "The CronWorkflow is stopped: its stopStrategy holds. To have it run again, change spec.stopStrategy, then remove status.phase and the label cronworkflows.argoproj.io/completed.")
	}
	return refusal{}
}

func notWanted(cw auditor.CronWorkflow, policy Policy) refusal {
	switch {
	case policy.automatic() && cw.Settings.Off:
		return refuse(SwitchedOff, "The annotation rollcall.dev/audit is off.")
	case policy.automatic() && cw.Settings.Backfill == auditor.BackfillOff:
		return refuse(SwitchedOff, "The annotation rollcall.dev/backfill is off.")
	case policy.catchUp(cw.Settings) == auditor.CatchUpNone:
		return refuse(SwitchedOff, "Catch-up is none.")
	}
	return refusal{}
}

func noDeadline(cw auditor.CronWorkflow, spec auditor.Spec, policy Policy) refusal {
	if !policy.automatic() {
		return refusal{}
	}
	switch d := auditor.EffectiveDeadline(spec, cw.Settings, policy.DefaultDeadline); {
	case d == 0:
		return refuse(NoDeadline, "It has no starting deadline, so it is not recovered automatically (set startingDeadlineSeconds, the annotation rollcall.dev/deadline or --default-deadline).")
	case d < shortestDeadline:
		return refuse(DeadlineTooShort, "Its starting deadline of %s is too short to recover in; %s is the least.", d, shortestDeadline)
	}
	return refusal{}
}

// tooLate refuses at the deadline itself too: Argo starts an outstanding firing only while now is before it.
func tooLate(deadline time.Time, policy Policy, now time.Time) refusal {
	if deadline.IsZero() || now.Before(deadline) {
		return refusal{}
	}
	way := ""
	if !policy.automatic() {
		way = " (--ignore-deadline recovers it all the same)"
	}
	return refuse(auditor.DeadlinePassed, "Its starting deadline passed at %s%s.", stamp(deadline), way)
}

// conditional refuses where the when expression is not true. By hand, including Unknown takes that upon oneself.
func conditional(spec auditor.Spec, policy Policy, judge func() (bool, error)) refusal {
	if spec.When == "" || policy.judgesWhen() {
		return refusal{}
	}
	holds, err := judge()
	switch {
	case err != nil:
		return refuse(auditor.WhenUnknown, "It has a when expression, and whether that holds for this firing cannot be judged (--include Unknown recovers it whatever it says): %v.", err)
	case !holds:
		return refuse(auditor.When, "Its when expression is false (--include Unknown recovers it whatever it says): %s", spec.When)
	}
	return refusal{}
}

// onlyNewest says why only the newest missed firing is worth running; empty when each is.
func onlyNewest(cw auditor.CronWorkflow, spec auditor.Spec, policy Policy) string {
	switch {
	case policy.concurrency(spec) == auditor.Replace:
		return "concurrencyPolicy Replace would have ended this one for it"
	case policy.catchUp(cw.Settings) == auditor.CatchUpLatest:
		return "only the latest is worth catching up (catch-up latest)"
	}
	return ""
}

// ranByStatus is the newest firing that ran according to the status; zero when it tells of none. What Rollcall wrote there
// ahead of a create is no sign of a run.
func ranByStatus(status auditor.Status) time.Time {
	if status.LastScheduledTime.Equal(status.Intended) {
		return time.Time{}
	}
	return status.LastScheduledTime
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// stamp writes a time as evidence does: UTC, to the second.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
