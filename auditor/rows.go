package auditor

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// zeroTimeSuffix ends the name of a run whose scheduled time Argo took for the zero time: "-" and time.Time{}.Unix().
const zeroTimeSuffix = "--62135596800"

// forbidLag is how long a run that ended may still keep Forbid from running: Argo reconciles status.active in a pass every 10 s.
const forbidLag = 15 * time.Second

// Row 1.
func (f *firing) ran() ruling {
	seen := f.ranAsWorkflow()
	recorded, ok := f.recorded()
	switch {
	case !ok:
		return seen
	case seen.verdict == recorded.Verdict && seen.createdAt.Equal(recorded.CreatedAt):
		return seen // it says more
	case recorded.CreatedAt.IsZero():
		return ruling{recorded.Verdict, StatusOnly, recorded.CreatedAt, []string{fmt.Sprintf(
			"The record has its run as %s: Argo was seen to write it to status.lastScheduledTime.", recorded.Verdict)}}
	}
	said := []string{fmt.Sprintf("The record has its run as %s.", recorded.Verdict)}
	if seen.verdict != "" {
		said = append(said, seen.said[0])
	}
	return ruling{recorded.Verdict, "", recorded.CreatedAt, said}
}

// recorded is the run of the firing as the record has it. There is one of each firing, unless somebody has edited the record.
func (f *firing) recorded() (run RecordedRun, ok bool) {
	if f.in.Record == nil {
		return RecordedRun{}, false
	}
	for _, r := range f.in.Record.Runs {
		if r.ScheduledTime.Equal(f.at) && (!ok || cmp.Or(r.CreatedAt.Compare(run.CreatedAt), cmp.Compare(r.Verdict, run.Verdict)) < 0) {
			run, ok = r, true
		}
	}
	return run, ok
}

func (f *firing) ranAsWorkflow() ruling {
	runs := f.runs[f.name]
	if len(runs) == 0 || !f.owns(runs[0]) {
		return pass("No Workflow %s of this CronWorkflow exists, and no record has one.", f.name)
	}
	run := runs[0]
	if run.BackfilledBy != "" {
		return ruling{Backfilled, "", run.CreatedAt, []string{fmt.Sprintf("Workflow %s exists; Rollcall (%s) created it at %s.", run.Name, run.BackfilledBy, stamp(run.CreatedAt))}}
	}
	if earliest, ok := f.archivedAt(); ok && earliest.Before(run.CreatedAt) {
		return f.ranAt(earliest, Archived, fmt.Sprintf("Workflow %s exists; the archive has it since %s.", run.Name, stamp(earliest)))
	}
	return f.ranAt(run.CreatedAt, "", fmt.Sprintf("Workflow %s exists, created at %s.", run.Name, stamp(run.CreatedAt)))
}

func (f *firing) ranAt(created time.Time, reason Reason, sentence string) ruling {
	lateness := created.Sub(f.at)
	if lateness > f.opts.LateAfter {
		return ruling{Late, reason, created, []string{sentence, fmt.Sprintf("That is %s after the scheduled time.", lateness)}}
	}
	return ruling{OnTime, reason, created, []string{sentence}}
}

// Row 2: argo-workflows v3.7.18, workflow/cron/cron_facade.go: a schedule that is registered again as a firing starts has no
// previous firing yet, so the scheduled time is the zero time.
func (f *firing) ranAsZeroTime() ruling {
	for _, run := range f.runs[f.in.CronWorkflow.Name+zeroTimeSuffix] {
		if f.owns(run) && !run.CreatedAt.Before(f.at) && !run.CreatedAt.After(f.at.Add(f.grace)) && !f.firedBetween(run.CreatedAt) {
			return ruling{OnTime, ZeroTimeName, run.CreatedAt, []string{fmt.Sprintf(
				"Workflow %s was created at %s: Argo registered the schedule anew as it fired and took the scheduled time for the zero time.", run.Name, stamp(run.CreatedAt))}}
		}
	}
	return pass("No run under that name was created within %s after it.", f.grace)
}

// firedBetween says whether a newer firing was due until t: a run under the zero time's name then is that one's.
func (f *firing) firedBetween(t time.Time) bool {
	next, ok := f.epoch.schedule.Next(f.at)
	return ok && !next.After(t)
}

