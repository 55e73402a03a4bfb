package witness

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// noon is when the examined time begins; m and s are so many minutes and seconds later.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func at(m, s int) time.Time {
	return noon.Add(time.Duration(m)*time.Minute + time.Duration(s)*time.Second)
}

// play is a world in which a CronWorkflow "tick" fires every minute for half an hour, each run takes 5 s, and Rollcall says what is
// true. Tests change it.
type play struct {
	truth Truth
	said  Said
}

func spotless() *play {
	p := &play{truth: Truth{From: noon, To: at(30, 0)}}
	p.truth.CronWorkflows = []CronWorkflow{{
		Namespace: "a", Name: "tick", UID: "u1", Created: at(-30, 0), Served: at(-29, 0),
		Specs: []Spec{{From: at(-30, 0), Schedules: []string{"* * * * *"}, StartingDeadline: 10 * time.Minute, SuccessfulLimit: 3, FailedLimit: 1, TTL: -1}},
	}}
	for m := 1; m <= 30; m++ {
		p.argoRuns(m, at(m, 0), 5*time.Second)
		p.say(m, "OnTime", "")
	}
	return p
}

func (p *play) cron() *CronWorkflow { return &p.truth.CronWorkflows[0] }
func (p *play) spec() *Spec         { return &p.cron().Specs[0] }

// argoRuns adds a run of the firing of minute m, with the two writes to the status that go with it.
func (p *play) argoRuns(m int, made time.Time, takes time.Duration) *Workflow {
	p.truth.Workflows = append(p.truth.Workflows, Workflow{
		Namespace: "a", Name: fmt.Sprintf("tick-%d", at(m, 0).Unix()), UID: fmt.Sprintf("r%d-%d", m, len(p.truth.Workflows)), OwnerUID: "u1",
		CronWorkflow: "tick", ScheduledTime: at(m, 0), Created: made, Ended: made.Add(takes),
	})
	p.cron().Statuses = append(p.cron().Statuses,
		Status{At: made.Add(100 * time.Millisecond), LastScheduledTime: at(m, 0), Active: 1}, Status{At: made.Add(takes), LastScheduledTime: at(m, 0)})
	slices.SortStableFunc(p.cron().Statuses, func(a, b Status) int { return a.At.Compare(b.At) })
	return &p.truth.Workflows[len(p.truth.Workflows)-1]
}

func (p *play) rollcallRuns(m int, made time.Time, takes time.Duration) *Workflow {
	w := p.argoRuns(m, made, takes)
	w.BackfilledBy = "controller"
	return w
}

// setBack has the status say, in a stretch of time, that the firing of minute m has not run.
func (p *play) setBack(m int, from, to time.Time) {
	before := Status{At: from, LastScheduledTime: at(m-1, 0)}
	all := slices.DeleteFunc(p.cron().Statuses, func(s Status) bool { return !s.At.Before(from) && s.At.Before(to) })
	p.cron().Statuses = append(all, before)
	slices.SortStableFunc(p.cron().Statuses, func(a, b Status) int { return a.At.Compare(b.At) })
}

// comesAndGoes deletes the run of minute m while Rollcall cannot see, and has that call it likely missed.
func (p *play) comesAndGoes(m int) {
	p.fault(Rollcall, at(m, -30), at(m, 30))
	p.run(m).Deleted = at(m, 10)
	p.say(m, "Missed", "").Certainty = "likely"
}

// suspendedUnseen suspends minute 5 while Rollcall cannot see, and has that call it likely lost.
func (p *play) suspendedUnseen(traceless bool) {
	p.truth.Traceless = traceless
	p.argoAway(5)
	p.fault(Rollcall, at(4, 0), at(6, 50))
	then, after := *p.spec(), *p.spec()
	then.From, then.Suspend, after.From = at(4, 20), true, at(6, 20)
	p.cron().Specs = append(p.cron().Specs, then, after)
	p.say(5, "Expired", "").Certainty = "likely"
}

// loses takes the runs of the firings of these minutes away, with what they left in the status.
func (p *play) loses(minutes ...int) {
	for _, m := range minutes {
		p.truth.Workflows = slices.DeleteFunc(p.truth.Workflows, func(w Workflow) bool { return w.ScheduledTime.Equal(at(m, 0)) })
		p.cron().Statuses = slices.DeleteFunc(p.cron().Statuses, func(s Status) bool { return s.LastScheduledTime.Equal(at(m, 0)) })
	}
}

