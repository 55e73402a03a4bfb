package backfill

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// shortestDeadline is the shortest starting deadline inside which an automatic recovery is worth trying.
const shortestDeadline = 20 * time.Second

// Plan is what to do about the findings of one CronWorkflow.
type Plan struct {
	CronWorkflow Key
	// Steps are one per scheduled time that has a finding, ascending.
	Steps []Step
	// Order is the order of creation, after what the CronWorkflow demands.
	Order Order
	// OneAtATime says that each run has to end before the next begins.
	OneAtATime bool
	// Warnings are sentences for the user to read before he agrees.
	Warnings []string
	// MadeAt is the time of the audit that the plan rests on, LastScheduledTime what the status said then of Argo's last run.
	MadeAt, LastScheduledTime time.Time
	// ArgoAway says that Argo's controller was away then. The add-on says so; by hand it is the user's to know.
	ArgoAway bool
}

// OwesStatus says whether Rollcall made a run that the CronWorkflow's status does not show, as after a crash between the two
// writes: carrying the plan out repairs that, also where nothing is left to recover. Until then Argo may not fire it again.
func (p Plan) OwesStatus() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool {
		return s.Finding.Verdict == auditor.Backfilled && s.Finding.ScheduledTime.After(p.LastScheduledTime)
	})
}

// Step is what to do about one finding.
type Step struct {
	Finding auditor.Finding
	// Recover says that the firing is to be recovered. Otherwise Reason and Why say why it is left; a firing that ran is left
	// without a reason.
	Recover bool
	Reason  auditor.Reason
	Why     string
	// Deadline is the starting deadline as an absolute time; zero when there is none, or it is ignored.
	Deadline time.Time
	// Attempts and LastError are on record from earlier plans (see Plan.Attempted); Result.Attempts counts on from there. What
	// was tried and is refused later on is GaveUp, not Left, and so is a firing that was tried until its deadline had passed.
	Attempts  int
	LastError string
}

// Attempted is the plan with the attempts of earlier ones at its firings, so that delays and counts go on from them.
func (p Plan) Attempted(recoveries []auditor.Recovery) Plan {
	p.Steps = slices.Clone(p.Steps)
	for _, r := range recoveries {
		for i := range p.Steps {
			if s := &p.Steps[i]; s.Finding.ScheduledTime.Equal(r.ScheduledTime) {
				s.Attempts, s.LastError = r.Attempts, r.LastError
			}
		}
	}
	return p
}

func (s Step) lastError() error {
	if s.LastError == "" {
		return nil
	}
	return errors.New(s.LastError)
}

// triedInVain says that the step is left because its deadline has passed, after attempts at it, whatever else speaks against it.
func (s Step) triedInVain(now time.Time) bool {
	if s.Attempts == 0 || !s.Finding.Verdict.Lost() {
		return false
	}
	passed := s.Finding.Verdict != auditor.GaveUp && !s.Deadline.IsZero() && !now.Before(s.Deadline)
	return passed || s.Reason == auditor.DeadlinePassed
}

// ToRecover lists the steps to carry out, in the order of creation.
func (p Plan) ToRecover() []Step {
	var steps []Step
	for _, s := range p.Steps {
		if s.Recover {
			steps = append(steps, s)
		}
	}
	if p.Order == NewestFirst {
		slices.Reverse(steps)
	}
	return steps
}

// planTable says why a step is left; the first row that holds decides, and a step that passes them all is recovered.
//
//	holds                                                                    reason
//	its verdict is none that the policy takes                                the finding's, or NotTaken
//	the CronWorkflow's name is longer than Argo schedules                    NameTooLong
//	its present spec is not known                                            SpecUnknown
//	it is suspended; its stopStrategy has ended it                           Suspended, Stopped
//	catch-up none; automatic: the annotation switches the audit off          SwitchedOff
//	automatic: no Argo controller looks after it                             NotServed
//	certain only: the absence is only likely                                 NotCertain
//	automatic: no starting deadline; one under 20 s                          NoDeadline, DeadlineTooShort
//	the starting deadline has passed, and it counts                          DeadlinePassed
//	its when expression is false / cannot be judged at present, and Unknown
//	was not included by hand                                                 When, WhenUnknown
//
// Two more look at the steps that are left over, together:
//
//	Replace or catch-up latest, and a newer firing ran or is to be recovered Superseded
//	more than MaxCatchUp newer ones                                          TooManyMissed
var planTable = []func(*planner, *Step) refusal{
	(*planner).notTaken,
	(*planner).nameTooLong,
	(*planner).specUnknown,
	(*planner).switchedOff,
	(*planner).notWanted,
	(*planner).notServed,
	(*planner).notCertain,
	(*planner).noDeadline,
	(*planner).tooLate,
	(*planner).conditional,
}

