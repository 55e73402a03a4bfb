package auditor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// cause says why a firing was lost, and on what grounds.
func (f *firing) cause() (Cause, []string) {
	if !f.in.CronWorkflow.Served {
		return Unserved, []string{"No Argo controller has ever looked after this CronWorkflow: it has neither a lastScheduledTime nor a last-used-schedule."}
	}
	if messages := f.submissionErrorsAt(); len(messages) > 0 {
		message := messages[0]
		return SubmissionError, []string{"Argo tried and failed: " + message}
	}
	invalid := "Argo finds the CronWorkflow invalid: " + f.in.CronWorkflow.Status.SpecError
	if f.foundInvalid() && f.sinceLastSuccess() {
		return SpecError, []string{invalid}
	}
	if sentence, down := f.controllerDown(); down {
		return ControllerDown, []string{sentence}
	}
	if f.foundInvalid() {
		return SpecError, []string{invalid}
	}
	if message := f.in.CronWorkflow.Status.SubmissionError; message != "" && f.sinceLastSuccess() {
		return SubmissionError, []string{"Argo has failed to create runs of it since its last success: " + message}
	}
	if sentence, alive := f.controllerAlive(); alive {
		return Unscheduled, []string{sentence}
	}
	if f.leadsInSilence() {
		return Undetermined, []string{fmt.Sprintf("Argo's controller holds its lease, renewed at %s, but has written nothing since before the scheduled time.", stamp(f.in.Controller.Lease.RenewedAt))}
	}
	if held := f.heldLease(); held != "" {
		return Undetermined, []string{held}
	}
	return Undetermined, nil
}

// submissionErrorsAt are the errors with which Argo failed to create this very firing.
func (f *firing) submissionErrorsAt() []string { return f.errorsAt(f.withinGrace) }

func (f *firing) errorsAt(in func(time.Time) bool) (messages []string) {
	if f.in.Record != nil {
		for _, e := range f.in.Record.Errors {
			if in(e.At) {
				messages = append(messages, e.Message)
			}
		}
	}
	// The condition bears no time, but Argo wrote it with its last write.
	status := f.in.CronWorkflow.Status
	if status.SubmissionError != "" && in(status.WrittenAt) {
		messages = append(messages, status.SubmissionError)
	}
	return messages
}

// clockSkew is how far Argo's clock may be ahead.
const clockSkew = 5 * time.Second

// mayBeSubmitted says whether Argo may have failed to create this very firing in such a way that the API server has created it all the
// same: it did not say no.
func (f *firing) mayBeSubmitted() bool {
	messages := f.errorsAt(func(t time.Time) bool { return f.withinGrace(t) || f.withinGrace(t.Add(clockSkew)) })
	if status := f.in.CronWorkflow.Status; status.SubmissionError != "" && f.sinceLastSuccess() {
		messages = append(messages, status.SubmissionError)
	}
	return slices.ContainsFunc(messages, func(message string) bool {
		return !slices.ContainsFunc(refusals, func(r string) bool { return strings.Contains(message, r) })
	})
}

// refusals are in the API server's words when it did not create something; or in Argo's, when it did not even ask for it.
var refusals = []string{runPolicyErrors, "forbidden", "denied the request", "is invalid", "not found", "Unauthorized", "no matches for kind", "too many requests"}

func (f *firing) withinGrace(t time.Time) bool { return !t.Before(f.at) && !t.After(f.at.Add(f.grace)) }

// sinceLastSuccess says whether the firing lies between the last run and Argo's last write: a condition that a success
// clears has stood since then.
func (f *firing) sinceLastSuccess() bool {
	status := f.in.CronWorkflow.Status
	return f.at.After(status.LastScheduledTime) && !f.at.After(status.WrittenAt)
}

// foundInvalid says whether the SpecError that stands explains the firing. Argo takes the condition away once the CronWorkflow is found
// valid as it fires, but to find it invalid again with the same words changes nothing, so Argo's last write stays that of the first
// time (unlike that of a SubmissionError, each of which is counted in status.failed). An edit since may have mended the spec.
func (f *firing) foundInvalid() bool {
	status := f.in.CronWorkflow.Status
	return status.SpecError != "" && f.at.After(status.LastScheduledTime) && !f.epoch.from.After(status.WrittenAt)
}

