package backfill_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// scenario is one carrying out of a plan to recover what was missed.
type scenario struct {
	cw     func(*auditor.CronWorkflow)
	runs   []auditor.Run
	policy func(*backfill.Policy)
	// now is when it begins, 04:44:35 if not said: 25 s before a live firing and 5 s after the grace of the one before.
	now    string
	missed []string
	set    func(*cluster)
	option func(*backfill.Options)

	outcomes []string
	// writes are the creates and changes; those of a scenario with anyWrites are not compared.
	writes    []string
	anyWrites bool
	// last is status.lastScheduledTime at the end.
	last string
	// incomplete says that the report is not to be complete.
	incomplete bool
	// check looks at the rest.
	check func(*testing.T, *bench, backfill.Report)
}

func (s scenario) run(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := s.now
		if now == "" {
			now = "04:44:35"
		}
		cw := minutely()
		if s.cw != nil {
			s.cw(&cw)
		}
		policy := byHand()
		if s.policy != nil {
			s.policy(&policy)
		}
		c := newCluster(now, cw, s.runs...)
		if s.set != nil {
			s.set(c)
		}
		b := newBench(t, c, policy, func(o *backfill.Options) {
			if s.option != nil {
				s.option(o)
			}
		})
		report := b.recover(t.Context(), s.missed...)

		if diff := cmp.Diff(s.outcomes, outcomes(report)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(s.writes, c.writes()); diff != "" && !s.anyWrites {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		if got := c.lastScheduledTime().Format("15:04"); s.last != "" && got != s.last {
			t.Errorf("lastScheduledTime is %s, want %s", got, s.last)
		}
		if report.Complete() == s.incomplete {
			t.Errorf("complete: %v, status error: %v", report.Complete(), report.StatusError)
		}
		for name, n := range c.made {
			if n > 1 {
				t.Errorf("%s was created %d times", name, n)
			}
		}
		if s.check != nil {
			s.check(t, b, report)
		}
		if t.Failed() {
			t.Logf("log:\n%s", b.log)
		}
	})
}

func runScenarios(t *testing.T, scenarios map[string]scenario) {
	t.Helper()
	for name, s := range scenarios {
		t.Run(name, s.run)
	}
}

