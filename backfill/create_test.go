package backfill_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

func TestRunCreatesEachRunOnceWhateverTheAnswer(t *testing.T) {
	two := fails(answer(503, 0, "starting"))
	runScenarios(t, map[string]scenario{
		"an answer lost after the create was carried out": {
			set: func(c *cluster) { c.fault = answers("create", lost()) }, missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40"}, last: "04:40",
		},
		"an answer lost, and reading fails too at first": {
			set: func(c *cluster) {
				create, find := answers("create", lost()), answers("find", fault{}, two, two)
				c.fault = func(r request) fault {
					if r.verb == "find" {
						return find(r)
					}
					return create(r)
				}
			},
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40"}, last: "04:40",
		},
		"a lost connection before the create was carried out": {
			set:    func(c *cluster) { c.fault = answers("create", fails(post(read(reset)))) },
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "create 04:40", "change append 04:40 to 04:40"}, last: "04:40",
		},
		"no answer for 10 s although the create was carried out": {
			set:    func(c *cluster) { c.fault = answers("create", fault{hang: true, done: true}) },
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40"}, last: "04:40",
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if took := b.sent("change")[0].at.Sub(b.sent("create")[0].at); took != 10*time.Second {
					t.Errorf("the create took %s, want 10s", took)
				}
			},
		},
		"a create that hangs is ended before the next live firing": {
			now: "04:44:54", set: func(c *cluster) { c.fault = answers("create", fault{hang: true, done: true}) },
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40"}, last: "04:40",
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if got := b.sent("change")[0].at; !got.Equal(at("04:44:59")) {
					t.Errorf("the create ended at %s, want 04:44:59", got)
				}
			},
		},
		"Argo makes the run at the same moment": {
			set: func(c *cluster) {
				c.fault = answers("create", fault{before: func() {
					c.mu.Lock()
					defer c.mu.Unlock()
					c.runByArgo(at("04:42:00"))
				}})
			},
			missed: []string{"04:42:00"}, outcomes: []string{"04:42 AlreadyThere"}, last: "04:42",
			// The look is from before Argo's write, so ours meets a conflict, and the next look shows that nothing is owed.
			writes: []string{"create 04:42", "change to 04:42"},
		},
		"the name belongs to somebody else": {
			runs: []auditor.Run{run("04:40:00", ofSomebodyElse)}, missed: []string{"04:40:00"}, outcomes: []string{"04:40 GaveUp/NameTaken"}, incomplete: true, last: "04:39",
		},
		"somebody else takes the name at the same moment": {
			set: func(c *cluster) {
				c.fault = answers("create", fault{before: func() {
					c.mu.Lock()
					defer c.mu.Unlock()
					r := run("04:40:00", ofSomebodyElse)
					c.runs[r.Name] = r
				}})
			},
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 GaveUp/NameTaken"}, writes: []string{"create 04:40"}, incomplete: true, last: "04:39",
		},
		"an answer lost, and the run has ended and is deleted: not created again": {
			cw: func(cw *auditor.CronWorkflow) { cw.Retention.Successful = 0 },
			set: func(c *cluster) {
				c.lasts, c.deletes = time.Millisecond, true
				c.fault = answers("create", fault{err: post(read(reset)), done: true, after: func() { time.Sleep(time.Second) }})
			},
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Uncertain/NotSettled"}, writes: []string{"change intend 04:40 to 04:40", "create 04:40"}, last: "04:40", incomplete: true,
		},
		"an answer lost that was not carried out: not created again either where it could have been deleted": {
			cw:     func(cw *auditor.CronWorkflow) { cw.Retention.TTL = 30 * time.Second },
			set:    func(c *cluster) { c.fault = answers("create", fails(post(read(reset)))) },
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Uncertain/NotSettled"}, writes: []string{"change intend 04:40 to 04:40", "create 04:40"}, last: "04:40", incomplete: true,
		},
		"a refused connection was certainly not carried out, so it is created again": {
			cw:     func(cw *auditor.CronWorkflow) { cw.Retention.Successful = 0 },
			set:    func(c *cluster) { c.fault = answers("create", fails(post(dial(refused)))) },
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"change intend 04:40 to 04:40", "create 04:40", "create 04:40", "change append 04:40 fulfilled"}, last: "04:40",
		},
		"the name was there and is gone: not created again": {
			set:    func(c *cluster) { c.fault = answers("create", fails(apierrors.NewAlreadyExists(workflows, "tick-1"))) },
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Uncertain/NotSettled"}, writes: []string{"create 04:40"}, incomplete: true,
		},
		"an answer lost and no way to find out": {
			set: func(c *cluster) {
				dead := false
				create := answers("create", lost())
				c.fault = func(r request) fault {
					switch {
					case dead:
						return fails(apierrors.NewUnauthorized("the token ran out"))
					case r.verb == "create":
						dead = true
					}
					return create(r)
				}
			},
			missed: []string{"04:40:00", "04:41:00"}, outcomes: []string{"04:40 Uncertain/NotSettled", "04:41 Blocked/NotAllowed"},
			writes: []string{"create 04:40"}, incomplete: true,
			check: func(t *testing.T, _ *bench, r backfill.Report) {
				if r.StatusError == nil {
					t.Error("the report does not say that the status may be wrong")
				}
			},
		},
		"an answer lost and no way to find out, but the run turns up": {
			set: func(c *cluster) {
				var renewed time.Time
				c.fault = func(r request) fault {
					switch {
					case r.verb == "create":
						renewed = r.at.Add(2 * time.Second)
						return lost()
					case r.at.Before(renewed):
						return fails(apierrors.NewUnauthorized("the token ran out"))
					}
					return fault{}
				}
			},
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40"}, last: "04:40",
		},
		"the first look already fails for good": {
			set:    func(c *cluster) { c.fault = always("look", apierrors.NewUnauthorized("Unauthorized")) },
			missed: []string{"04:40:00", "04:41:00"}, outcomes: []string{"04:40 Blocked/NotAllowed", "04:41 Blocked/NotAllowed"}, incomplete: true,
		},
		"the first look gives an answer that makes no sense": {
			set:    func(c *cluster) { c.fault = always("look", errors.New("the answer cannot be read")) },
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Blocked/NotAllowed"}, incomplete: true,
		},
		"the CronWorkflow is gone": {
			set:    func(c *cluster) { c.gone = true },
			missed: []string{"04:40:00", "04:41:00"}, outcomes: []string{"04:40 Left/Gone", "04:41 Left/Gone"}, incomplete: true,
		},
		"the CronWorkflow was made anew": {
			set: func(c *cluster) {
				c.fault = answers("look", fault{before: func() { c.mu.Lock(); c.cw.UID = "uid-new"; c.mu.Unlock() }})
			},
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Left/Gone"}, incomplete: true,
		},
		"it is suspended just before the create": {
			set: func(c *cluster) {
				c.fault = answers("look", fault{before: func() {
					c.mu.Lock()
					defer c.mu.Unlock()
					c.cw.Epochs = append(c.cw.Epochs, auditor.Epoch{From: at("04:44:35"), Spec: auditor.Spec{Schedules: []string{"* * * * *"}, Suspend: true}})
				}})
			},
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Left/Suspended"}, incomplete: true,
		},
	})
}

