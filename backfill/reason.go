package backfill

import "rollcall.dev/rollcall/auditor"

// Reasons why a firing is not recovered, beside those that the auditor has for verdicts. None of these is a verdict's.
const (
	// NotTaken: its verdict is none that this recovery takes.
	NotTaken auditor.Reason = "NotTaken"
	// NotCertain: its absence is only likely, which is not enough for an automatic recovery.
	NotCertain auditor.Reason = "NotCertain"
	// NotServed: no Argo controller has looked after the CronWorkflow.
	NotServed auditor.Reason = "NotServed"
	// NoDeadline: without a starting deadline there is no automatic recovery.
	NoDeadline auditor.Reason = "NoDeadline"
	// DeadlineTooShort: the starting deadline is too short for an automatic recovery.
	DeadlineTooShort auditor.Reason = "DeadlineTooShort"
	// SwitchedOff: an annotation or flag says not to recover.
	SwitchedOff auditor.Reason = "SwitchedOff"
	// NameTooLong: Argo schedules no CronWorkflow of such a name.
	NameTooLong auditor.Reason = "NameTooLong"
	// NotOnSchedule: the present schedule does not name that time.
	NotOnSchedule auditor.Reason = "NotOnSchedule"
	// NotDue: the scheduled time is still ahead.
	NotDue auditor.Reason = "NotDue"
	// NoRoom: the run would get in the way of a live run.
	NoRoom auditor.Reason = "NoRoom"
	// Gone: the CronWorkflow has been deleted, or is another one of the same name.
	Gone auditor.Reason = "Gone"
	// RetriesEnded: without a starting deadline, it was tried for as long as Timing.RetryFor allows.
	RetriesEnded auditor.Reason = "RetriesEnded"
	// NotSettled: a create may have been carried out, and whether it was can no longer be told.
	NotSettled auditor.Reason = "NotSettled"
	// NotAllowed: the API server refuses until somebody acts: a quota, missing rights, an admission webhook.
	NotAllowed auditor.Reason = "NotAllowed"
	// Stopping: the recovery was interrupted.
	Stopping auditor.Reason = "Interrupted"
)
