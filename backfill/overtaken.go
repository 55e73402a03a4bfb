package backfill

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// freshAudit is how old the audit may be that the first create rests on, where Options.Replan makes a new one.
const freshAudit = 5 * time.Second

// standing is what a newer plan says of a firing that an older one was to recover. The zero value is none.
type standing string

const (
	// stillLost: it is recovered, on the newer audit's evidence.
	stillLost standing = "still lost"
	// hasRun: there is nothing to recover any more.
	hasRun standing = "has run"
	// unclear: the newer audit cannot tell any more whether it ran. The older one could, so it is recovered if what ran since would
	// still be there.
	unclear standing = "unclear"
	// notToRecover: the newer plan leaves it.
	notToRecover standing = "not to be recovered"
)

// standingIn sorts what a newer plan says; the first row that holds decides.
//
//	the newer audit says                                     standing
//	nothing: it does not list the firing any more            notToRecover
//	it ran                                                   hasRun
//	Unknown, which it was not before                         unclear
//	the newer plan recovers it                               stillLost
//	anything else                                            notToRecover
func (s Step) standingIn(newer Plan) (Step, standing) {
	i := slices.IndexFunc(newer.Steps, func(n Step) bool { return n.Finding.ScheduledTime.Equal(s.Finding.ScheduledTime) })
	if i < 0 {
		s.Recover, s.Reason, s.Why = false, NotOnSchedule, "A new audit does not list it any more."
		return s, notToRecover
	}
	n := newer.Steps[i]
	n.Attempts, n.LastError = s.Attempts, s.LastError
	switch was, is := s.Finding.Verdict, n.Finding.Verdict; {
	case is.Ran():
		return n, hasRun
	case is == auditor.Unknown && was != auditor.Unknown:
		return n, unclear
	case n.Recover:
		return n, stillLost
	}
	return n, notToRecover
}

// outdated says that the audit is to be made anew before anything is done. That is asked when the first firing has its turn, and
// again when it has waited; once this plan has made runs they speak in a new audit as much as those of others.
func (w *work) outdated(a Admission, now time.Time) bool {
	return w.Replan != nil && !w.acted && now.Sub(w.audited) > freshAudit && (!w.replanned || a.Decision == Go)
}

// auditAgain has each firing in the queue stand as a new audit sees it.
func (w *work) auditAgain(ctx context.Context) error {
	newer, err := w.Replan(ctx, w.key)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return &failure{requestAudit, err}
	}
	w.audited, w.replanned = w.Now(), true
	for _, it := range w.queue {
		if it.standing == hasRun || it.standing == notToRecover {
			continue // nothing beats a run, and what was left once is left
		}
		var step Step
		switch step, it.standing = it.step.standingIn(newer); it.standing {
		case stillLost:
			it.step, it.result.Finding = step, step.Finding
			if step.Finding.Verdict != auditor.Unknown { // which vouches for nothing
				it.absent, it.passed = newer.MadeAt, newer.LastScheduledTime
			}
		case hasRun:
			it.result.MadeBy, it.result.CreatedAt = byVerdict(step.Finding.Verdict), step.Finding.CreatedAt
			it.whyNot = noLongerLost(whose(step.Finding.Verdict))
		case unclear:
			it.whyNot = "A new audit cannot tell any more whether it ran"
		case notToRecover:
			it.step, it.result.Finding, it.whyNot = step, step.Finding, step.Why
		}
		it.log.Info("audited anew", "standing", string(it.standing), "verdict", step.Finding.Verdict)
	}
	return nil
}

// overtaken ends an item that a new audit does not find to be recovered.
func (w *work) overtaken(it *item) (t turn, over bool) {
	switch it.standing {
	case hasRun:
		return w.finish(it, AlreadyThere, "", it.whyNot), true
	case notToRecover:
		return w.finish(it, Left, it.step.Reason, it.whyNot), true
	}
	return turn{}, false
}

// noLongerLost says whose run has overtaken a plan.
func noLongerLost(whose string) string {
	return fmt.Sprintf("It is no longer lost: it was run by %s since.", whose)
}

func whose(verdict auditor.Verdict) string {
	if verdict == auditor.Backfilled {
		return "Rollcall"
	}
	return "Argo"
}

// byVerdict is Result.MadeBy of a run of which only the verdict is known: which Rollcall made it is not.
func byVerdict(verdict auditor.Verdict) string {
	if verdict == auditor.Backfilled {
		return ""
	}
	return ByArgo
}

// newAudit is how long it may take an audit to take in what Argo did just now.
const newAudit = 5 * time.Second

// ranMeanwhile ends an item whose run is not there but may have come and gone since the audit: Argo, back again, starts the newest
// lost firing itself, and its history limits may delete that run while others are recovered. Nor need it be the newest: a create that
// Argo sent long ago may hang for minutes and be carried out then. Another Rollcall runs whatever is lost, also what Argo had gone
// past before the audit.
func (w *work) ranMeanwhile(look Look, it *item, now time.Time) (t turn, ran bool) {
	if run, ok := w.sighted[it.at]; ok {
		it.result.UID, it.result.CreatedAt, it.result.MadeBy = run.UID, run.CreatedAt, madeBy(run)
		return w.finish(it, AlreadyThere, "", "Its run was seen during this recovery and has been deleted since."), true
	}
	last := ranByStatus(look.CronWorkflow.Status)
	passed := !last.Before(it.at) && it.passed.Before(it.at) && !slices.ContainsFunc(w.watched, last.Equal)
	other, others := w.ofAnother(look, it)
	sign := it.whyNot
	switch {
	case passed:
		sign = fmt.Sprintf("Argo has gone past it since the audit, to %s, and may have run it", stamp(last))
	case others:
		sign = fmt.Sprintf("Another Rollcall (%s) has made run %s since the audit, and may have run this firing too", other.BackfilledBy, other.Name)
	case it.standing != unclear:
		return turn{}, false
	}
	since := it.absent
	if w.Patience > 0 {
		since = it.at // a plan is as old as what was watched for it, and a watch may be silent
	}
	why := mayBeGone(look, since, now)
	if why == "" {
		return turn{}, false
	}
	why = fmt.Sprintf("%s; it is not created, since %s.", sign, why)
	if w.Patience > 0 && it.sent.IsZero() {
		return w.putOff(pending{now.Add(newAudit), Requeued, "", why}), true // who audits all the time will know
	}
	return w.finish(it, Uncertain, NotSettled, why), true
}

// ofAnother is a run that another Rollcall has made since the audit of the item: neither does the plan know of it, nor has it been made
// for it. An audit is as of its end, and some of it was read before.
func (w *work) ofAnother(look Look, it *item) (auditor.Run, bool) {
	i := slices.IndexFunc(look.Runs, func(run auditor.Run) bool {
		return run.BackfilledBy != "" && owns(w.key, run) && !run.CreatedAt.Before(it.absent.Add(-clockSkew)) && !w.accounted(run)
	})
	if i < 0 {
		return auditor.Run{}, false
	}
	return look.Runs[i], true
}

// accounted says whether a run was made by this plan, or was known to it from the start.
func (w *work) accounted(run auditor.Run) bool {
	known := slices.ContainsFunc(w.plan.Steps, func(s Step) bool {
		return s.Finding.Verdict == auditor.Backfilled && auditor.WorkflowName(w.key.Name, s.Finding.ScheduledTime) == run.Name
	})
	return known || slices.ContainsFunc(w.items, func(it *item) bool {
		return it.result.Workflow == run.Name && it.result.Creates > 0 && run.BackfilledBy == w.Policy.By
	})
}
