package backfill

import (
	"fmt"
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/schedule"
)

// Decision is what Admit says. The zero value is no decision.
type Decision string

const (
	// Go: create it now.
	Go Decision = "go"
	// Wait: ask again at Admission.Until.
	Wait Decision = "wait"
	// Refuse: do not create it.
	Refuse Decision = "refuse"
)

// Admission says whether a run may be created now.
type Admission struct {
	Decision Decision
	// Until is when to ask again, where the decision is Wait: the exact time where it depends on the clock, a few seconds ahead
	// where it depends on a run.
	Until time.Time
	// Reason is set where the decision is Refuse.
	Reason auditor.Reason
	// Why is a sentence for Wait and Refuse.
	Why string
}

const (
	// quietBefore is how long before a live firing nothing is created or written.
	quietBefore = 5 * time.Second
	// atIt is for how long after its last failure Argo is taken to be trying again: inside a deadline it does so at once, each time with
	// a status that knows of nothing that was written since.
	atIt = 10 * time.Second
	// pollLive is how often to look for the run of a live firing, pollRun how often for the end of a run.
	pollLive = 2 * time.Second
	pollRun  = 5 * time.Second
	// pollAway is how often to ask again while Argo's controller is away: out of step with the 15 s in which its lease is read, between
	// which it may seem to have run out.
	pollAway = 7 * time.Second
)

// admitTable is asked in this order just before every create; the first row that does not pass decides.
//
//	holds                                                                       says
//	the UID is another one                                                      refuse Gone
//	the present spec is not known, or does not parse                            refuse SpecUnknown
//	the scheduled time is ahead                                                 refuse NotDue
//	suspended or stopped; catch-up none, audit off                              refuse Suspended, Stopped, SwitchedOff
//	the present schedule does not name the time                                 refuse NotOnSchedule
//	automatic: no deadline, or one under 20 s                                   refuse NoDeadline, DeadlineTooShort
//	the deadline has passed, and it counts                                      refuse DeadlinePassed
//	a when expression that was false then, is false now, or cannot be judged,
//	and Unknown was not included by hand                                        refuse When, WhenUnknown
//	status.lastScheduledTime says that it ran                                   refuse StatusOnly
//	Replace or catch-up latest, and a newer firing ran                          refuse Superseded
//	the quiet zone around a live firing                                         wait
//	MaxParallel recovered runs are unfinished, detached ones included           wait
//	a stopStrategy: a recovered run is unfinished, or not yet counted by Argo   wait
//	Forbid, Replace: in no interval would it end before the next live firing    refuse NoRoom
//	Replace, or the run may be deleted soon: Argo fails to create one, and
//	tries over and over                                                         wait
//	the run is deleted as it ends, and Argo is there: a create that it sent in
//	time may still be carried out, for a minute, where the deadline allows it   wait
//	Forbid, Replace: any run that Argo counts is active                         wait
//	Forbid, Replace: it would not end before the next live firing               wait for an interval in which it would
//	Forbid, Argo is away, and its starting deadline is shorter than the run     wait
//
// A detached run is not subject to Forbid, Replace and the stopStrategy, see Policy.Detached.
var admitTable = []func(*live) Admission{
	(*live).sameObject,
	(*live).due,
	(*live).switchedOn,
	(*live).onSchedule,
	(*live).inTime,
	(*live).unconditional,
	(*live).notRun,
	(*live).notSuperseded,
	(*live).outsideQuietZone,
	(*live).fewEnough,
	(*live).oneAtATime,
	(*live).roomAtAll,
	(*live).afterArgo,
	(*live).afterItsCreate,
	(*live).alone,
	(*live).room,
	(*live).begins,
}

var pass = Admission{}

func wait(until time.Time, sentence string, args ...any) Admission {
	return Admission{Decision: Wait, Until: until, Why: fmt.Sprintf(sentence, args...)}
}

func (r refusal) admission() Admission {
	if r.why == "" {
		return pass
	}
	return Admission{Decision: Refuse, Reason: r.reason, Why: r.why}
}

// Admit says whether the firing of the CronWorkflow key at the scheduled time may be created now, from a live look. That no
// Workflow of the firing's name exists is for the caller to see to. It is asked again before every retry.
func Admit(look Look, key Key, scheduled time.Time, policy Policy, now time.Time) Admission {
	l := newLive(look, key, scheduled, policy, now)
	for _, row := range admitTable {
		if a := row(l); a.Decision != "" {
			return a
		}
	}
	return Admission{Decision: Go}
}

