package record

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

// setConditions says in conditions what the rest of the status amounts to. previous are those written last: a condition that
// stays as it was keeps the time of its last transition.
func setConditions(status *v1alpha1.CronAuditStatus, previous []metav1.Condition, now time.Time) {
	status.Conditions = nil
	for _, c := range []metav1.Condition{healthy(status), recovering(status)} {
		c.LastTransitionTime = second(now)
		if before := meta.FindStatusCondition(previous, c.Type); before != nil && before.Status == c.Status && !before.LastTransitionTime.IsZero() {
			c.LastTransitionTime = before.LastTransitionTime
		}
		status.Conditions = append(status.Conditions, c)
	}
}

func healthy(status *v1alpha1.CronAuditStatus) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.Healthy, Status: metav1.ConditionFalse}
	newest := auditor.Verdict(status.Summary.LastVerdict)
	switch open := status.Open; {
	case len(open) == 1:
		c.Reason, c.Message = "FiringsMissed", fmt.Sprintf("The firing of %s is missed%s.", stamp(open[0].ScheduledTime), until(open[0]))
	case len(open) > 1:
		c.Reason, c.Message = "FiringsMissed", fmt.Sprintf("%d firings are missed, the oldest of %s%s.", len(open), stamp(open[0].ScheduledTime), until(open[0]))
	case newest.Lost():
		c.Reason, c.Message = "NewestLost", fmt.Sprintf("The newest firing is %s.", newest)
	case newest == "":
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, "NothingJudged", "No firing has been judged yet."
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, "NothingMissed", "No firing is missed."
	}
	return c
}

func until(f v1alpha1.Firing) string {
	if f.Deadline.IsZero() {
		return ""
	}
	return ", which may still run until " + stamp(f.Deadline)
}

func recovering(status *v1alpha1.CronAuditStatus) metav1.Condition {
	for _, f := range status.Open {
		if r := f.Recovery; r != nil && r.Attempts > 0 && r.Ended == "" {
			message := fmt.Sprintf("The firing of %s has been tried %d times.", stamp(f.ScheduledTime), r.Attempts)
			if r.LastError != "" {
				message += " The last error: " + r.LastError
			}
			return metav1.Condition{Type: v1alpha1.Recovering, Status: metav1.ConditionTrue, Reason: "Attempted", Message: message}
		}
	}
	return metav1.Condition{Type: v1alpha1.Recovering, Status: metav1.ConditionFalse, Reason: "NothingTried", Message: "No missed firing is being tried."}
}

// stamp writes a time as evidence does.
func stamp(t metav1.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