func TestRunWritesToTheStatusWhatArgoWould(t *testing.T) {
	intended := func(cw *auditor.CronWorkflow) {
		cw.Status.LastScheduledTime, cw.Status.Intended = at("04:42:00"), at("04:42:00")
	}
	runScenarios(t, map[string]scenario{
		"each run is followed by its status write, the oldest first": {
			missed:   []string{"04:40:00", "04:41:00", "04:42:00"},
			outcomes: []string{"04:40 Created", "04:41 Created", "04:42 Created"},
			writes: []string{
				"create 04:40", "change append 04:40 to 04:40",
				"create 04:41", "change append 04:41 to 04:41",
				"create 04:42", "change append 04:42 to 04:42",
			},
			last: "04:42",
		},
		"the newest first moves lastScheduledTime once": {
			policy: func(p *backfill.Policy) { p.Order = backfill.NewestFirst }, missed: []string{"04:40:00", "04:41:00"},
			outcomes: []string{"04:40 Created", "04:41 Created"},
			writes:   []string{"create 04:41", "change append 04:41 to 04:41", "create 04:40", "change append 04:40"},
			last:     "04:41",
		},
		"lastScheduledTime never moves back": {
			cw: lastScheduled("04:43:00"), missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40"}, last: "04:43",
		},
		"under Replace the time moves before the create, with the intent on record": {
			cw: concurrency(auditor.Replace), missed: []string{"04:41:00", "04:42:00"},
			outcomes: []string{"04:41 Left/Superseded", "04:42 Created"},
			writes:   []string{"change intend 04:42 to 04:42", "create 04:42", "change append 04:42 fulfilled"},
			last:     "04:42", check: noIntent,
		},
		"under Replace an intent on record is carried out": {
			cw: func(cw *auditor.CronWorkflow) { concurrency(auditor.Replace)(cw); intended(cw) }, missed: []string{"04:42:00"},
			outcomes: []string{"04:42 Created"}, writes: []string{"create 04:42", "change append 04:42 fulfilled"}, last: "04:42", check: noIntent,
		},
		"a detached run is not appended, but the time moves": {
			policy: detached, missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change to 04:40"}, last: "04:40",
		},
		"a detached run under Replace has its time moved first too": {
			cw: concurrency(auditor.Replace), policy: detached, missed: []string{"04:41:00", "04:42:00"},
			outcomes: []string{"04:41 Created", "04:42 Created"},
			writes: []string{
				"change intend 04:41 to 04:41", "create 04:41", "change fulfilled",
				"change intend 04:42 to 04:42", "create 04:42", "change fulfilled",
			},
			last: "04:42", check: noIntent,
		},
		"a run that has ended before the write is not appended": {
			set: func(c *cluster) {
				c.lasts = time.Millisecond
				c.fault = answers("change", fault{before: func() { time.Sleep(time.Second) }, err: apierrors.NewConflict(workflows, "tick", errors.New("modified"))})
			},
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40", "change to 04:40"}, last: "04:40",
		},
		"a run that exists is not made again, and its status write is repaired": {
			// The trap: Argo would find the newest firing outstanding, get AlreadyExists and leave the schedule unregistered.
			runs: []auditor.Run{run("04:42:00", recovered)}, missed: []string{"04:42:00"},
			outcomes: []string{"04:42 AlreadyThere"}, writes: []string{"change append 04:42 to 04:42"}, last: "04:42",
		},
		"a run that Argo has made in the meantime counts": {
			runs: []auditor.Run{run("04:42:00")}, missed: []string{"04:42:00"}, outcomes: []string{"04:42 AlreadyThere"},
			writes: []string{"change to 04:42"}, last: "04:42",
			check: func(t *testing.T, _ *bench, r backfill.Report) {
				if r.Results[0].MadeBy != "argo" {
					t.Errorf("made by %q", r.Results[0].MadeBy)
				}
			},
		},
		"a conflict leads to another look": {
			set: func(c *cluster) {
				c.fault = answers("create", fault{after: func() { c.writeBack(at("04:38:00")) }})
			},
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40", "change append 04:40 to 04:40"}, last: "04:40",
		},
		"a status write that fails is tried again": {
			set: func(c *cluster) {
				c.fault = answers("change", fails(answer(500, 0, "boom")), fails(answer(503, 0, "boom")))
			},
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40", "change append 04:40 to 04:40", "change append 04:40 to 04:40"}, last: "04:40",
		},
		"a status write whose answer is lost is found to be done": {
			set:    func(c *cluster) { c.fault = answers("change", lost()) },
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40"}, last: "04:40",
		},
		"nothing more is created while the status cannot be written": {
			set: func(c *cluster) {
				c.fault = always("change", apierrors.NewForbidden(workflows, "tick", errors.New("no patch")))
			},
			missed: []string{"04:40:00", "04:41:00"}, outcomes: []string{"04:40 Created", "04:41 Blocked/NotAllowed"},
			incomplete: true,
			check: func(t *testing.T, b *bench, r backfill.Report) {
				if r.StatusError == nil {
					t.Error("the report does not say that the status is not right")
				}
				if n := len(b.sent("create")); n != 1 {
					t.Errorf("%d creates", n)
				}
			},
			anyWrites: true,
		},
		"a late stale write of Argo's is put right": {
			set: func(c *cluster) {
				time.AfterFunc(10*time.Second, func() { c.writeBack(at("04:39:00")) })
			},
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40", "change to 04:40"}, last: "04:40",
		},
		"a stale write within the quiet zone is put right after it": {
			now: "04:44:45",
			set: func(c *cluster) {
				time.AfterFunc(11*time.Second, func() { c.writeBack(at("04:39:00")) })
			},
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40", "change to 04:40"}, last: "04:40",
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if got := b.sent("change")[1].at; got.Before(at("04:45:30")) {
					t.Errorf("written at %s, within the quiet zone", got)
				}
			},
		},
	})
}

func noIntent(t *testing.T, b *bench, _ backfill.Report) {
	if i := b.cw.Status.Intended; !i.IsZero() {
		t.Errorf("the intent of %s is still on record", i)
	}
}

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
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Uncertain/NotSettled"}, writes: []string{"create 04:40"}, incomplete: true,
		},
		"an answer lost that was not carried out: not created again either where it could have been deleted": {
			cw:     func(cw *auditor.CronWorkflow) { cw.Retention.TTL = 30 * time.Second },
			set:    func(c *cluster) { c.fault = answers("create", fails(post(read(reset)))) },
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Uncertain/NotSettled"}, writes: []string{"create 04:40"}, incomplete: true,
		},
		"a refused connection was certainly not carried out, so it is created again": {
			cw:     func(cw *auditor.CronWorkflow) { cw.Retention.Successful = 0 },
			set:    func(c *cluster) { c.fault = answers("create", fails(post(dial(refused)))) },
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "create 04:40", "change append 04:40 to 04:40"}, last: "04:40",
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