// live is the state in which one firing asks for admission.
type live struct {
	Look
	key     Key
	at      time.Time
	policy  Policy
	now     time.Time
	spec    auditor.Spec
	firings schedule.Schedule
	known   bool
	parsed  error
}

func newLive(look Look, key Key, scheduled time.Time, policy Policy, now time.Time) *live {
	l := &live{Look: look, key: key, at: scheduled, policy: policy, now: now}
	if spec, ok := presentSpec(look.CronWorkflow); ok {
		firings, err := schedule.Parse(spec.Schedules, spec.Timezone, policy.ControllerZone)
		l.spec, l.firings, l.parsed = spec, firings, err
		l.known = true
	}
	return l
}

func (l *live) sameObject() Admission {
	switch {
	case l.CronWorkflow.UID != l.key.UID:
		return refuse(Gone, "The CronWorkflow has been created anew since (UID %s, it was %s).", l.CronWorkflow.UID, l.key.UID).admission()
	case !l.known:
		return refuse(auditor.SpecUnknown, "What the CronWorkflow says at present is not known.").admission()
	case l.parsed != nil:
		return refuse(auditor.SpecUnknown, "Its present schedule cannot be read: %v.", l.parsed).admission()
	}
	return pass
}

func (l *live) due() Admission {
	if l.at.After(l.now) {
		return refuse(NotDue, "It is not due before %s.", stamp(l.at)).admission()
	}
	return pass
}

func (l *live) switchedOff() Admission { return switchedOff(l.CronWorkflow, l.spec).admission() }

func (l *live) switchedOn() Admission {
	if a := l.switchedOff(); a != pass {
		return a
	}
	return notWanted(l.CronWorkflow, l.policy).admission()
}

func (l *live) onSchedule() Admission {
	if !l.firings.Contains(l.at) {
		return refuse(NotOnSchedule, "The present schedule does not name %s: it has been edited since.", stamp(l.at)).admission()
	}
	return pass
}

func (l *live) inTime() Admission {
	if a := noDeadline(l.CronWorkflow, l.spec, l.policy).admission(); a != pass {
		return a
	}
	return tooLate(l.deadline(), l.policy, l.now).admission()
}

// deadline is zero when there is none or it does not count.
func (l *live) deadline() time.Time {
	if l.policy.IgnoreDeadline {
		return time.Time{}
	}
	return l.policy.deadline(l.CronWorkflow, l.spec, l.at)
}

// unconditional asks whether the when expression held for the firing's own time and holds now.
func (l *live) unconditional() Admission {
	opts := auditor.Options{ControllerZone: l.policy.ControllerZone, Grace: l.policy.Grace, DefaultDeadline: l.policy.DefaultDeadline}
	return conditional(l.spec, l.policy, func() (bool, error) {
		held, err := auditor.WhenHeld(auditor.Input{CronWorkflow: l.CronWorkflow, Runs: l.Runs}, l.at, l.now, opts)
		if err != nil || !held {
			return false, err
		}
		return auditor.WhenHolds(l.CronWorkflow, l.spec, l.now, opts)
	}).admission()
}

// notRun refuses where Argo wrote that the firing ran although no Workflow is left of it.
func (l *live) notRun() Admission {
	if ranByStatus(l.CronWorkflow.Status).Equal(l.at) {
		return refuse(auditor.StatusOnly, "status.lastScheduledTime says that it ran; the Workflow itself is gone.").admission()
	}
	return pass
}

func (l *live) notSuperseded() Admission {
	why := onlyNewest(l.CronWorkflow, l.spec, l.policy)
	if why == "" {
		return pass
	}
	newer := ranByStatus(l.CronWorkflow.Status)
	for _, run := range l.Runs {
		if t, ok := auditor.ScheduledTimeOf(l.CronWorkflow.Name, run.Name); ok && l.owns(run) {
			newer = later(newer, t)
		}
	}
	if newer.After(l.at) {
		return refuse(auditor.Superseded, "The newer firing of %s ran, and %s.", stamp(newer), why).admission()
	}
	return pass
}

