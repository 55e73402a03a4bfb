package witness

import "time"

// A Verdict is what Rollcall said of a firing at one time.
type Verdict struct {
	Namespace, Name, UID string // of the CronWorkflow
	ScheduledTime        time.Time
	// Verdict is OnTime, Late, Backfilled, Pending, Skipped, Missed, Expired, GaveUp or Unknown.
	Verdict string
	// Reason, Certainty and Cause are empty where there is none.
	Reason, Certainty, Cause string
	SaidAt                   time.Time
	// Final: it stands at the end. All others were said in the course of time, and may have been taken back.
	Final bool
	// Where it was said: the CronAudit, an audit …
	Where string
}

// Said is all that Rollcall said.
type Said struct {
	Verdicts []Verdict
}