func TestRunCreatesAgainOnlyWhereARunWouldStillBeThere(t *testing.T) {
	for name, tc := range map[string]struct {
		retention auditor.Retention
		runs      []auditor.Run
		again     bool
		// first: lastScheduledTime moves before the create.
		first bool
	}{
		"plain history limits":                            {retention: auditor.Retention{Successful: 3, Failed: 1, TTL: -1}, again: true},
		"a history limit of 0 for successful runs":        {retention: auditor.Retention{Successful: 0, Failed: 1, TTL: -1}, first: true},
		"a history limit of 0 for failed runs":            {retention: auditor.Retention{Successful: 3, Failed: 0, TTL: -1}, first: true},
		"a time to live of a minute":                      {retention: auditor.Retention{Successful: 3, Failed: 1, TTL: time.Minute}, again: true},
		"a time to live of just under a minute":           {retention: auditor.Retention{Successful: 3, Failed: 1, TTL: time.Minute - time.Second}, first: true},
		"a time to live of 0":                             {retention: auditor.Retention{Successful: 3, Failed: 1}, first: true},
		"more runs under way with it than are kept":       {retention: auditor.Retention{Successful: 3, Failed: 1, TTL: -1}, runs: []auditor.Run{run("04:42:00")}, first: true, again: true},
		"a template that cannot be read":                  {retention: auditor.Retention{Successful: 3, Failed: 1, TTL: -1, Unreadable: "WorkflowTemplate default/etl"}},
		"a retentionPolicy":                               {retention: auditor.Retention{Successful: 3, Failed: 1, TTL: -1, Policy: true}},
		"as many runs succeeded since as are kept":        {retention: auditor.Retention{Successful: 1, Failed: 1, TTL: -1}, runs: []auditor.Run{run("04:41:00", endedLately)}},
		"fewer runs succeeded since than are kept":        {retention: auditor.Retention{Successful: 2, Failed: 1, TTL: -1}, runs: []auditor.Run{run("04:41:00", endedLately)}, again: true},
		"as many runs failed since as are kept":           {retention: auditor.Retention{Successful: 3, Failed: 1, TTL: -1}, runs: []auditor.Run{run("04:41:00", endedLately, failed)}},
		"as many runs as are kept succeeded before":       {retention: auditor.Retention{Successful: 1, Failed: 1, TTL: -1}, runs: []auditor.Run{run("04:41:00", took(time.Minute))}, again: true},
		"detached runs are outside of the history limits": {retention: auditor.Retention{Successful: 1, Failed: 1, TTL: -1}, runs: []auditor.Run{run("04:41:00", endedLately, uncontrolled)}, again: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := scenario{
				cw: func(cw *auditor.CronWorkflow) { cw.Retention = tc.retention }, runs: tc.runs,
				set:    func(c *cluster) { c.fault = answers("create", fails(post(read(reset)))) },
				missed: []string{"04:40:00"}, outcomes: []string{"04:40 Uncertain/NotSettled"}, writes: []string{"create 04:40"}, incomplete: true,
			}
			if tc.first {
				s.writes = []string{"change intend 04:40 to 04:40", "create 04:40"}
			}
			if tc.again {
				s.outcomes, s.incomplete = []string{"04:40 Created"}, false
				s.writes = []string{"create 04:40", "create 04:40", "change append 04:40 to 04:40"}
				if tc.first {
					s.writes = []string{"change intend 04:40 to 04:40", "create 04:40", "create 04:40", "change append 04:40 fulfilled"}
				}
			}
			s.run(t)
		})
	}
}