func TestRunSortsErrors(t *testing.T) {
	quota := apierrors.NewForbidden(workflows, "tick-1", errors.New("exceeded quota: few"))
	invalid := apierrors.NewInvalid(kind, "tick-1", nil)
	goOn := func(o *backfill.Options) { o.StopWhenBlocked = false }
	runScenarios(t, map[string]scenario{
		"a blocked create is reported at once, and the others are not tried": {
			set: func(c *cluster) { c.fault = always("create", quota) }, missed: []string{"04:40:00", "04:41:00"},
			outcomes: []string{"04:40 Blocked/NotAllowed", "04:41 Blocked/NotAllowed"}, writes: []string{"create 04:40"}, incomplete: true, last: "04:39",
			check: func(t *testing.T, _ *bench, r backfill.Report) {
				want := []string{fmt.Sprintf("Not tried, because the firing of 2026-11-23 04:40:00Z was blocked: %v", quota)}
				if diff := cmp.Diff(want, r.Results[1].Why); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if r.Results[1].Attempts != 0 {
					t.Errorf("%d attempts", r.Results[1].Attempts)
				}
			},
		},
		"where it goes on, a blocked create is tried once a minute": {
			set: func(c *cluster) { c.fault = answers("create", fails(quota), fails(quota), fails(quota)) }, option: goOn, missed: []string{"04:40:00"},
			outcomes: []string{"04:40 Created"}, writes: []string{"create 04:40", "create 04:40", "create 04:40", "create 04:40", "change append 04:40 to 04:40"},
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				want := []string{"04:44:35", "04:45:35", "04:46:35", "04:47:35"}
				if diff := cmp.Diff(want, clocks(b.sent("create"))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"where it goes on, a blocked create is tried until the deadline and a last time just before it": {
			set: func(c *cluster) { c.fault = always("create", quota) }, option: goOn, missed: []string{"04:40:00"},
			cw: deadline(6 * time.Minute), outcomes: []string{"04:40 GaveUp/DeadlinePassed"}, incomplete: true,
			writes: []string{"create 04:40", "create 04:40"},
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				want := []string{"04:44:35", "04:45:35"}
				if diff := cmp.Diff(want, clocks(b.sent("create"))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(map[string]float64{"blocked": 2}, b.count(t, "rollcall_backfill_failures_total", "class")); diff != "" {
					t.Errorf("failures (-want +got):\n%s", diff)
				}
			},
		},
		"a permanent error ends it, and the next is tried": {
			set: func(c *cluster) { c.fault = answers("create", fails(invalid)) }, missed: []string{"04:40:00", "04:41:00"},
			outcomes: []string{"04:40 GaveUp/Permanent", "04:41 Created"},
			writes:   []string{"create 04:40", "create 04:41", "change append 04:41 to 04:41"}, incomplete: true, last: "04:41",
		},
		"without a deadline it is tried for 5 minutes": {
			cw: deadline(0), set: func(c *cluster) { c.fault = always("look", answer(503, 0, "down")) }, missed: []string{"04:40:00"},
			outcomes: []string{"04:40 GaveUp/RetriesEnded"}, incomplete: true,
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				looks := b.sent("look")
				if took := looks[len(looks)-1].at.Sub(at("04:44:35")); took < 4*time.Minute || took > 5*time.Minute {
					t.Errorf("it was tried for %s", took)
				}
			},
		},
		"while it is not settled whether one was created, no other is": {
			set: func(c *cluster) {
				c.fault = func(r request) fault {
					if r.verb == "create" && clockOf(r.name) == "04:40" && r.at.Before(at("04:44:40")) {
						return fails(answer(503, 0, "not this one"))
					}
					return fault{}
				}
			},
			missed: []string{"04:40:00", "04:41:00"}, outcomes: []string{"04:40 Created", "04:41 Created"}, last: "04:41", anyWrites: true,
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if first := b.sent("change")[0].change; describe(first) != "change append 04:40 to 04:40" {
					t.Errorf("the first change is %q", describe(first))
				}
			},
		},
		"when the errors go on, the others have their turn": {
			set: func(c *cluster) {
				c.fault = func(r request) fault {
					if r.verb == "create" && clockOf(r.name) == "04:40" && r.at.Before(at("04:44:40")) {
						return fails(answer(429, 0, "not this one"))
					}
					return fault{}
				}
			},
			missed: []string{"04:40:00", "04:41:00"}, outcomes: []string{"04:40 Created", "04:41 Created"}, last: "04:41", anyWrites: true,
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if first := b.sent("change")[0].change; describe(first) != "change append 04:41 to 04:41" {
					t.Errorf("the first change is %q", describe(first))
				}
			},
		},
	})
}

