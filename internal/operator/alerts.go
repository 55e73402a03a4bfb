package operator

import (
	"fmt"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/alert"
)

// lostAlert is for the firings of a CronWorkflow that were lost for good lately, ascending: one for all of them, since whoever is
// called has to look at the CronWorkflow, not at each of its firings.
func lostAlert(key auditor.Key, lost []auditor.Finding) alert.Alert {
	newest := lost[len(lost)-1]
	summary := fmt.Sprintf("CronWorkflow %s lost its firing of %s", key, stamp(newest.ScheduledTime))
	if n := len(lost); n > 1 {
		summary = fmt.Sprintf("CronWorkflow %s lost %d firings, from %s to %s", key, n, stamp(lost[0].ScheduledTime), stamp(newest.ScheduledTime))
	}
	description := fmt.Sprintf("The newest is %s", newest.Verdict)
	if newest.Reason != "" {
		description += fmt.Sprintf(" (%s)", newest.Reason)
	}
	description += fmt.Sprintf(", the cause is %s. Nothing brings it back by itself: rollcall explain %s -n %s --at %s says why, rollcall backfill runs it by hand.",
		newest.Cause, key.Name, key.Namespace, stamp(newest.ScheduledTime))
	return alert.Alert{
		Name:        alert.RunLost,
		Annotations: map[string]string{"summary": summary, "description": description},
		StartsAt:    newest.ScheduledTime,
	}
}

// blockedAlert is for the firings of a CronWorkflow whose recovery somebody has to make possible; open are those, ascending.
func blockedAlert(key auditor.Key, open []auditor.Finding, why string) alert.Alert {
	first := open[0]
	return alert.Alert{
		Name: alert.BackfillBlocked,
		Annotations: map[string]string{
			"summary":     fmt.Sprintf("CronWorkflow %s: the firing of %s cannot be recovered before somebody acts", key, stamp(first.ScheduledTime)),
			"description": fmt.Sprintf("%s It is tried again every minute, until %s.", why, stamp(first.Deadline)),
		},
		StartsAt: first.ScheduledTime,
	}
}