// Row 3.
func (f *firing) ranInArchive() ruling {
	created, ok := f.archivedAt()
	if !ok {
		if len(f.in.Archived) == 0 {
			return pass("No archive was asked, or it has no run of this CronWorkflow.")
		}
		return pass("The archive has no Workflow %s of this CronWorkflow.", f.name)
	}
	for _, run := range f.archived[f.name] {
		if f.owns(run) && run.BackfilledBy != "" {
			return ruling{Backfilled, Archived, created, []string{fmt.Sprintf("The archive has Workflow %s, which Rollcall created at %s.", f.name, stamp(created))}}
		}
	}
	return f.ranAt(created, Archived, fmt.Sprintf("The archive has Workflow %s, created at %s.", f.name, stamp(created)))
}

// archivedAt is when the first of this CronWorkflow's archived runs of the exact name was created; a retry from the archive
// keeps the name under a new UID.
func (f *firing) archivedAt() (time.Time, bool) {
	if runs := f.archived[f.name]; len(runs) > 0 && f.owns(runs[0]) {
		return runs[0].CreatedAt, true
	}
	return time.Time{}, false
}

// Row 4.
func (f *firing) ranByStatus() ruling {
	last := f.in.CronWorkflow.Status.LastScheduledTime
	switch {
	case last.IsZero():
		return pass("It has no lastScheduledTime.")
	case !last.Equal(f.at):
		return pass("It is %s.", stamp(last))
	case f.wroteLastScheduled(last):
		return pass("It is, but Rollcall wrote it there.")
	}
	return ruling{OnTime, StatusOnly, time.Time{}, []string{fmt.Sprintf(
		"status.lastScheduledTime is %s, which Argo writes when it has created the run; the Workflow itself is gone.", stamp(last))}}
}

// Row 5.
func (f *firing) nameTaken() ruling {
	runs := f.runs[f.name]
	if len(runs) == 0 {
		return pass("No Workflow of that name exists.")
	}
	owner := "nobody"
	if runs[0].Owner != "" {
		owner = "UID " + runs[0].Owner
	}
	return ruling{Unknown, NameTaken, time.Time{}, []string{fmt.Sprintf(
		"Workflow %s exists but is owned by %s and not by this CronWorkflow (UID %s).", f.name, owner, f.in.CronWorkflow.UID)}}
}

// Row 7.
func (f *firing) pending() ruling {
	until := f.at.Add(f.grace)
	switch {
	case f.now.Before(until):
		return ruling{Pending, "", time.Time{}, []string{fmt.Sprintf("Argo has until %s to start it (grace %s).", stamp(until), f.grace)}}
	case f.outdated() && f.in.ReadAt.Before(until):
		return ruling{Unknown, EvidenceOlder, time.Time{}, []string{fmt.Sprintf("Argo had until %s to start it (grace %s), and the evidence is of %s.", stamp(until), f.grace, stamp(f.in.ReadAt))}}
	}
	return pass("Its grace of %s was over at %s.", f.grace, stamp(until))
}

// Row 8.
func (f *firing) gaveUp() ruling {
	if f.in.Record == nil {
		return pass("No record of a recovery.")
	}
	var r Recovery
	for _, of := range f.in.Record.Recoveries {
		if of.ScheduledTime.Equal(f.at) && compareProgress(of, r) > 0 {
			r = of
		}
	}
	said := []string{fmt.Sprintf("Recovery was tried %d times.", r.Attempts)}
	if r.LastError != "" {
		said = append(said, "The last error: "+r.LastError)
	}
	if r.Ended != "" {
		return ruling{GaveUp, r.Ended, time.Time{}, said}
	}
	if r.Attempts > 0 && f.tooLate() {
		if certainty, _ := f.absence(); certainty == "" {
			return pass("Recovery was tried %d times, and the run of an attempt may have come and gone.", r.Attempts)
		}
		return ruling{GaveUp, DeadlinePassed, time.Time{}, said}
	}
	return pass("No recovery of it has ended.")
}

// compareProgress orders by how far recoveries have come. A record holds one of each firing, unless somebody has edited it.
func compareProgress(a, b Recovery) int {
	return cmp.Or(cmp.Compare(a.Ended, b.Ended), cmp.Compare(a.Attempts, b.Attempts), cmp.Compare(a.LastError, b.LastError))
}

// tooLate says whether the firing has no starting deadline or that has passed. Argo starts an outstanding firing while now is
// before the deadline, so at the deadline itself it is too late.
func (f *firing) tooLate() bool { return f.deadline.IsZero() || !f.now.Before(f.deadline) }