// controllerDown says whether the controller's signs of life stopped around the firing. A lease alone proves nothing when it is
// older than a write of the controller: it is left over from a time when leader election was on. Nor does one that is held:
// a controller that comes back under the same identity, as after a restart of its container, keeps the time of acquisition.
func (f *firing) controllerDown() (string, bool) {
	before, after := f.signsOfLife()
	if before.IsZero() {
		return "", false
	}
	wrote := f.withinGrace(after)
	if lease := f.in.Controller.Lease; lease != nil {
		expires := lease.RenewedAt.Add(lease.Duration)
		leftOver := len(f.writes) > 0 && f.writes[len(f.writes)-1].After(expires)
		switch {
		case leftOver:
		case wrote && (!lease.AcquiredAt.After(f.at) || after.Before(lease.AcquiredAt)):
			return "", false // only what was written under a lease taken after the firing is the work of one that was not there yet
		case lease.RenewedAt.Before(f.at) && lease.ranOut(f.now):
			return fmt.Sprintf("Argo's controller last renewed its lease at %s and wrote nothing around the scheduled time.", stamp(lease.RenewedAt)), true
		case lease.AcquiredAt.After(f.at) && (after.IsZero() || !after.Before(lease.AcquiredAt)):
			return fmt.Sprintf("Argo's controller wrote nothing from %s on and took its lease again at %s.", stamp(before), stamp(lease.AcquiredAt)), true
		default:
			return "", false // it leads: it may have been there all the time, or have come back
		}
	}
	if wrote {
		return "", false
	}
	if f.foundInvalid() {
		return "", false // none of its firings causes a write
	}
	// Otherwise silence tells only where more than this firing should have caused a write.
	silent := f.now
	if !after.IsZero() {
		silent = after.Add(-minGrace) // the firing that broke the silence is accounted for
	}
	due, _ := f.epoch.schedule.Firings(before, silent, 2)
	if len(due) < 2 {
		return "", false
	}
	if after.IsZero() {
		return fmt.Sprintf("Argo's controller has written nothing since %s.", stamp(before)), true
	}
	return fmt.Sprintf("Argo's controller wrote nothing between %s and %s.", stamp(before), stamp(after)), true
}

// signsOfLife are the last write of the controller before the firing and the first one from it on; zero where there is none.
func (f *firing) signsOfLife() (before, after time.Time) {
	i, _ := slices.BinarySearchFunc(f.writes, f.at, time.Time.Compare)
	if i > 0 {
		before = f.writes[i-1]
	}
	if i < len(f.writes) {
		after = f.writes[i]
	}
	if lease := f.in.Controller.Lease; lease != nil && lease.RenewedAt.Before(f.at) {
		before = later(before, lease.RenewedAt)
	}
	return before, after
}

// controllerAlive says whether the controller was at work when the firing was due.
func (f *firing) controllerAlive() (string, bool) {
	if _, wrote := f.signsOfLife(); f.withinGrace(wrote) {
		return fmt.Sprintf("Argo's controller was at work (it wrote at %s) but created nothing for it.", stamp(wrote)), true
	}
	return "", false
}

// betweenWrites is how far apart two signs of life may be for the controller to be taken to have been at work between them.
const betweenWrites = time.Minute

// atWorkAround says whether the controller was at work before and after the firing, though not within its grace: a short one may hold
// no write, as where Argo's clock is a little ahead. May says that this can still show.
func (f *firing) atWorkAround() (around, may bool) {
	before, after := f.signsOfLife()
	switch {
	case before.IsZero():
		return false, false
	case after.IsZero():
		return false, f.now.Sub(before) <= betweenWrites
	}
	return after.Sub(before) <= betweenWrites, false
}

// leadsInSilence says whether the controller holds its lease now and has written nothing since before the firing: either it has
// only just come back, or its schedule is stuck.
func (f *firing) leadsInSilence() bool {
	return f.silent() && f.in.Controller.Lease.RenewedAt.After(f.at.Add(f.grace))
}

// mayLeadInSilence says whether that will be so when the controller renews its lease once more: the firing's grace is only just
// over.
func (f *firing) mayLeadInSilence() bool {
	return f.silent() && !f.in.Controller.Lease.RenewedAt.After(f.at.Add(f.grace))
}

// silent says whether somebody holds the lease now and the controller has written nothing since before the firing.
func (f *firing) silent() bool {
	lease := f.in.Controller.Lease
	before, after := f.signsOfLife()
	return lease != nil && !before.IsZero() && after.IsZero() && !lease.ranOut(f.now)
}

// heldLease says in a sentence that one identity held the lease over the firing, which does not tell whether it was there.
func (f *firing) heldLease() string {
	lease := f.in.Controller.Lease
	if lease == nil || lease.AcquiredAt.After(f.at) || lease.RenewedAt.Before(f.at) {
		return ""
	}
	return fmt.Sprintf("Argo's controller has held its lease since %s under one name, so it was there, or came back under that name; nothing that was read shows it at work around the scheduled time.", stamp(lease.AcquiredAt))
}