// fewEnough keeps a long catch-up from taking the cluster over. Detached runs count too.
func (l *live) fewEnough() Admission {
	var unfinished int
	for _, run := range l.Runs {
		if l.owns(run) && run.BackfilledBy != "" && !run.Finished() {
			unfinished++
		}
	}
	if most := max(l.policy.MaxParallel, 1); unfinished >= most {
		return wait(l.now.Add(pollRun), "%s not ended yet, and %d at once is the most (--max-parallel).",
			plural(unfinished, "recovered run has", "recovered runs have"), most)
	}
	return pass
}

// oneAtATime lets a stopStrategy see the outcome of each recovered run before the next begins: Argo judges it when it takes an
// ended run out of status.active.
func (l *live) oneAtATime() Admission {
	if !l.spec.StopStrategy || !l.policy.oneAtATime(l.spec) {
		return pass
	}
	for _, run := range l.Runs {
		if l.owns(run) && run.BackfilledBy != "" && run.Controlled && !run.Finished() {
			return wait(l.now.Add(pollRun), "With a stopStrategy one run is recovered at a time, and %s has not ended yet.", run.Name)
		}
	}
	for _, name := range l.CronWorkflow.Status.Active {
		i := slices.IndexFunc(l.Runs, func(run auditor.Run) bool { return run.Name == name })
		if i < 0 || l.Runs[i].Finished() {
			return wait(l.now.Add(pollRun), "With a stopStrategy one run is recovered at a time, and Argo has not judged the end of %s yet.", name)
		}
	}
	return pass
}

// afterArgo: whatever Argo writes while it tries over and over does not know of a run that is made meanwhile. Under Replace it ends
// that run, and where it has ended and been deleted, runs the firing again.
func (l *live) afterArgo() Admission {
	status := l.CronWorkflow.Status
	if status.SubmissionError == "" || l.now.Sub(status.WrittenAt) >= atIt || l.policy.concurrency(l.spec) != auditor.Replace && !deletedSoon(l.Look) {
		return pass
	}
	return wait(l.now.Add(pollRun), "Argo itself is trying to create a run over and over: %s", status.SubmissionError)
}

// argoGivesUp is how long after a firing a create of Argo's for it may be tried again whose connection died: client-go finds that out within
// 45 s.
const argoGivesUp = time.Minute

// afterItsCreate: only the name keeps such a create from making a second run, and where the first one is deleted as it ends, the name is
// free again. A controller that is away sends nothing. A recovery that would come too late then is worth more than the wait.
func (l *live) afterItsCreate() Admission {
	until := l.at.Add(argoGivesUp)
	if !l.now.Before(until) || l.policy.ArgoAway || !nameFreeBefore(l.CronWorkflow.Retention, until.Sub(l.now)) {
		return pass
	}
	then := *l
	then.now = until
	if deadline := l.deadline(); !deadline.IsZero() && until.Add(shortestDeadline).After(deadline) || then.roomAtAll() != pass {
		return pass
	}
	return wait(until, "Its run is deleted as it ends, and until then a create that Argo sent for it may still be carried out.")
}

// alone: beside a recovered run Forbid would skip a live one; under Replace a live one would have to be ended for it.
func (l *live) alone() Admission {
	policy := l.policy.concurrency(l.spec)
	if policy == auditor.Allow {
		return pass
	}
	if policy != auditor.Forbid && policy != auditor.Replace {
		return refuse(NoRoom, "Its concurrencyPolicy %q is none that Argo knows.", policy).admission()
	}
	for _, run := range l.Runs {
		if l.owns(run) && run.Controlled && !run.Finished() {
			return wait(l.now.Add(pollRun), "concurrencyPolicy %s, and run %s has not ended yet.", policy, run.Name)
		}
	}
	// Argo takes ended runs out of status.active in a pass of its own, and does not while it is away: a run that is seen to
	// have ended is not active, whatever the status says. One that cannot be seen may be.
	for _, name := range l.CronWorkflow.Status.Active {
		i := slices.IndexFunc(l.Runs, func(run auditor.Run) bool { return run.Name == name })
		if i < 0 || !l.Runs[i].Finished() {
			return wait(l.now.Add(pollRun), "concurrencyPolicy %s, and Argo still has %s in status.active.", policy, name)
		}
	}
	return pass
}

func (l *live) owns(run auditor.Run) bool { return owns(l.key, run) }

// owns says whether the Workflow belongs to the CronWorkflow, controlled by it or not.
func owns(key Key, run auditor.Run) bool { return run.Owner != "" && run.Owner == key.UID }