// say sets what stands in the end of the firing of minute m.
func (p *play) say(m int, verdict, reason string) *Verdict {
	p.said.Verdicts = slices.DeleteFunc(p.said.Verdicts, func(v Verdict) bool { return v.Final && v.ScheduledTime.Equal(at(m, 0)) })
	p.said.Verdicts = append(p.said.Verdicts, Verdict{
		Namespace: "a", Name: "tick", UID: "u1", ScheduledTime: at(m, 0), Verdict: verdict, Reason: reason, SaidAt: at(31, 0), Final: true, Where: "audit",
	})
	return &p.said.Verdicts[len(p.said.Verdicts)-1]
}

// said adds what was said of it in the course of time.
func (p *play) saidOnce(m int, verdict, certainty string, when time.Time) {
	p.said.Verdicts = append(p.said.Verdicts, Verdict{
		Namespace: "a", Name: "tick", UID: "u1", ScheduledTime: at(m, 0), Verdict: verdict, Certainty: certainty, SaidAt: when, Where: "CronAudit",
	})
}

func (p *play) fault(what string, from, to time.Time) {
	p.truth.Outages = append(p.truth.Outages, Outage{What: what, How: "killed", From: from, To: to})
}

// recoverable loses them too, and leaves ten minutes to make up for them in.
func (p *play) recoverable(minutes ...int) {
	p.argoAway(minutes...)
	p.spec().StartingDeadline = 10 * time.Minute
}

// argoAway loses the firings of these minutes to an outage of Argo, and Rollcall says so. The starting deadline is too short for
// a recovery to be due.
func (p *play) argoAway(minutes ...int) {
	p.spec().StartingDeadline = 2 * time.Minute
	p.loses(minutes...)
	for _, m := range minutes {
		p.say(m, "Expired", "").Certainty = "certain"
	}
	p.fault(Argo, at(minutes[0], -20), at(minutes[len(minutes)-1], 40))
}

func TestMistakesAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*play)
		// want are the kinds and minutes: "FalseMiss 5".
		want []string
	}{
		"a spotless world has none": {func(*play) {}, nil},

		// Accusations.
		"a firing that ran is called expired":                   {func(p *play) { p.say(5, "Expired", "").Certainty = "certain" }, []string{"FalseMiss 5"}},
		"even if only likely":                                   {func(p *play) { p.say(5, "Missed", "").Certainty = "likely" }, []string{"FalseMiss 5"}},
		"but a run deleted by hand looks like one that was not": {func(p *play) { p.say(5, "Missed", "").Certainty = "likely"; p.run(5).DeletedByHand = true }, nil},
		"so does one that came and went while Rollcall could not see, and that Argo could not write to the status": {func(p *play) {
			p.comesAndGoes(5)
			p.setBack(5, at(5, -1), at(6, -1))
			p.said.Verdicts[len(p.said.Verdicts)-1].SaidAt = at(5, 50)
		}, nil},
		"even where the status said so for a moment in which Rollcall could not see": {func(p *play) {
			p.comesAndGoes(5)
			p.setBack(5, at(5, 2), at(6, -1))
			p.said.Verdicts[len(p.said.Verdicts)-1].SaidAt = at(5, 50)
		}, nil},
		"but not once Argo has gone past it, so that its status says nothing of it": {func(p *play) {
			p.comesAndGoes(5)
			p.setBack(5, at(5, -1), at(6, -1))
		}, []string{"FalseMiss 5"}},
		"but not where the status told": {func(p *play) { p.comesAndGoes(5) }, []string{"FalseMiss 5"}},
		"nor where Rollcall could see it": {func(p *play) {
			p.comesAndGoes(5)
			p.setBack(5, at(5, -1), at(6, -1))
			p.run(5).Deleted = at(8, 0)
		}, []string{"FalseMiss 5"}},
		"nor where it was certain of it": {func(p *play) {
			p.comesAndGoes(5)
			p.setBack(5, at(5, -1), at(6, -1))
			p.say(5, "Missed", "").Certainty = "certain"
		}, []string{"FalseMiss 5"}},
		"suspended it is not lost": {func(p *play) { p.suspendedUnseen(false) }, []string{"FalseMiss 5"}},
		"unless nothing tells of it: a field that nobody saw is gone without a trace, and it is only likely": {func(p *play) { p.suspendedUnseen(true) }, nil},
		"even so it is not lost for certain": {func(p *play) {
			p.suspendedUnseen(true)
			p.said.Verdicts[len(p.said.Verdicts)-1].Certainty = "certain"
		}, []string{"FalseMiss 5"}},
		"an accusation that was taken back counts": {func(p *play) { p.saidOnce(5, "Missed", "certain", at(5, 40)) }, []string{"FalseMiss 5"}},
		"unless it was only likely":                {func(p *play) { p.saidOnce(5, "Missed", "likely", at(5, 40)) }, nil},
		"and what Argo ran late was missed until then": {func(p *play) {
			p.loses(5)
			p.argoRuns(5, at(7, 0), time.Second)
			p.saidOnce(5, "Missed", "certain", at(5, 40))
			p.say(5, "Late", "")
		}, nil},
		"also as long as the record may be old": {func(p *play) {
			p.loses(5)
			p.argoRuns(5, at(7, 0), time.Second)
			p.saidOnce(5, "Missed", "certain", at(8, 0))
			p.say(5, "Late", "")
		}, nil},
		"but not for longer": {func(p *play) {
			p.loses(5)
			p.argoRuns(5, at(7, 0), time.Second)
			p.saidOnce(5, "Missed", "certain", at(8, 30))
			p.say(5, "Late", "")
		}, []string{"FalseMiss 5"}},
		"unless Rollcall could not see": {func(p *play) {
			p.loses(5)
			p.argoRuns(5, at(7, 0), time.Second)
			p.fault(APIServer, at(7, 5), at(8, 0))
			p.saidOnce(5, "Missed", "certain", at(8, 30))
			p.say(5, "Late", "")
		}, nil},
		"a suspended firing is called missed": {func(p *play) {
			p.spec().Suspend = true
			p.skips("Suspended")
			p.saidOnce(5, "Missed", "certain", at(5, 40))
		}, []string{"FalseMiss 5"}},
		"a firing whose when was false is called missed": {func(p *play) {
			p.spec().When, p.spec().WhenAt = "false", func(time.Time) bool { return false }
			p.skips("When")
			p.saidOnce(5, "Missed", "certain", at(5, 40))
		}, []string{"FalseMiss 5"}},
		"a firing that Forbid kept from running is called missed": {func(p *play) {
			p.spec().Policy = "Forbid"
			p.loses(4, 5)
			p.argoRuns(4, at(4, 0), 75*time.Second)
			p.say(5, "Expired", "").Certainty = "certain"
		}, []string{"FalseMiss 5"}},
		"a firing that never was is called missed": {func(p *play) {
			p.spec().Schedules = []string{"*/2 * * * *"}
			p.odd()
			p.saidOnce(5, "Missed", "certain", at(5, 40))
		}, []string{"FalseMiss 5"}},
		"a superseded firing is called expired": {func(p *play) { p.spec().Policy = "Replace"; p.argoAway(5) }, []string{"FalseMiss 5"}},
		"one that was called lost before the newer ran was": {func(p *play) {
			p.spec().Policy = "Replace"
			p.argoAway(5)
			p.saidOnce(5, "Expired", "certain", at(5, 40))
		}, nil},
		"a recovery follows at once": {func(p *play) {
			p.argoAway(5)
			p.rollcallRuns(5, at(5, 30), time.Second)
			p.saidOnce(5, "Missed", "certain", at(5, 30).Add(200*time.Millisecond))
			p.say(5, "Backfilled", "")
		}, nil},

		// Runs that were not.
		"a run is claimed that was not":          {func(p *play) { p.argoAway(5); p.say(5, "OnTime", "") }, []string{"FalseRun 5"}},
		"a recovery is claimed that was not":     {func(p *play) { p.argoAway(5); p.say(5, "Backfilled", "") }, []string{"FalseRun 5"}},
		"a run is claimed in the course of time": {func(p *play) { p.argoAway(5); p.saidOnce(5, "OnTime", "", at(5, 30)) }, []string{"FalseRun 5"}},
		"a run is claimed of a time that no spec names": {func(p *play) {
			v := *p.say(5, "OnTime", "")
			v.ScheduledTime, v.Final = at(5, 30), false
			p.said.Verdicts = append(p.said.Verdicts, v)
		}, []string{"FalseRun 5"}},
		"the run of another CronWorkflow is none": {func(p *play) { p.spec().StartingDeadline = 0; p.run(5).OwnerUID = "u2" }, []string{"FalseRun 5"}},
		"a run under the zero time's name is one": {func(p *play) { p.run(5).Name = "tick--62135596800" }, nil},
		"a resubmit is none":                      {func(p *play) { p.spec().StartingDeadline = 0; p.run(5).Name += "-x7abc" }, []string{"FalseRun 5"}},
		"Argo's run is called Rollcall's":         {func(p *play) { p.say(5, "Backfilled", "") }, []string{"WrongRun 5"}},
		"Rollcall's run is called Argo's":         {func(p *play) { p.argoAway(5); p.rollcallRuns(5, at(5, 45), time.Second); p.say(5, "OnTime", "") }, []string{"WrongRun 5"}},
		"a late run is called on time":            {func(p *play) { p.loses(5); p.argoRuns(5, at(6, 30), time.Second) }, []string{"WrongRun 5"}},
		"a run on time is called late":            {func(p *play) { p.say(5, "Late", "") }, []string{"WrongRun 5"}},

		// Excuses.
		"what ran is called skipped":                   {func(p *play) { p.say(5, "Skipped", "Forbidden") }, []string{"FalseSkip 5"}},
		"suspended, it says, and it was not":           {func(p *play) { p.argoAway(5); p.say(5, "Skipped", "Suspended") }, []string{"FalseSkip 5"}},
		"stopped, it says, and it was not":             {func(p *play) { p.argoAway(5); p.say(5, "Skipped", "Stopped") }, []string{"FalseSkip 5"}},
		"its when was false, it says, and it has none": {func(p *play) { p.argoAway(5); p.say(5, "Skipped", "When") }, []string{"FalseSkip 5"}},
		"forbidden, it says, and nothing was active":   {func(p *play) { p.spec().Policy = "Forbid"; p.argoAway(5); p.say(5, "Skipped", "Forbidden") }, []string{"FalseSkip 5"}},
		"forbidden, it says, under Allow":              {func(p *play) { p.argoAway(5); p.say(5, "Skipped", "Forbidden") }, []string{"FalseSkip 5"}},
		"suspended, it says, and what broke later is no excuse": {func(p *play) {
			p.argoAway(5)
			p.say(5, "Skipped", "Suspended")
			p.fault(APIServer, at(12, 10), at(12, 20))
		}, []string{"FalseSkip 5"}},
		"but what broke as it was due is": {func(p *play) {
			p.argoAway(5)
			p.say(5, "Skipped", "Suspended")
			p.fault(APIServer, at(5, 10), at(5, 20))
		}, nil},
		"superseded, it says, under Allow":  {func(p *play) { p.argoAway(5); p.say(5, "Skipped", "Superseded") }, []string{"FalseSkip 5"}},
		"superseded under Replace is right": {func(p *play) { p.spec().Policy = "Replace"; p.argoAway(5); p.say(5, "Skipped", "Superseded") }, nil},

		// Two runs.
		"Rollcall runs what ran": {func(p *play) { p.rollcallRuns(5, at(6, 45), time.Second) }, []string{"DoubleRun 5"}},
		"Argo runs again what Rollcall ran": {func(p *play) {
			p.argoAway(5)
			p.rollcallRuns(5, at(5, 45), time.Second)
			p.argoRuns(5, at(6, 45), time.Second)
			p.setBack(5, at(5, 45), at(6, 44)) // Rollcall never said so in the status
			p.say(5, "Backfilled", "")
		}, []string{"DoubleRun 5"}},
		"Argo does so against the status": {func(p *play) {
			p.argoAway(5)
			p.rollcallRuns(5, at(5, 45), time.Second)
			p.argoRuns(5, at(6, 45), time.Second)
			p.say(5, "Backfilled", "")
		}, []string{"DoubledByArgo 5"}},
		"Argo does so after it has set the status back, and Rollcall was not there": {func(p *play) {
			p.argoAway(5)
			p.rollcallRuns(5, at(5, 45), time.Second)
			p.argoRuns(5, at(6, 45), time.Second)
			p.setBack(5, at(6, 20), at(6, 44))
			p.fault(Rollcall, at(6, 10), at(6, 40))
			p.say(5, "Backfilled", "")
		}, []string{"DoubledByArgo 5"}},
		"Argo does so after it has set the status back, and Rollcall was there": {func(p *play) {
			p.argoAway(5)
			p.rollcallRuns(5, at(5, 45), time.Second)
			p.argoRuns(5, at(6, 45), time.Second)
			p.setBack(5, at(6, 20), at(6, 44))
			p.say(5, "Backfilled", "")
		}, []string{"DoubleRun 5"}},
		"Argo's own doubles are named so": {func(p *play) { p.argoRuns(5, at(6, 45), time.Second) }, []string{"DoubledByArgo 5"}},
		"so is its slip with the name": {func(p *play) {
			p.argoAway(5)
			p.rollcallRuns(5, at(5, 32), time.Second)
			p.argoRuns(5, at(5, 25), time.Second).Name = "tick--62135596800"
			p.say(5, "Backfilled", "")
		}, []string{"DoubledByArgo 5"}},
		"Rollcall's run beside one under Forbid": {func(p *play) {
			p.spec().Policy = "Forbid"
			p.argoAway(5)
			p.loses(6)
			p.argoRuns(6, at(6, 0), 50*time.Second)
			p.rollcallRuns(5, at(6, 40), time.Second)
			p.say(5, "Backfilled", "")
		}, []string{"TwoAtOnce 5"}},
		"Argo's run beside Rollcall's, of which nobody told it": {func(p *play) {
			p.spec().Policy = "Forbid"
			p.argoAway(5)
			p.rollcallRuns(5, at(5, 35), 40*time.Second)
			p.cron().Statuses = slices.DeleteFunc(p.cron().Statuses, func(s Status) bool { return s.LastScheduledTime.Equal(at(5, 0)) })
			p.say(5, "Backfilled", "")
		}, []string{"TwoAtOnce 5"}},

		// Recovery.
		"a firing is left that could be recovered": {func(p *play) { p.recoverable(5, 6, 7) }, []string{"NotRecovered 5", "NotRecovered 6", "NotRecovered 7"}},
		"one that is recovered in two minutes is not": {func(p *play) {
			p.recoverable(5)
			p.rollcallRuns(5, at(7, 20), time.Second)
			p.say(5, "Backfilled", "")
		}, nil},
		"without a deadline nothing is recovered":    {func(p *play) { p.recoverable(5); p.spec().StartingDeadline = 0 }, nil},
		"the annotation sets one":                    {func(p *play) { p.recoverable(5); p.spec().StartingDeadline, p.spec().Deadline = 0, time.Hour }, []string{"NotRecovered 5"}},
		"a short deadline leaves no two minutes":     {func(p *play) { p.argoAway(5) }, nil},
		"nor does an outage of Rollcall for as long": {func(p *play) { p.recoverable(5); p.fault(Rollcall, at(5, 10), at(13, 10)) }, nil},
		"after one it is to be recovered": {func(p *play) {
			p.recoverable(5, 6, 7, 8)
			p.fault(Rollcall, at(4, 50), at(6, 30))
			p.cron().Statuses = p.cron().Statuses[:8]
		}, []string{"NotRecovered 5", "NotRecovered 6", "NotRecovered 7", "NotRecovered 8"}},
		"where Argo counted a run that nobody saw it is not": {func(p *play) {
			p.recoverable(5, 6, 7, 8)
			p.fault(Rollcall, at(3, 50), at(6, 30))
			p.cron().Statuses = p.cron().Statuses[:8]
			p.run(4).Deleted = at(4, 50)
		}, []string{"NotRecovered 7", "NotRecovered 8"}},
		"where a run may have come and gone it is not": {func(p *play) { p.spec().SuccessfulLimit = 0; p.recoverable(5); p.fault(Rollcall, at(4, 50), at(6, 30)) }, nil},
		"where nobody serves it, it is not":            {func(p *play) { p.recoverable(5); p.cron().Served = time.Time{} }, nil},
		"where it is switched off, it is not":          {func(p *play) { p.recoverable(5); p.spec().Backfill = "off" }, nil},
		"under Forbid with long runs there is no room": {func(p *play) { p.spec().Policy = "Forbid"; p.lasts(40 * time.Second); p.recoverable(5) }, nil},
		"under Forbid with short ones there is":        {func(p *play) { p.spec().Policy = "Forbid"; p.recoverable(5) }, []string{"NotRecovered 5"}},
		"under Replace only the newest counts":         {func(p *play) { p.spec().Policy = "Replace"; p.recoverable(5); p.say(5, "Skipped", "Superseded") }, nil},
		"what is recovered had a deadline":             {func(p *play) { p.recovers(5); p.spec().StartingDeadline = 0 }, []string{"WrongRecovery 5"}},
		"and it had not passed":                        {func(p *play) { p.recovers(5); p.spec().StartingDeadline = 20 * time.Second }, []string{"WrongRecovery 5"}},
		"what somebody asks for needs none":            {func(p *play) { p.recovers(5).BackfilledBy = "cli"; p.spec().StartingDeadline = 0 }, nil},
		"but even so not what is suspended": {func(p *play) {
			p.spec().Suspend = true
			p.skips("Suspended")
			p.recovers(5).BackfilledBy = "cli"
		}, []string{"WrongRecovery 5"}},
		"what is suspended is not recovered":     {func(p *play) { p.spec().Suspend = true; p.skips("Suspended"); p.recovers(5) }, []string{"WrongRecovery 5"}},
		"nor anything just before a live firing": {func(p *play) { p.recoverable(5); p.rollcallRuns(5, at(6, 58), time.Second); p.say(5, "Backfilled", "") }, []string{"WrongRecovery 5"}},
		"nor too many at once": {func(p *play) {
			p.recoverable(5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
			p.spec().StartingDeadline = time.Hour
			for m := 5; m <= 15; m++ {
				p.rollcallRuns(m, at(16, 20+m), time.Minute)
				p.say(m, "Backfilled", "")
			}
			p.fault(Rollcall, at(4, 40), at(15, 50))
		}, []string{"WrongRecovery 15"}},

		// Live firings.
		"a recovery makes Forbid skip a live firing": {func(p *play) {
			p.spec().Policy = "Forbid"
			p.argoAway(5)
			p.loses(7)
			p.rollcallRuns(5, at(6, 40), 25*time.Second)
			p.say(5, "Backfilled", "")
			p.say(7, "Skipped", "Forbidden")
		}, []string{"LiveFiringLost 7"}},
		"one that ended just before does so too": {func(p *play) {
			p.spec().Policy = "Forbid"
			p.argoAway(5)
			p.loses(7)
			p.rollcallRuns(5, at(6, 40), 12*time.Second)
			p.say(5, "Backfilled", "")
			p.say(7, "Skipped", "Forbidden")
		}, []string{"LiveFiringLost 7"}},
		"one that Argo runs late because of a recovery is skipped first": {func(p *play) {
			p.spec().Policy = "Forbid"
			p.argoAway(5)
			p.loses(7)
			p.rollcallRuns(5, at(6, 40), 25*time.Second)
			p.argoRuns(7, at(7, 6), time.Second)
			p.say(5, "Backfilled", "")
		}, []string{"LiveFiringLost 7"}},
		"where it became Forbid after the recovery, nobody could know": {func(p *play) {
			p.argoAway(5)
			p.loses(7)
			p.cron().Specs = append(p.cron().Specs, *p.spec())
			p.cron().Specs[1].From, p.cron().Specs[1].Policy = at(6, 20), "Forbid"
			p.run(4).Ended = at(5, 0)
			p.rollcallRuns(5, at(6, 10), 55*time.Second)
			p.say(5, "Backfilled", "")
			p.say(7, "Skipped", "Forbidden")
		}, nil},
		"where it takes longer than the one before it, nobody could know": {func(p *play) {
			p.spec().Policy = "Forbid"
			p.argoAway(5)
			p.loses(7)
			p.run(4).Started, p.run(4).Ended = at(5, 3), at(5, 4) // Argo was held up
			p.rollcallRuns(5, at(6, 30), 35*time.Second)
			p.say(5, "Backfilled", "")
			p.say(7, "Skipped", "Forbidden")
		}, nil},
		"where Argo was down then, it was not the recovery": {func(p *play) {
			p.spec().Policy = "Forbid"
			p.argoAway(5)
			p.loses(7)
			p.rollcallRuns(5, at(6, 40), 25*time.Second)
			p.fault(Argo, at(6, 50), at(7, 3))
			p.say(5, "Backfilled", "")
			p.say(7, "Skipped", "Forbidden")
		}, nil},
		"Replace stops a run for nothing, because of a recovery it does not know": {func(p *play) {
			p.spec().Policy = "Replace"
			p.argoAway(4)
			p.run(5).Terminated = at(5, 40)
			p.rollcallRuns(4, at(5, 20), 15*time.Second)
			p.say(4, "Backfilled", "")
			p.cron().Statuses = nil
		}, []string{"LiveFiringLost 5"}},
		"Replace stops a recovered run for nothing": {func(p *play) {
			p.spec().Policy = "Replace"
			p.argoAway(5)
			w := p.rollcallRuns(5, at(5, 32), 10*time.Second)
			w.Terminated = at(5, 40)
			p.say(5, "Backfilled", "")
		}, []string{"RecoveryKilled 5"}},
		"Replace may stop one a little before the next firing, by Argo's clock": {func(p *play) {
			p.spec().Policy = "Replace"
			p.argoAway(5)
			p.rollcallRuns(5, at(5, 32), 25*time.Second).Terminated = at(5, 57)
			p.say(5, "Backfilled", "")
		}, nil},
		"Replace stops a recovered run that Argo has just forgotten": {func(p *play) {
			p.spec().Policy = "Replace"
			p.argoAway(5)
			w := p.rollcallRuns(5, at(5, 32), 10*time.Second)
			w.Terminated = at(5, 40)
			p.setBack(5, at(5, 39), at(6, 0))
			p.say(5, "Backfilled", "")
		}, []string{"StoppedByArgo 5"}},
		"a newer live firing may": {func(p *play) {
			p.spec().Policy = "Replace"
			p.argoAway(5)
			w := p.rollcallRuns(5, at(5, 32), 29*time.Second)
			w.Terminated = at(6, 1)
			p.say(5, "Backfilled", "")
		}, nil},

		// The end.
		"a schedule is dead after the faults": {func(p *play) {
			p.truth.FaultsEnd = at(25, 30)
			p.spec().StartingDeadline = 0
			p.loses(27, 28, 29, 30)
			p.spec().StartingDeadline = 0
			for m := 27; m <= 30; m++ {
				p.say(m, "Expired", "")
			}
		}, []string{"LeftUnscheduled 29"}},
		"one that is dead to the end shows, wherever in a minute the faults ended": {func(p *play) {
			p.truth.FaultsEnd = at(26, 55)
			p.spec().StartingDeadline = 0
			p.loses(27, 28, 29)
			p.spec().StartingDeadline = 0
			for m := 27; m <= 29; m++ {
				p.say(m, "Expired", "")
			}
			p.truth.To = at(29, 20)
		}, []string{"LeftUnscheduled 29"}},
		"one that is seldom due is found dead when it is, and then alive": {func(p *play) {
			p.truth.FaultsEnd = at(20, 30)
			p.spec().Schedules = []string{"*/4 * * * *"}
			p.spec().StartingDeadline = 0
			p.said.Verdicts = nil
			for m := 1; m <= 30; m++ {
				switch {
				case m == 24:
					p.loses(m)
					p.say(m, "Expired", "")
				case m%4 == 0:
					p.say(m, "OnTime", "")
				default:
					p.loses(m)
				}
			}
		}, nil},
		"what Forbid skips then is not dead": {func(p *play) {
			p.truth.FaultsEnd = at(20, 0)
			p.spec().Policy = "Forbid"
			p.loses(25, 26)
			p.argoRuns(25, at(25, 0), 90*time.Second)
			p.say(26, "Skipped", "Forbidden")
		}, nil},
		"nothing is said of a firing":      {func(p *play) { p.unsay(5) }, []string{"NoVerdict 5"}},
		"it is pending for ever":           {func(p *play) { p.say(5, "Pending", "") }, []string{"NoVerdict 5"}},
		"the newest may still be pending":  {func(p *play) { p.say(30, "Pending", "") }, nil},
		"of a deleted one nothing need be": {func(p *play) { p.cron().Deleted = at(20, 30); p.unsay(5) }, nil},
		"where the name is somebody else's, nobody can tell, or recover": {func(p *play) {
			p.recoverable(5)
			p.truth.Workflows = append(p.truth.Workflows, Workflow{Namespace: "a", Name: fmt.Sprintf("tick-%d", at(5, 0).Unix()), UID: "x", Created: at(4, 0)})
			p.say(5, "Unknown", "NameTaken")
		}, nil},
		"and to call it a run is false": {func(p *play) {
			p.recoverable(5)
			p.truth.Workflows = append(p.truth.Workflows, Workflow{Namespace: "a", Name: fmt.Sprintf("tick-%d", at(5, 0).Unix()), UID: "x", Created: at(4, 0)})
			p.say(5, "OnTime", "")
		}, []string{"FalseRun 5"}},
		"one unknown of thirty is too many": {func(p *play) { p.say(5, "Unknown", "EvidenceGone") }, []string{"UnknownTooOften"}},
		"unless nobody could see it": {func(p *play) {
			p.say(5, "Unknown", "EvidenceGone")
			p.run(5).Deleted = at(5, 20)
			p.fault(Rollcall, at(4, 50), at(6, 30))
		}, nil},
		"or what was seen was forgotten before it was on record": {func(p *play) {
			p.say(5, "Unknown", "EvidenceGone")
			p.run(5).Deleted = at(5, 25)
			p.fault(Rollcall, at(5, 40), at(6, 30))
		}, nil},
		"unless Argo may have run it later": {func(p *play) {
			p.argoAway(5)
			p.say(5, "Unknown", "EvidenceGone")
			p.fault(APIServer, at(6, 20), at(6, 30))
		}, nil},
		"a run that is still there can be seen": {func(p *play) { p.say(5, "Unknown", "EvidenceGone"); p.fault(Rollcall, at(4, 50), at(6, 30)) }, []string{"UnknownTooOften"}},
		"shortly after an edit nobody can tell of a firing without a run": {func(p *play) {
			p.argoAway(5)
			p.cron().Specs = append(p.cron().Specs, *p.spec())
			p.cron().Specs[1].From = at(4, 50)
			p.say(5, "Unknown", "SpecUnknown")
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := spotless()
			c.change(p)
			report, err := Examine(p.truth, p.said, DefaultRules())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range report.Mistakes {
				text := string(m.Kind)
				if !m.ScheduledTime.IsZero() {
					text += fmt.Sprintf(" %d", int(m.ScheduledTime.Sub(noon).Minutes()))
				}
				got = append(got, text)
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(c.want))
			if !slices.Equal(got, want) {
				t.Errorf("want %q, got:", want)
				for _, m := range report.Mistakes {
					t.Errorf("  %s %s: %s", m.Kind, m.ScheduledTime.Format(time.TimeOnly), m.Why)
				}
			}
		})
	}
}

