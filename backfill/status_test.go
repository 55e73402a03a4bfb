package backfill_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

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

func TestRunDoesNotFightOverTheStatus(t *testing.T) {
	everyTen := func(cw *auditor.CronWorkflow) {
		schedules("*/10 * * * *")(cw)
		deadline(25 * time.Minute)(cw)
		lastScheduled("04:10:00")(cw)
	}
	putBack := func(c *cluster) {
		c.fault = func(r request) fault {
			if r.verb == "change" {
				return fault{after: func() { c.writeBack(at("04:09:00")) }}
			}
			return fault{}
		}
	}
	runScenarios(t, map[string]scenario{
		"what is put back at once is written more and more seldom, and nothing else is created meanwhile": {
			cw: everyTen, now: "04:41:00", missed: []string{"04:20:00", "04:30:00"}, set: putBack,
			outcomes: []string{"04:20 Created", "04:30 Left/DeadlinePassed"}, incomplete: true, anyWrites: true,
			check: func(t *testing.T, b *bench, r backfill.Report) {
				if r.StatusError == nil {
					t.Error("the report does not say that the status is not right")
				}
				if n := len(b.sent("create")); n != 1 {
					t.Errorf("%d creates", n)
				}
				if n := len(b.sent("change")); n < 5 || n > 30 {
					t.Errorf("%d changes in %s", n, b.now().Sub(at("04:41:00")))
				}
			},
		},
		"a run that Argo takes out of status.active again, because it does not count it, is appended twice at the most": {
			now: "04:44:35", missed: []string{"04:40:00"},
			set: func(c *cluster) {
				c.fault = func(r request) fault {
					if r.verb == "look" {
						c.cw.Status.Active = nil
					}
					return fault{}
				}
			},
			outcomes: []string{"04:40 Created"}, writes: []string{"create 04:40", "change append 04:40 to 04:40", "change append 04:40"}, last: "04:40",
		},
		"under Replace a time that does not stay is written like any request that fails": {
			cw: func(cw *auditor.CronWorkflow) {
				everyTen(cw)
				concurrency(auditor.Replace)(cw)
				deadline(12 * time.Minute)(cw)
			},
			now: "04:41:00", missed: []string{"04:30:00"}, set: putBack,
			outcomes: []string{"04:30 GaveUp/DeadlinePassed"}, incomplete: true, anyWrites: true,
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if n := len(b.sent("create")); n != 0 {
					t.Errorf("%d creates", n)
				}
				if n := len(b.sent("change")); n < 8 || n > 40 {
					t.Errorf("%d changes in a minute", n)
				}
			},
		},
	})
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