// refusal says why not; its zero value says nothing.
type refusal struct {
	reason auditor.Reason
	why    string
}

func refuse(reason auditor.Reason, sentence string, args ...any) refusal {
	return refusal{reason, fmt.Sprintf(sentence, args...)}
}

type planner struct {
	cw     auditor.CronWorkflow
	spec   auditor.Spec
	known  bool
	policy Policy
	now    time.Time
}

// NewPlan says which of the findings to recover and why the others are left. It decides from what the audit saw; Admit looks
// again at the live state just before each create.
func NewPlan(cw auditor.CronWorkflow, findings []auditor.Finding, policy Policy, now time.Time) Plan {
	p := &planner{cw: cw, policy: policy, now: now}
	p.spec, p.known = presentSpec(cw)
	plan := Plan{
		CronWorkflow: Key{Namespace: cw.Namespace, Name: cw.Name, UID: cw.UID},
		Order:        cmp.Or(policy.Order, OldestFirst),
		MadeAt:       now, LastScheduledTime: ranByStatus(cw.Status),
		OneAtATime: policy.oneAtATime(p.spec),
	}
	if plan.OneAtATime {
		plan.Order = OldestFirst
	}
	for _, f := range findings {
		plan.Steps = append(plan.Steps, p.step(f))
	}
	slices.SortStableFunc(plan.Steps, func(a, b Step) int { return a.Finding.ScheduledTime.Compare(b.Finding.ScheduledTime) })
	plan.Steps = slices.CompactFunc(plan.Steps, func(a, b Step) bool { return a.Finding.ScheduledTime.Equal(b.Finding.ScheduledTime) })
	p.supersede(plan.Steps)
	p.limit(plan.Steps)
	plan.Warnings = p.warnings(plan)
	return plan
}

func (p *planner) step(f auditor.Finding) Step {
	s := Step{Finding: f}
	if !p.policy.IgnoreDeadline {
		s.Deadline = p.policy.deadline(p.cw, p.spec, f.ScheduledTime)
	}
	for _, row := range planTable {
		if r := row(p, &s); r.why != "" {
			s.Reason, s.Why = r.reason, r.why
			return s
		}
	}
	s.Recover = true
	return s
}

func (p *planner) notTaken(s *Step) refusal {
	f := s.Finding
	if p.policy.takes(f.Verdict) {
		return refusal{}
	}
	reason := cmp.Or(f.Reason, NotTaken)
	switch {
	case f.Verdict.Ran():
		return refusal{why: fmt.Sprintf("It ran (%s).", f.Verdict)}
	case f.Verdict == auditor.Pending:
		return refuse(NotTaken, "It may still start by itself: its grace is not over.")
	case f.Verdict == auditor.Skipped || f.Verdict == auditor.Unknown:
		if p.policy.automatic() {
			return refuse(reason, "A firing that is %s is never recovered automatically.", f.Verdict)
		}
		return refuse(reason, "A firing that is %s is recovered only when asked for (--include %s).", f.Verdict, f.Verdict)
	case f.Verdict == auditor.Expired && f.Deadline.IsZero():
		return refuse(NoDeadline, "It has no starting deadline, so it is not recovered automatically; rollcall backfill does it by hand.")
	case f.Verdict == auditor.Expired:
		return refuse(auditor.DeadlinePassed, "Its starting deadline passed at %s.", stamp(f.Deadline))
	case f.Verdict == auditor.GaveUp:
		return refuse(reason, "Its recovery was given up; rollcall backfill tries again by hand.")
	}
	return refuse(reason, "A firing that is %s is not recovered here.", f.Verdict)
}

func (p *planner) nameTooLong(*Step) refusal {
	if n := len(p.cw.Name); n > auditor.MaxNameLength {
		return refuse(NameTooLong, "The CronWorkflow's name has %d characters and Argo schedules none over %d: give it a shorter name.", n, auditor.MaxNameLength)
	}
	return refusal{}
}

func (p *planner) specUnknown(*Step) refusal {
	if !p.known {
		return refuse(auditor.SpecUnknown, "What the CronWorkflow says at present is not known.")
	}
	return refusal{}
}

func (p *planner) switchedOff(*Step) refusal { return switchedOff(p.cw, p.spec) }

func (p *planner) notWanted(*Step) refusal { return notWanted(p.cw, p.policy) }