// An answer is lost before the create was carried out. Where a run could have ended and been deleted meanwhile it is not
// created again; where it would still be there it is.
func TestRunCreatesAgainOnlyWhereARunWouldStillBeThere(t *testing.T) {
	for name, tc := range map[string]struct {
		retention auditor.Retention
		runs      []auditor.Run
		again     bool
	}{
		"plain history limits":                            {retention: auditor.Retention{Successful: 3, Failed: 1, TTL: -1}, again: true},
		"a history limit of 0 for successful runs":        {retention: auditor.Retention{Successful: 0, Failed: 1, TTL: -1}},
		"a history limit of 0 for failed runs":            {retention: auditor.Retention{Successful: 3, Failed: 0, TTL: -1}},
		"a time to live of a minute":                      {retention: auditor.Retention{Successful: 3, Failed: 1, TTL: time.Minute}, again: true},
		"a time to live of just under a minute":           {retention: auditor.Retention{Successful: 3, Failed: 1, TTL: time.Minute - time.Second}},
		"a time to live of 0":                             {retention: auditor.Retention{Successful: 3, Failed: 1}},
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
			if tc.again {
				s.outcomes, s.incomplete = []string{"04:40 Created"}, false
				s.writes = []string{"create 04:40", "create 04:40", "change append 04:40 to 04:40"}
			}
			s.run(t)
		})
	}
}

// endedLately makes the run one that ended as the scenarios begin.
func endedLately(r *auditor.Run) { r.FinishedAt, r.Succeeded = at("04:44:35"), true }

func failed(r *auditor.Run) { r.Succeeded = false }

func TestRunEndsAWaitWithTheDeadline(t *testing.T) {
	runScenarios(t, map[string]scenario{
		"in the quiet zone": {
			now: "04:44:56", cw: deadline(5 * time.Minute), missed: []string{"04:40:00"}, outcomes: []string{"04:40 Left/DeadlinePassed"}, incomplete: true,
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if now := b.now(); !now.Equal(at("04:45:00")) {
					t.Errorf("it ended at %s, want 04:45:00", now)
				}
			},
		},
		"while the status of another run is owed in the quiet zone": {
			now: "04:44:56", cw: deadline(5 * time.Minute), runs: []auditor.Run{run("04:42:00", recovered)},
			policy: func(p *backfill.Policy) { p.Order = backfill.NewestFirst },
			missed: []string{"04:40:00", "04:42:00"}, outcomes: []string{"04:40 Left/DeadlinePassed", "04:42 AlreadyThere"}, incomplete: true,
			writes: []string{"change append 04:42 to 04:42"}, last: "04:42",
		},
	})
}

func clocks(requests []request) (all []string) {
	for _, r := range requests {
		all = append(all, r.at.Format("15:04:05"))
	}
	return all
}

