package auditor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// firing is one scheduled time under judgement.
type firing struct {
	*roll
	at       time.Time
	epoch    epoch
	grace    time.Duration
	deadline time.Time // the starting deadline as an absolute time; zero for none
	name     string
	// absentBefore says that an earlier look found it due and absent: rows 9 to 12 ask what was the case at its time, and what
	// they answered then they answer still, though what they rested on may be gone.
	absentBefore bool
}

func (r *roll) firing(e epoch, at time.Time) *firing {
	f := &firing{roll: r, at: at, epoch: e, grace: r.grace(e.spec), name: WorkflowName(r.in.CronWorkflow.Name, at)}
	if d := r.deadline(e.spec); d > 0 {
		f.deadline = at.Add(d)
	}
	_, f.absentBefore = f.lostBefore()
	return f
}

// lostBefore is what an earlier look found of the firing; false where it did not find it lost.
func (f *firing) lostBefore() (Finding, bool) {
	for _, found := range f.in.Lost {
		if found.ScheduledTime.Equal(f.at) {
			return found, true
		}
	}
	return Finding{}, false
}

// ruling is what one row of the table says of a firing. An empty verdict passes it on to the next row.
type ruling struct {
	verdict   Verdict
	reason    Reason
	createdAt time.Time
	// said are the grounds, one sentence each; where the row does not hold, why not.
	said []string
}

func pass(sentence string, args ...any) ruling {
	return ruling{said: []string{fmt.Sprintf(sentence, args...)}}
}

// table is the decision table: the first row that holds decides.
//
//	 #  holds                                                              verdict        reason
//	 1  the record or a Workflow of the exact name and owner says it ran   Backfilled / OnTime / Late
//	 2  a run under the zero time's name, created within grace             OnTime         ZeroTimeName
//	 3  the archive has it                                                 as in row 1    Archived
//	 4  status.lastScheduledTime equals it, not by Rollcall's hand         OnTime         StatusOnly
//	 5  the exact name belongs to somebody else                            Unknown        NameTaken
//	 6  (@every has no fixed phase: nothing is called due, so only firings that ran are listed, and rows 1 to 3 decide them)
//	 7  grace is not over / was not when the evidence was read             Pending / Unknown  EvidenceOlder
//	 8  recovery ended without a run                                       GaveUp         why it ended
//	 9  the spec at that time is not known, or it was just edited          Unknown        SpecUnknown
//	10  suspended or stopped                                               Skipped        Suspended / Stopped
//	11  Forbid, and another run was active / may have been                 Skipped / Unknown  Forbidden / ForbidUnclear
//	12  when was false / cannot be judged for that time                    Skipped / Unknown  When / WhenUnknown
//	13  absent, and a newer firing ran that makes this one pointless       Skipped        Superseded
//	14  a run could have been deleted since                                Unknown        EvidenceGone
//	15  absent, the starting deadline ahead                                Missed
//	16  absent, none or passed                                             Expired
//
// Rows 1 to 5 come first because nothing beats a run: whatever else the evidence says, a firing that ran is not lost.
var table = []struct {
	number   int
	question string
	rule     func(*firing) ruling
}{
	{1, "Is there a run of it, or a record of one?", (*firing).ran},
	{2, "Did it run under the name of the zero time?", (*firing).ranAsZeroTime},
	{3, "Does the archive have a run of it?", (*firing).ranInArchive},
	{4, "Does status.lastScheduledTime say that it ran?", (*firing).ranByStatus},
	{5, "Is its name taken by somebody else?", (*firing).nameTaken},
	{7, "Is it still too early to tell?", (*firing).pending},
	{8, "Was its recovery given up?", (*firing).gaveUp},
	{9, "Is the spec in effect at that time unknown?", (*firing).specUnknown},
	{10, "Was the schedule suspended or stopped?", (*firing).switchedOff},
	{11, "Did concurrencyPolicy Forbid keep it from running?", (*firing).forbidden},
	{12, "Did its when expression keep it from running?", (*firing).conditional},
	{13, "Has a newer firing made it pointless?", (*firing).superseded},
	{14, "Could a run of it have been deleted since?", (*firing).evidenceGone},
	{15, "Is its starting deadline still ahead?", (*firing).missed},
	{16, "Is it lost?", (*firing).expired},
}

// judge applies the table and says what each row answered.
func (f *firing) judge() (Finding, []Step) {
	var steps []Step
	settled := 12
	if before, _ := f.lostBefore(); before.Verdict == Expired {
		settled = 13 // it was too late for it before the newer firing ran
	}
	for _, row := range table {
		if f.absentBefore && row.number >= 9 && row.number <= settled {
			continue
		}
		r := row.rule(f)
		if r.verdict == Skipped && row.number <= 12 {
			r = f.unlessLate(r)
		}
		steps = append(steps, Step{Row: row.number, Question: row.question, Answer: strings.Join(r.said, " "), Decides: r.verdict != ""})
		if r.verdict != "" {
			return f.finding(r), steps
		}
	}
	return Finding{}, steps // never reached: row 16 holds for whatever gets to it
}

// unlessLate is a skip, unless Argo may have started the firing later inside its deadline, as when the run ended that was in its way,
// and that run been deleted since.
func (f *firing) unlessLate(skip ruling) ruling {
	if f.epoch.spec.StartingDeadline == 0 {
		return skip
	}
	if certainty, _ := f.absence(); certainty != "" {
		return skip
	}
	said := append(slices.Clone(skip.said), fmt.Sprintf("Argo may have started it later, until %s, and a run of it may have been deleted since.", stamp(f.at.Add(f.epoch.spec.StartingDeadline))))
	return ruling{Unknown, EvidenceGone, time.Time{}, said}
}

func (f *firing) finding(r ruling) Finding {
	found := Finding{
		ScheduledTime: f.at, Workflow: f.name, Verdict: r.verdict, Reason: r.reason,
		CreatedAt: r.createdAt, Evidence: r.said,
	}
	if !r.verdict.Lost() {
		return found
	}
	var grounds []string
	found.Deadline = f.deadline
	found.Certainty, grounds = f.absence()
	found.Evidence = append(found.Evidence, grounds...)
	found.Cause, grounds = f.cause()
	if before, ok := f.lostBefore(); ok && found.Cause == Undetermined && before.Cause != "" && before.Cause != Undetermined {
		found.Cause, grounds = before.Cause, []string{fmt.Sprintf("The record has %s as the cause.", before.Cause)}
	}
	found.Evidence = append(found.Evidence, grounds...)
	return found
}