// run is the first run of the firing of minute m.
func (p *play) run(m int) *Workflow {
	i := slices.IndexFunc(p.truth.Workflows, func(w Workflow) bool { return w.ScheduledTime.Equal(at(m, 0)) })
	return &p.truth.Workflows[i]
}

// skips takes all runs away and says that all firings were skipped, but for those in the first minute that are examined.
func (p *play) skips(reason string) {
	for m := 1; m <= 30; m++ {
		p.loses(m)
		p.say(m, "Skipped", reason)
	}
}

// odd takes away the runs of odd minutes, and what was said of them.
func (p *play) odd() {
	for m := 1; m <= 30; m += 2 {
		p.loses(m)
		p.unsay(m)
	}
}

func (p *play) unsay(m int) {
	p.said.Verdicts = slices.DeleteFunc(p.said.Verdicts, func(v Verdict) bool { return v.ScheduledTime.Equal(at(m, 0)) })
}

// lasts has all runs take that long.
func (p *play) lasts(d time.Duration) {
	for m := 1; m <= 30; m++ {
		p.loses(m)
		p.argoRuns(m, at(m, 0), d)
	}
}

// recovers has Rollcall make the run of a firing that Argo lost.
func (p *play) recovers(m int) *Workflow {
	p.loses(m)
	w := p.rollcallRuns(m, at(m, 40), time.Second)
	p.say(m, "Backfilled", "")
	return w
}