func (p *planner) notServed(*Step) refusal {
	if p.policy.automatic() && !p.cw.Served {
		return refuse(NotServed, "No Argo controller has ever looked after this CronWorkflow, so a run of it might never start.")
	}
	return refusal{}
}

func (p *planner) notCertain(s *Step) refusal {
	if p.policy.CertainOnly && s.Finding.Certainty != auditor.Certain {
		return refuse(NotCertain, "It is not certain that it did not run, and running twice is worse than not running.")
	}
	return refusal{}
}

func (p *planner) noDeadline(*Step) refusal { return noDeadline(p.cw, p.spec, p.policy) }

func (p *planner) tooLate(s *Step) refusal { return tooLate(s.Deadline, p.policy, p.now) }

// conditional asks only for the present: that it was true for the firing's time is what the finding says.
func (p *planner) conditional(*Step) refusal {
	return conditional(p.spec, p.policy, func() (bool, error) {
		return auditor.WhenHolds(p.cw, p.spec, p.now, auditor.Options{ControllerZone: p.policy.ControllerZone})
	})
}

// supersede leaves all but the newest firing where only that is worth running, and that one too if a newer one ran.
func (p *planner) supersede(steps []Step) {
	why := onlyNewest(p.cw, p.spec, p.policy)
	if why == "" {
		return
	}
	newer := ranByStatus(p.cw.Status)
	for _, s := range steps {
		if s.Finding.Verdict.Ran() {
			newer = later(newer, s.Finding.ScheduledTime)
		}
	}
	verb := "ran"
	for i := len(steps) - 1; i >= 0; i-- {
		s := &steps[i]
		if !s.Recover {
			continue
		}
		if at := s.Finding.ScheduledTime; newer.After(at) {
			s.Recover, s.Reason = false, auditor.Superseded
			s.Why = fmt.Sprintf("The newer firing of %s %s, and %s.", stamp(newer), verb, why)
		} else {
			newer, verb = at, "is recovered"
		}
	}
}

// limit leaves all but the newest MaxCatchUp.
func (p *planner) limit(steps []Step) {
	left := max(p.policy.MaxCatchUp, 1)
	for i := len(steps) - 1; i >= 0; i-- {
		s := &steps[i]
		if !s.Recover {
			continue
		}
		if left == 0 {
			s.Recover, s.Reason = false, auditor.TooManyMissed
			s.Why = fmt.Sprintf("More firings were missed than are recovered at once: the newest %d are (--max-catch-up).", p.policy.MaxCatchUp)
			continue
		}
		left--
	}
}

func (p *planner) warnings(plan Plan) []string {
	var said []string
	say := func(sentence string, args ...any) { said = append(said, fmt.Sprintf(sentence, args...)) }
	recovered := plan.ToRecover()
	if len(recovered) == 0 {
		return nil
	}
	if !p.cw.Served {
		say("No Argo controller has ever looked after this CronWorkflow: the runs may never start (is its instance ID the right one?).")
	}
	if message := p.cw.Status.SpecError; message != "" {
		say("Argo finds this CronWorkflow invalid, so the runs may fail at once: %s", message)
	}
	if !p.policy.automatic() && p.policy.CatchUp == "" && p.cw.Settings.CatchUp != "" && p.cw.Settings.CatchUp != auditor.CatchUpAll {
		say("Its annotation rollcall.dev/catch-up: %s holds for automatic recovery only; here all that were named count.", p.cw.Settings.CatchUp)
	}
	if p.spec.When != "" {
		say("Its when expression is not judged: the runs start whatever it says.")
	}
	if likely := count(recovered, func(s Step) bool { return s.Finding.Certainty == auditor.Likely }); likely > 0 {
		say("For %d of the %d firings it is likely but not certain that they did not run.", likely, len(recovered))
	}
	if unknown := count(recovered, func(s Step) bool { return s.Finding.Verdict == auditor.Unknown }); unknown > 0 {
		say("For %d of the %d firings it is unknown whether they ran: they may run a second time.", unknown, len(recovered))
	}
	if kept := p.cw.Retention.Successful; !p.policy.Detached && len(recovered) > kept {
		say("%d runs are more than the %d that Argo keeps (successfulJobsHistoryLimit): it deletes the others as they end, and no later audit can tell of them; --detached keeps them.", len(recovered), kept)
	}
	if p.policy.Detached && (p.spec.Policy == auditor.Forbid || p.spec.Policy == auditor.Replace) {
		say("Detached runs are invisible to concurrencyPolicy %s: live runs start beside them.", p.spec.Policy)
	}
	return said
}

func count(steps []Step, holds func(Step) bool) (n int) {
	for _, s := range steps {
		if holds(s) {
			n++
		}
	}
	return n
}