// Row 9.
func (f *firing) specUnknown() ruling {
	unknown := func(sentence string, args ...any) ruling {
		return ruling{Unknown, SpecUnknown, time.Time{}, []string{fmt.Sprintf(sentence, args...)}}
	}
	if !f.epoch.known {
		return unknown("The spec was edited at %s; what it said before is not known.", stamp(f.epoch.until))
	}
	if settled := f.epoch.from.Add(f.grace); !f.at.After(settled) {
		return unknown("The spec in effect was written at %s, so shortly before that Argo may not have registered the schedule yet.", stamp(f.epoch.from))
	}
	if f.epoch.spec.Suspend && f.epoch.until.IsZero() && !f.at.After(f.newestArgo) {
		// Where nothing tells of edits, as without managedFields, what holds now is taken to have held since the creation.
		return unknown("It is suspended now, but Argo has run its firing of %s, so it was not at that time; since when it has been is not known.", stamp(f.newestArgo))
	}
	if doubt := f.doubt(); doubt != "" {
		return unknown("%s", doubt)
	}
	return pass("The spec has been the same since %s.", stamp(f.epoch.from))
}

// Row 10.
func (f *firing) switchedOff() ruling {
	skipped := func(reason Reason, sentence string, args ...any) ruling {
		return ruling{Skipped, reason, time.Time{}, []string{fmt.Sprintf(sentence, args...)}}
	}
	if f.epoch.spec.Suspend {
		return skipped(Suspended, "spec.suspend has been true since %s.", stamp(f.epoch.from))
	}
	if f.in.Record != nil {
		stopped := newestUpTo(f.in.Record.Stopped, f.at.Add(f.grace))
		if !stopped.IsZero() && !newestUpTo(f.in.Record.Resumed, f.at).After(stopped) {
			return skipped(Stopped, "Its phase was seen Stopped at %s.", stamp(stopped))
		}
	}
	// Where somebody watched, the record would say so.
	status := f.in.CronWorkflow.Status
	if status.Stopped && f.at.After(status.LastScheduledTime) && (f.in.Record == nil || !f.watched(f.at)) {
		return skipped(Stopped, "Its phase is Stopped: the stopStrategy ended it after the run of %s.", orNever(status.LastScheduledTime))
	}
	return pass("It was neither.")
}

func newestUpTo(times []time.Time, until time.Time) (newest time.Time) {
	for _, t := range times {
		if !t.After(until) {
			newest = later(newest, t)
		}
	}
	return newest
}

// Row 11.
func (f *firing) forbidden() ruling {
	if f.epoch.spec.Policy != Forbid {
		return pass("Its concurrencyPolicy is not Forbid.")
	}
	if messages := f.submissionErrorsAt(); len(messages) > 0 {
		return pass("Argo did try to create it: %s", messages[0])
	}
	skipped := func(sentence string, args ...any) ruling {
		return ruling{Skipped, Forbidden, time.Time{}, []string{fmt.Sprintf(sentence, args...)}}
	}
	if seen, ok := f.activeAsSeen(); ok {
		switch run := f.madeSince(seen.At); {
		case seen.Runs > 0:
		case run != nil:
			return ruling{Unknown, ForbidUnclear, time.Time{}, []string{fmt.Sprintf(
				"status.active was seen empty from %s on, but Argo made run %s at %s, which was under way: what it held then is not known.", stamp(seen.At), run.Name, stamp(run.CreatedAt))}}
		default:
			return pass("No run was active then: status.active was seen empty from %s on.", stamp(seen.At))
		}
		return skipped("status.active held %d runs from %s on.", seen.Runs, stamp(seen.At))
	}
	active, justEnded := f.activeAt(f.at)
	switch {
	case active != nil && active.began().Sub(active.CreatedAt) > retriedAfter && !active.began().Before(f.at):
		return ruling{Unknown, ForbidUnclear, time.Time{}, []string{fmt.Sprintf(
			"Run %s was made at %s and began at %s, as after a retry: whether it was active then cannot be told.", active.Name, stamp(active.CreatedAt), stamp(active.began()))}}
	case active != nil:
		return skipped("Run %s was active then: started at %s, %s.", active.Name, stamp(active.began()), ended(*active))
	case justEnded != nil:
		return ruling{Unknown, ForbidUnclear, time.Time{}, []string{fmt.Sprintf(
			"Run %s ended at %s, so shortly before that Argo may still have taken it for active.", justEnded.Name, stamp(justEnded.FinishedAt))}}
	}
	if gone := f.blockerGone(); gone != "" {
		return ruling{Unknown, ForbidUnclear, time.Time{}, []string{gone}}
	}
	return pass("No run that Argo counts was active then.")
}