func TestRunRetriesThreeTimesAndThenQueuesAgain(t *testing.T) {
	scenario{
		now: "04:44:31",
		set: func(c *cluster) {
			down := fails(answer(429, 0, "busy"))
			c.fault = answers("create", down, down, down, down, down, down, down, down)
		},
		cw: deadline(time.Hour), missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
		writes: []string{
			"create 04:40", "create 04:40", "create 04:40", "create 04:40", // the first attempt
			"create 04:40", "create 04:40", "create 04:40", "create 04:40", // the second
			"create 04:40", "change append 04:40 to 04:40",
		},
		check: func(t *testing.T, b *bench, r backfill.Report) {
			creates := b.sent("create")
			for i, want := range []time.Duration{100, 200, 400, 1000, 100, 200, 400, 2000} {
				want *= time.Millisecond
				got := creates[i+1].at.Sub(creates[i].at)
				if got < want*3/4 || got > want*5/4 {
					t.Errorf("delay %d is %s, want %s ± 25 %%", i+1, got, want)
				}
			}
			if got := r.Results[0]; got.Attempts != 3 || got.Creates != 9 || got.LastError == nil {
				t.Errorf("%d attempts, %d creates, last error %v", got.Attempts, got.Creates, got.LastError)
			}
			for name, tc := range map[string]struct {
				label string
				want  map[string]float64
			}{
				"rollcall_backfill_attempts_total": {"outcome", map[string]float64{"Requeued": 2, "Created": 1}},
				"rollcall_backfill_retries_total":  {"class", map[string]float64{"transient": 8}},
				"rollcall_backfill_failures_total": {"class", map[string]float64{"transient": 8}},
			} {
				if diff := cmp.Diff(tc.want, b.count(t, name, tc.label)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		},
	}.run(t)
}

func TestRunLeavesTheServerAloneForAsLongAsItAsks(t *testing.T) {
	runScenarios(t, map[string]scenario{
		"between two tries": {
			set: func(c *cluster) { c.fault = answers("create", fails(apierrors.NewTooManyRequests("busy", 7))) }, missed: []string{"04:40:00"},
			outcomes: []string{"04:40 Created"}, writes: []string{"create 04:40", "create 04:40", "change append 04:40 to 04:40"},
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if diff := cmp.Diff([]string{"04:44:35", "04:44:42"}, clocks(b.sent("create"))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"unless the deadline comes before": {
			cw: deadline(5 * time.Minute), set: func(c *cluster) { c.fault = answers("create", fails(apierrors.NewTooManyRequests("busy", 25))) }, missed: []string{"04:40:00"},
			outcomes: []string{"04:40 GaveUp/DeadlinePassed"}, writes: []string{"create 04:40"}, incomplete: true,
		},
	})
}

func TestRunKeepsQuietAroundLiveFirings(t *testing.T) {
	runScenarios(t, map[string]scenario{
		"within 5 s of a firing it waits until that is accounted for": {
			now: "04:44:56", set: func(c *cluster) { c.fires = true }, missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40"}, last: "04:45",
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if diff := cmp.Diff([]string{"04:45:00"}, clocks(b.sent("create"))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"with the controller down it waits until grace is over": {
			now: "04:44:56", missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40"}, last: "04:40",
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if diff := cmp.Diff([]string{"04:45:30"}, clocks(b.sent("create"))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"a retry that would fall into it waits too": {
			now: "04:44:54.95", set: func(c *cluster) { c.fault = answers("create", fails(answer(429, 0, "busy"))) }, missed: []string{"04:40:00"},
			outcomes: []string{"04:40 Created"}, writes: []string{"create 04:40", "create 04:40", "change append 04:40 to 04:40"},
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if diff := cmp.Diff([]string{"04:44:54", "04:45:30"}, clocks(b.sent("create"))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
	})
}

func TestRunKeepsRoomForLiveRuns(t *testing.T) {
	everyTen := func(policy auditor.Policy) func(*auditor.CronWorkflow) {
		return func(cw *auditor.CronWorkflow) {
			schedules("*/10 * * * *")(cw)
			concurrency(policy)(cw)
			deadline(time.Hour)(cw)
			lastScheduled("04:10:00")(cw)
			cw.Retention.Successful = 100
		}
	}
	ends := func(d time.Duration) func(*cluster) { return func(c *cluster) { c.lasts = d } }
	noActive := func(t *testing.T, b *bench, _ backfill.Report) {
		creates := b.sent("create")
		for i := 1; i < len(creates); i++ {
			if before := b.runs[creates[i-1].name]; !before.Finished() || before.FinishedAt.After(creates[i].at) {
				t.Errorf("%s was created while %s ran", creates[i].name, before.Name)
			}
		}
	}
	runScenarios(t, map[string]scenario{
		"Forbid: the next is created when the one before has ended": {
			cw: everyTen(auditor.Forbid), now: "04:41:00", missed: []string{"04:20:00", "04:30:00"},
			set: func(c *cluster) {
				c.lasts, c.reconciles = 90*time.Second, true
			},
			outcomes: []string{"04:20 Created", "04:30 Created"}, last: "04:30", anyWrites: true, check: noActive,
		},
		"Forbid: where no interval is long enough the second is left, not waited for": {
			// The first is created because nothing was observed; it takes nine minutes.
			cw: everyTen(auditor.Forbid), now: "04:40:30", missed: []string{"04:20:00", "04:30:00"}, set: ends(9 * time.Minute),
			outcomes: []string{"04:20 Created", "04:30 Left/NoRoom"}, incomplete: true,
			writes: []string{"create 04:20", "change append 04:20 to 04:20"},
		},
		"Forbid: what cannot begin in time before its deadline is left": {
			cw: everyTen(auditor.Forbid), now: "04:41:00", missed: []string{"04:20:00", "04:30:00"},
			outcomes: []string{"04:20 Created", "04:30 Left/NoRoom"}, incomplete: true,
			writes: []string{"create 04:20", "change append 04:20 to 04:20"},
		},
		"Forbid: without a deadline it waits for an hour": {
			cw: func(cw *auditor.CronWorkflow) { everyTen(auditor.Forbid)(cw); deadline(0)(cw) }, now: "04:41:00", missed: []string{"04:20:00", "04:30:00", "04:40:00"},
			outcomes: []string{"04:20 Created", "04:30 Left/NoRoom", "04:40 Left/NoRoom"}, incomplete: true,
			writes: []string{"create 04:20", "change append 04:20 to 04:20"},
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if took := b.now().Sub(at("04:41:00")); took < time.Hour || took > time.Hour+time.Minute {
					t.Errorf("it waited for %s", took)
				}
			},
		},
		"Allow: no more at once than are allowed": {
			cw: everyTen(auditor.Allow), now: "04:41:00", missed: []string{"04:20:00", "04:30:00", "04:40:00"}, set: ends(time.Minute),
			policy:   func(p *backfill.Policy) { p.MaxParallel = 2 },
			outcomes: []string{"04:20 Created", "04:30 Created", "04:40 Created"}, last: "04:40", anyWrites: true,
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if diff := cmp.Diff([]string{"04:41:00", "04:41:00", "04:42:00"}, clocks(b.sent("create"))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"Replace: a live run is waited for": {
			cw: everyTen(auditor.Replace), now: "04:41:00", missed: []string{"04:30:00"}, set: ends(22 * time.Minute),
			runs:     []auditor.Run{run("04:20:00")},
			outcomes: []string{"04:30 Left/NoRoom"}, incomplete: true,
		},
	})
}

func TestDryRunChangesNothing(t *testing.T) {
	dry := func(o *backfill.Options) { o.DryRun = true }
	runScenarios(t, map[string]scenario{
		"and says what would be created": {
			option: dry, missed: []string{"04:40:00", "04:41:00"}, outcomes: []string{"04:40 WouldCreate", "04:41 WouldCreate"}, last: "04:39",
		},
		"and what it would wait for": {
			option: dry, now: "04:44:56", missed: []string{"04:40:00"}, outcomes: []string{"04:40 WouldCreate"}, last: "04:39",
			check: func(t *testing.T, _ *bench, r backfill.Report) {
				want := []string{"It would wait first, at least until 2026-11-23 04:45:00Z: The live firing of 2026-11-23 04:45:00Z is about to start."}
				if diff := cmp.Diff(want, r.Results[0].Why); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"and what is there already, even with a status that owes": {
			option: dry, runs: []auditor.Run{run("04:40:00", recovered)}, missed: []string{"04:40:00"}, outcomes: []string{"04:40 AlreadyThere"}, last: "04:39",
		},
		"and whose name is taken": {
			option: dry, runs: []auditor.Run{run("04:40:00", ofSomebodyElse)}, missed: []string{"04:40:00"}, outcomes: []string{"04:40 GaveUp/NameTaken"}, incomplete: true,
		},
		"and that the ones after the first would wait under Forbid": {
			option: dry, now: "04:44:30", cw: concurrency(auditor.Forbid), missed: []string{"04:40:00", "04:41:00"}, outcomes: []string{"04:40 WouldCreate", "04:41 WouldCreate"},
			check: func(t *testing.T, _ *bench, r backfill.Report) {
				if diff := cmp.Diff([]string{"It would wait for the runs before it to end."}, r.Results[1].Why); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"and that it could not look": {
			option: dry, set: func(c *cluster) { c.fault = always("look", apierrors.NewUnauthorized("no")) }, missed: []string{"04:40:00"},
			outcomes: []string{"04:40 Blocked/NotAllowed"}, incomplete: true,
		},
		"and that the CronWorkflow is gone": {
			option: dry, set: func(c *cluster) { c.gone = true }, missed: []string{"04:40:00"}, outcomes: []string{"04:40 Left/Gone"}, incomplete: true,
		},
		"and retries what is transient": {
			option: dry, set: func(c *cluster) { c.fault = answers("look", fails(answer(500, 0, "boom"))) }, missed: []string{"04:40:00"}, outcomes: []string{"04:40 WouldCreate"},
		},
	})
}

func TestRunWithNothingToRecoverAsksNothing(t *testing.T) {
	scenario{check: func(t *testing.T, b *bench, _ backfill.Report) {
		if len(b.requests) != 0 {
			t.Errorf("%d requests", len(b.requests))
		}
	}}.run(t)
}

func TestRunAgainAfterEverythingWasRecoveredStillRepairsTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:44:35", minutely(), run("04:41:00", recovered, took(time.Second)), run("04:42:00", recovered))
		b := newBench(t, c, byHand())
		report := b.executor.Run(t.Context(), b.plan(finding("04:41:00", auditor.Backfilled), finding("04:42:00", auditor.Backfilled)))
		if diff := cmp.Diff([]string{"04:41 AlreadyThere", "04:42 AlreadyThere"}, outcomes(report)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"change append 04:42 to 04:42"}, c.writes()); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
	})
}

func TestReportSaysEverythingOfARecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:44:35", minutely())
		b := newBench(t, c, byHand())
		got := b.executor.Run(t.Context(), b.plan(finding("04:40:00", auditor.Missed), finding("04:41:00", auditor.OnTime), finding("04:42:00", auditor.Skipped)))
		name := auditor.WorkflowName(key.Name, at("04:40:00"))
		want := backfill.Report{
			CronWorkflow: key,
			Results: []backfill.Result{
				{
					Finding: finding("04:40:00", auditor.Missed), Planned: true, Outcome: backfill.Created, Attempts: 1, Creates: 1,
					Workflow: name, UID: "uid-" + name + "-1", MadeBy: backfill.ByCLI, CreatedAt: at("04:44:35"),
				},
				{
					Finding: finding("04:41:00", auditor.OnTime), Outcome: backfill.AlreadyThere, Why: []string{"It ran (OnTime)."},
					Workflow: auditor.WorkflowName(key.Name, at("04:41:00")),
				},
				{
					Finding: finding("04:42:00", auditor.Skipped), Outcome: backfill.Left, Reason: backfill.NotTaken,
					Why:      []string{"A firing that is Skipped is recovered only when asked for (--include Skipped)."},
					Workflow: auditor.WorkflowName(key.Name, at("04:42:00")),
				},
			},
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[backfill.Outcome]int{backfill.Created: 1}, got.Totals()); diff != "" {
			t.Errorf("totals (-want +got):\n%s", diff)
		}
		var kinds []backfill.EventKind
		for _, e := range b.events {
			kinds = append(kinds, e.Kind)
		}
		if diff := cmp.Diff([]backfill.EventKind{backfill.Trying, backfill.Finished, backfill.Settling}, kinds); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestLogFollowsOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:44:35", minutely())
		c.fault = answers("create", fails(apierrors.NewTooManyRequests("busy", 2)))
		b := newBench(t, c, byHand())
		b.recover(t.Context(), "04:40:00")
		want := `level=INFO msg="attempt begins" cronworkflow=default/tick firing=2026-11-23T04:40:00Z attempt=1
level=WARN msg="request failed, to be tried again" cronworkflow=default/tick firing=2026-11-23T04:40:00Z attempt=1 request=create class=transient retry_after=2s delay=2s error=busy
level=INFO msg="status written" cronworkflow=default/tick last_scheduled_time=2026-11-23T04:40:00Z appended=tick-1795408800
level=INFO msg="firing finished" cronworkflow=default/tick firing=2026-11-23T04:40:00Z outcome=Created attempt=1 creates=2 workflow=tick-1795408800 uid=uid-tick-1795408800-1 made_by=cli
`
		if diff := cmp.Diff(want, b.log.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestCountersExistBeforeAnythingHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCluster("04:44:35", minutely()), byHand())
		b.executor.Run(t.Context(), b.plan())
		families, err := b.counters.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, f := range families {
			got[f.GetName()] = len(f.GetMetric())
		}
		want := map[string]int{"rollcall_backfill_attempts_total": 8, "rollcall_backfill_retries_total": 3, "rollcall_backfill_failures_total": 3}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestTheCountersOfACronWorkflowComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:44:35", minutely())
		b := newBench(t, c, byHand())
		one, other := backfill.Key{Namespace: "default", Name: "tick", UID: "1"}, backfill.Key{Namespace: "default", Name: "tock"}
		series := func() map[string]int {
			families, err := b.counters.Gather()
			if err != nil {
				t.Fatal(err)
			}
			all := map[string]int{}
			for _, f := range families {
				for _, m := range f.GetMetric() {
					for _, l := range m.GetLabel() {
						if l.GetName() == "cronworkflow" {
							all[l.GetValue()]++
						}
					}
				}
			}
			return all
		}
		b.executor.Expect(one)
		b.executor.Expect(other)
		if diff := cmp.Diff(map[string]int{"tick": 14, "tock": 14}, series()); diff != "" {
			t.Errorf("expected (-want +got):\n%s", diff)
		}
		b.executor.Forget(one)
		if diff := cmp.Diff(map[string]int{"tock": 14}, series()); diff != "" {
			t.Errorf("forgotten (-want +got):\n%s", diff)
		}
		c.fault = func(request) fault { b.executor.Forget(one); return fault{} }
		b.recover(t.Context(), "04:40:00")
		if diff := cmp.Diff(map[string]int{"tock": 14}, series()); diff != "" {
			t.Errorf("what is under way brought them back (-want +got):\n%s", diff)
		}
	})
}

func TestRunAllKeepsTheGlobalRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:44:35", minutely())
		b := newBench(t, c, byHand(), func(o *backfill.Options) { o.CreatesPerSecond, o.Observer = 2, nil })
		var plans []backfill.Plan
		for _, clock := range []string{"04:40:00", "04:41:00", "04:42:00"} {
			plans = append(plans, b.plan(finding(clock, auditor.Missed)))
		}
		reports := b.executor.RunAll(t.Context(), plans)
		var got []string
		for _, r := range reports {
			got = append(got, outcomes(r)...)
		}
		if diff := cmp.Diff([]string{"04:40 Created", "04:41 Created", "04:42 Created"}, got); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"04:44:35", "04:44:35", "04:44:36"}, clocks(c.sent("create"))); diff != "" {
			t.Errorf("creates (-want +got):\n%s", diff)
		}
	})
}

func TestNewExecutorNamesWhatIsWrongWithItsOptions(t *testing.T) {
	good := backfill.Options{Submitter: &cluster{}, Policy: byHand(), Log: slog.New(slog.DiscardHandler), Now: time.Now}
	for want, change := range map[string]func(*backfill.Options){
		"backfill: Options.Submitter is missing":                    func(o *backfill.Options) { o.Submitter = nil },
		"backfill: Options.Log is missing":                          func(o *backfill.Options) { o.Log = nil },
		"backfill: Options.Now is missing":                          func(o *backfill.Options) { o.Now = nil },
		`backfill: Policy.By is "": use "cli" or "controller"`:      func(o *backfill.Options) { o.Policy.By = "" },
		"backfill: Policy.MaxParallel is 0: use 1 or more":          func(o *backfill.Options) { o.Policy.MaxParallel = 0 },
		"backfill: Policy.MaxCatchUp is 0: use 1 or more":           func(o *backfill.Options) { o.Policy.MaxCatchUp = 0 },
		"backfill: Options.Parallel is -1: use 1 or more":           func(o *backfill.Options) { o.Parallel = -1 },
		"backfill: Options.CreatesPerSecond is -1: use more than 0": func(o *backfill.Options) { o.CreatesPerSecond = -1 },
		"backfill: register metrics: duplicate metrics collector registration attempted": func(o *backfill.Options) {
			r := prometheus.NewRegistry()
			if _, err := backfill.NewExecutor(backfill.Options{Submitter: o.Submitter, Policy: o.Policy, Log: o.Log, Now: o.Now, Metrics: r}); err != nil {
				t.Fatal(err)
			}
			o.Metrics = r
		},
	} {
		o := good
		change(&o)
		if _, err := backfill.NewExecutor(o); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := backfill.NewExecutor(good); err != nil {
		t.Error(err)
	}
}