func endedLately(r *auditor.Run) { r.FinishedAt, r.Succeeded = at("04:44:35"), true }

func failed(r *auditor.Run) { r.Succeeded = false }

func TestRunStaysUncertainWhereItCannotFindOut(t *testing.T) {
	// afterCreate loses the create, and lets every request of that verb fail for a while.
	afterCreate := func(verb string, err error, d time.Duration) func(*cluster) {
		return func(c *cluster) {
			var until time.Time
			c.fault = func(r request) fault {
				switch {
				case r.verb == "create" && until.IsZero():
					until = r.at.Add(d)
					return fails(post(read(reset)))
				case r.verb == verb && r.at.Before(until):
					return fails(err)
				}
				return fault{}
			}
		}
	}
	everyTen := func(cw *auditor.CronWorkflow) { schedules("*/10 * * * *")(cw) }
	runScenarios(t, map[string]scenario{
		"until the deadline": {
			cw: everyTen, now: "04:41:00", missed: []string{"04:40:00"}, set: afterCreate("look", answer(503, 0, "down"), time.Hour),
			outcomes: []string{"04:40 Uncertain/NotSettled"}, writes: []string{"create 04:40"}, incomplete: true,
		},
		"because the CronWorkflow is gone": {
			cw: everyTen, now: "04:41:00", missed: []string{"04:30:00", "04:40:00"}, set: afterCreate("look", apierrors.NewNotFound(workflows, "tick"), time.Hour),
			policy:   ignoreDeadline,
			outcomes: []string{"04:30 Uncertain/NotSettled", "04:40 Left/Gone"}, writes: []string{"create 04:30"}, incomplete: true,
		},
		"because the run could have been deleted until it could be read": {
			cw:  func(cw *auditor.CronWorkflow) { everyTen(cw); cw.Retention.TTL = time.Minute },
			now: "04:41:00", missed: []string{"04:40:00"}, set: afterCreate("look", answer(503, 0, "down"), 70*time.Second),
			outcomes: []string{"04:40 Uncertain/NotSettled"}, writes: []string{"create 04:40"}, incomplete: true,
		},
	})
}

func TestNoRunIsMadeThatTheStatusMayNotBeMadeToShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:41:30", minutely(schedules("40 4 * * *"), deadline(2*time.Hour), lastScheduled("00:00:00")))
		c.mayChange = apierrors.NewForbidden(workflows, "tick", errors.New("cannot patch resource"))
		b := newBench(t, c, byHand(func(*backfill.Policy) {}))
		report := b.executor.Run(t.Context(), b.plan(missed("04:40:00")...))
		if outcome := report.Results[0].Outcome; outcome != backfill.Blocked {
			t.Errorf("the outcome is %s", outcome)
		}
		if sent := append(b.sent("create"), b.sent("change")...); len(sent) > 0 {
			t.Errorf("sent %v", sent)
		}
	})
}