// retriedAfter is after how long a run that begins is taken to have been retried: that sets its time anew (workflow/util,
// FormulateRetryWorkflow).
const retriedAfter = time.Minute

// activeAt finds a run that Argo counts and that was active at t, or else one that had ended so shortly before that Argo may
// still have taken it for active; nil where there is none.
func (r *roll) activeAt(t time.Time) (active, justEnded *Run) {
	for i := range r.byCreation {
		run := &r.byCreation[i]
		if !run.CreatedAt.Before(t) {
			break
		}
		switch {
		case run.Name == WorkflowName(r.in.CronWorkflow.Name, t):
		case !run.Finished() || run.FinishedAt.After(t):
			return run, nil
		case t.Sub(run.FinishedAt) <= forbidLag:
			justEnded = run
		}
	}
	return nil, justEnded
}

// madeSince finds a run of another firing, a newer one where Argo's clock is ahead, that Argo made after t and that was under way at
// this one. Argo writes it to status.active at once: where that was last seen at t, either the news of it is late, or it could not be
// written.
func (f *firing) madeSince(t time.Time) *Run {
	for i := range f.byCreation {
		run := &f.byCreation[i]
		at, native := ScheduledTimeOf(f.in.CronWorkflow.Name, run.Name)
		if native && !at.Equal(f.at) && run.BackfilledBy == "" && run.CreatedAt.Add(timestampsLag).After(t) && run.CreatedAt.Before(f.at) && (!run.Finished() || run.FinishedAt.After(f.at)) {
			return run
		}
	}
	return nil
}

// began is when the run started, or was created where that is not known.
func (r Run) began() time.Time {
	if r.StartedAt.IsZero() {
		return r.CreatedAt
	}
	return r.StartedAt
}

// blockerGone says why a run that was active at the firing may have been deleted since, without which a rightful skip cannot be
// told from a miss; empty where none can have been.
func (f *firing) blockerGone() string {
	if slices.ContainsFunc(f.in.Coverage, func(s Stretch) bool { return s.covers(f.at, f.now) }) {
		return ""
	}
	if run := f.newestOnRecord(); run != nil && !f.horizon.from.After(run.CreatedAt) {
		if name := WorkflowName(f.in.CronWorkflow.Name, run.ScheduledTime); len(f.runs[name]) == 0 {
			return fmt.Sprintf("Run %s, made at %s, is on record and cannot be seen: whether it was still active then cannot be told.", name, stamp(run.CreatedAt))
		}
	}
	// Where the firing before ran, Forbid saw to it that nothing else was active then; that run itself has been looked at above.
	// Where a run that is still there kept it from running, the same holds for the one before it.
	for _, before := range slices.Backward(f.epoch.schedule.Last(f.at.Add(-time.Second), 100, f.epoch.from)) {
		if runs := f.runs[WorkflowName(f.in.CronWorkflow.Name, before)]; len(runs) > 0 && f.owns(runs[0]) {
			return ""
		}
		if active, _ := f.activeAt(before); active == nil {
			break
		}
	}
	if !f.horizon.from.Before(f.at) {
		return fmt.Sprintf("A run that was active then could have been deleted since: %s.", f.horizon.why)
	}
	last := f.in.CronWorkflow.Status.LastScheduledTime
	if last.IsZero() || !last.Before(f.at) {
		return ""
	}
	if runs := f.runs[WorkflowName(f.in.CronWorkflow.Name, last)]; len(runs) == 0 || !f.owns(runs[0]) {
		return fmt.Sprintf("The run before it, of %s, is gone: whether it was still active then cannot be told.", stamp(last))
	}
	return ""
}

// newestOnRecord is the one of the runs on record that was made last before the firing; nil where there is none.
func (f *firing) newestOnRecord() (newest *RecordedRun) {
	if f.in.Record == nil {
		return nil
	}
	for i := range f.in.Record.Runs {
		run := &f.in.Record.Runs[i]
		if run.CreatedAt.Before(f.at) && !run.CreatedAt.IsZero() && (newest == nil || run.CreatedAt.After(newest.CreatedAt)) {
			newest = run
		}
	}
	return newest
}

// activeAsSeen is what status.active held at the firing: what it holds now where nobody has written to the object since before that, or
// what was last seen of it, where somebody watched at that time.
func (f *firing) activeAsSeen() (seen ActiveSeen, ok bool) {
	status := f.in.CronWorkflow.Status
	// Where it does not tell when Argo wrote, some of its managedFields have been taken away, and there may have been a newer one.
	if written := status.ChangedAt.Add(time.Second); !status.WrittenAt.IsZero() && !status.ChangedAt.IsZero() && !written.After(f.at) {
		return ActiveSeen{At: written, Runs: len(status.Active)}, true
	}
	if f.in.Record == nil || !f.watched(f.at) {
		return ActiveSeen{}, false
	}
	for _, a := range f.in.Record.Active {
		if !a.At.After(f.at) && (!ok || cmp.Or(a.At.Compare(seen.At), cmp.Compare(a.Runs, seen.Runs)) > 0) {
			seen, ok = a, true
		}
	}
	return seen, ok
}

// watched says whether somebody watched at t.
func (r *roll) watched(t time.Time) bool {
	return slices.ContainsFunc(r.in.Coverage, func(s Stretch) bool { return s.covers(t, t) })
}

// Row 12.
func (f *firing) conditional() ruling {
	expression := f.epoch.spec.When
	if expression == "" {
		return pass("It has none.")
	}
	held, err := f.whenHeld()
	switch {
	case err != nil:
		if message := f.runPolicyError(); message != "" {
			return pass("Argo could not tell either whether it may run, and ran nothing: %s", message)
		}
		return ruling{Unknown, WhenUnknown, time.Time{}, []string{fmt.Sprintf("Whether its when expression was true at the scheduled time cannot be judged: %s.", brief(err))}}
	case !held:
		return ruling{Skipped, When, time.Time{}, []string{fmt.Sprintf("Its when expression was false then: %s", expression)}}
	}
	return pass("It was true: %s", expression)
}

// Row 13. That it was passed over can be said only of a firing that did not run: where a run may have come and gone, the next row
// says so.
func (f *firing) superseded() ruling {
	if !f.newestRun.After(f.at) {
		return pass("No newer firing has run.")
	}
	if certainty, _ := f.absence(); certainty == "" {
		return pass("The firing of %s ran, but so may have this one.", stamp(f.newestRun))
	}
	sentence := fmt.Sprintf("The newer firing of %s ran, and ", stamp(f.newestRun))
	switch {
	case f.epoch.spec.Policy == Replace:
		sentence += "concurrencyPolicy Replace would have ended this one for it."
	case f.opts.CatchUp == CatchUpLatest:
		sentence += "only the latest is worth catching up (catch-up latest)."
	default:
		return pass("The firing of %s ran, but each firing counts here.", stamp(f.newestRun))
	}
	return ruling{Skipped, Superseded, time.Time{}, []string{sentence}}
}

// Row 14.
func (f *firing) evidenceGone() ruling {
	certainty, said := f.absence()
	if certainty == "" {
		return ruling{Unknown, EvidenceGone, time.Time{}, append([]string{fmt.Sprintf("No Workflow %s exists.", f.name)}, said...)}
	}
	answer := map[Certainty]string{Certain: "Certainly not.", Likely: "Probably not."}[certainty]
	return ruling{said: append([]string{answer}, said...)}
}

// Row 15.
func (f *firing) missed() ruling {
	if f.tooLate() {
		if f.deadline.IsZero() {
			return pass("It has none.")
		}
		return pass("It passed at %s.", stamp(f.deadline))
	}
	return ruling{Missed, "", time.Time{}, []string{
		fmt.Sprintf("No Workflow %s exists.", f.name),
		fmt.Sprintf("It may still run until %s.", stamp(f.deadline))}}
}

// Row 16.
func (f *firing) expired() ruling {
	late := "It has no starting deadline, so it cannot be recovered automatically."
	if !f.deadline.IsZero() {
		late = fmt.Sprintf("Its starting deadline passed at %s.", stamp(f.deadline))
	}
	return ruling{Expired, "", time.Time{}, []string{fmt.Sprintf("No Workflow %s exists.", f.name), late}}
}

func ended(run Run) string {
	if !run.Finished() {
		return "not ended yet"
	}
	return "ended at " + stamp(run.FinishedAt)
}

// stamp writes a time as evidence does: UTC, to the second.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func orNever(t time.Time) string {
	if t.IsZero() {
		return "no time"
	}
	return stamp(t)
}
