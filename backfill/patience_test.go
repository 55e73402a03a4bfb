package backfill_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// patient goes on with what is blocked, as the controller does.
func patient(patience time.Duration, more ...func(*backfill.Options)) func(*backfill.Options) {
	return func(o *backfill.Options) {
		o.Patience, o.StopWhenBlocked = patience, false
		for _, change := range more {
			change(o)
		}
	}
}

// endsAt checks when Run ended and when it is to be carried out again, to the second; an empty again is never.
func endsAt(end, again string, more ...func(*testing.T, *bench, backfill.Report)) func(*testing.T, *bench, backfill.Report) {
	return func(t *testing.T, b *bench, r backfill.Report) {
		if got := b.now().Format(time.TimeOnly); got != end {
			t.Errorf("it ended at %s, want %s", got, end)
		}
		got := ""
		if !r.Again.IsZero() {
			got = r.Again.Format(time.TimeOnly)
		}
		if got != again {
			t.Errorf("it is to be carried out again at %q, want %q", got, again)
		}
		for _, check := range more {
			check(t, b, r)
		}
	}
}

func says(why string) func(*testing.T, *bench, backfill.Report) {
	return func(t *testing.T, _ *bench, r backfill.Report) {
		if diff := cmp.Diff([]string{why}, r.Results[0].Why); diff != "" {
			t.Errorf("why (-want +got):\n%s", diff)
		}
	}
}

// sends checks how many requests of a verb were made.
func sends(verb string, n int) func(*testing.T, *bench, backfill.Report) {
	return func(t *testing.T, b *bench, _ backfill.Report) {
		if got := len(b.sent(verb)); got != n {
			t.Errorf("%d requests to %s, want %d", got, verb, n)
		}
	}
}

func everyTen(cw *auditor.CronWorkflow) {
	schedules("*/10 * * * *")(cw)
	deadline(time.Hour)(cw)
	lastScheduled("04:10:00")(cw)
}

func TestAPatientRunEndsInsteadOfWaitingForLong(t *testing.T) {
	runScenarios(t, map[string]scenario{
		"for room, which is looked for every 5 s": {
			option: patient(12 * time.Second), cw: everyTen, now: "04:41:00", runs: []auditor.Run{run("04:10:00", recovered)},
			policy: func(p *backfill.Policy) { p.MaxParallel = 1 },
			missed: []string{"04:20:00", "04:30:00"}, outcomes: []string{"04:20 Requeued", "04:30 Requeued"}, incomplete: true, anyWrites: true,
			check: endsAt("04:41:10", "04:41:15", says("1 recovered run has not ended yet, and 1 at once is the most (--max-parallel).")),
		},
		"for room that it knows the time of": {
			option: patient(10 * time.Second), cw: func(cw *auditor.CronWorkflow) { everyTen(cw); concurrency(auditor.Forbid)(cw) }, now: "04:46:00",
			missed: []string{"04:20:00"}, outcomes: []string{"04:20 Requeued"}, incomplete: true,
			check: endsAt("04:46:00", "04:50:00"),
		},
		"for a live firing that is about to start": {
			option: patient(time.Second), now: "04:44:56", missed: []string{"04:40:00"}, outcomes: []string{"04:40 Requeued"}, incomplete: true,
			check: endsAt("04:44:56", "04:45:00", says("The live firing of 2026-11-23 04:45:00Z is about to start.")),
		},
		"for a live firing that does not start": {
			option: patient(10 * time.Second), now: "04:44:56", missed: []string{"04:40:00"}, outcomes: []string{"04:40 Requeued"}, incomplete: true,
			check: endsAt("04:45:06", "04:45:08"),
		},
		"but waits for one that starts in time": {
			option: patient(10 * time.Second), now: "04:44:56", missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			set:    func(c *cluster) { c.fires = true },
			writes: []string{"create 04:40", "change append 04:40"}, check: endsAt("04:45:00", ""),
		},
		"and each firing that is recovered begins a new stretch": {
			option: patient(12 * time.Second), cw: everyTen, now: "04:41:00", set: func(c *cluster) { c.lasts = 8 * time.Second },
			policy: func(p *backfill.Policy) { p.MaxParallel = 1 }, anyWrites: true,
			missed: []string{"04:20:00", "04:30:00", "04:40:00"}, outcomes: []string{"04:20 Created", "04:30 Created", "04:40 Created"},
			check: endsAt("04:41:20", ""),
		},
		"for a wait that outlasts a deadline, until that": {
			option: patient(time.Second), cw: deadline(5 * time.Minute), now: "04:44:56",
			missed: []string{"04:40:00", "04:41:00"}, outcomes: []string{"04:40 Requeued", "04:41 Requeued"}, incomplete: true,
			check: endsAt("04:44:56", "04:45:00"),
		},
		"and finds the deadline passed in a short wait": {
			option: patient(10*time.Second, journaled), cw: deadline(5 * time.Minute), now: "04:44:56",
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 Left/DeadlinePassed"}, incomplete: true, writes: []string{"ended 04:40 Left/DeadlinePassed"},
			check: endsAt("04:45:00", ""),
		},
		"for the server, which asks to be left alone": {
			option: patient(10 * time.Second), missed: []string{"04:40:00"}, outcomes: []string{"04:40 Requeued"}, incomplete: true,
			set:    func(c *cluster) { c.fault = always("look", apierrors.NewTooManyRequests("busy", 20)) },
			writes: nil, check: endsAt("04:44:35", "04:44:55", sends("look", 1)),
		},
		"for the record of the intent": {
			option: patient(10*time.Second, func(o *backfill.Options) {
				o.Journal = &journal{o.Submitter.(*cluster), func(context.Context, backfill.Intent) error { return errors.New("no") }}
			}),
			cw: everyTen, now: "04:41:00", missed: []string{"04:30:00"}, outcomes: []string{"04:30 Requeued"}, incomplete: true, anyWrites: true,
			check: func(t *testing.T, b *bench, r backfill.Report) {
				if n := len(b.sent("create")) + len(b.sent("change")); n > 0 {
					t.Errorf("%d writes", n)
				}
				if took := b.now().Sub(at("04:41:00")); took > 10*time.Second {
					t.Errorf("it took %s", took)
				}
				if last := b.sent("journal"); last[len(last)-1].name != "ended 04:30 Requeued" {
					t.Errorf("the Journal was last told %q", last[len(last)-1].name)
				}
				if r.Again.IsZero() {
					t.Error("it does not say when to come back")
				}
			},
		},
	})
}

func TestAPatientRunEndsBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:41:00", minutely(everyTen))
		c.fault = always("look", answer(503, 0, "down"))
		b := newBench(t, c, byHand(), patient(5*time.Second))
		report := b.recover(t.Context(), "04:20:00", "04:30:00")
		if diff := cmp.Diff([]string{"04:20 Requeued", "04:30 Requeued"}, outcomes(report)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// Attempts after delays of 1 s, for each of the two, and 2 s; the next ones would be later than 5 s.
		if took := b.now().Sub(at("04:41:00")); took < 2*time.Second || took > 8*time.Second {
			t.Errorf("it took %s", took)
		}
		if left := report.Again.Sub(b.now()); left <= 0 || left > 5*time.Second {
			t.Errorf("it is to be carried out again %s later", left)
		}
		first, second := report.Results[0], report.Results[1]
		if n := len(b.sent("look")); n != 4*(first.Attempts+second.Attempts) {
			t.Errorf("%d looks in %d and %d attempts", n, first.Attempts, second.Attempts)
		}
	})
}

// failsFor gives every create of that firing an error.
func failsFor(clock string, err error) func(*cluster) {
	return func(c *cluster) {
		c.fault = func(r request) fault {
			if r.verb == "create" && clockOf(r.name) == clock {
				return fails(err)
			}
			return fault{}
		}
	}
}

func TestInAPatientRunAFiringThatWaitsKeepsNoOtherFromBeingTried(t *testing.T) {
	quota := apierrors.NewForbidden(workflows, "tick-1", errors.New("exceeded quota: few"))
	blocked := map[string]float64{"Blocked": 1, "Created": 2}
	runScenarios(t, map[string]scenario{
		"because it is blocked": {
			option: patient(10 * time.Second), set: failsFor("04:40", quota), missed: []string{"04:40:00", "04:41:00", "04:42:00"},
			outcomes: []string{"04:40 Blocked/NotAllowed", "04:41 Created", "04:42 Created"}, incomplete: true,
			writes: []string{"create 04:40", "create 04:41", "change append 04:41 to 04:41", "create 04:42", "change append 04:42 to 04:42"},
			check: endsAt("04:44:35", "04:45:35", says("Somebody has to act: "+quota.Error()), func(t *testing.T, b *bench, _ backfill.Report) {
				if diff := cmp.Diff(blocked, b.count(t, "rollcall_backfill_attempts_total", "outcome")); diff != "" {
					t.Errorf("attempts (-want +got):\n%s", diff)
				}
			}),
		},
		"because of errors that may pass": {
			option: patient(time.Second / 2), set: failsFor("04:40", apierrors.NewTooManyRequests("busy", 0)), missed: []string{"04:40:00", "04:41:00"},
			outcomes: []string{"04:40 Requeued", "04:41 Created"}, incomplete: true,
			writes: []string{"create 04:40", "create 04:40", "create 04:40", "create 04:40", "create 04:41", "change append 04:41 to 04:41"},
			check:  says("It is to be tried again after an error: busy"),
		},
		"unless what fails concerns them all": {
			option: patient(10 * time.Second), missed: []string{"04:40:00", "04:41:00"},
			set:      func(c *cluster) { c.fault = always("look", apierrors.NewUnauthorized("Unauthorized")) },
			outcomes: []string{"04:40 Blocked/NotAllowed", "04:41 Blocked/NotAllowed"}, incomplete: true,
			check: endsAt("04:44:35", "04:45:35", sends("look", 1), func(t *testing.T, _ *bench, r backfill.Report) {
				want := []string{"Not tried, because the firing of 2026-11-23 04:40:00Z was blocked: Unauthorized"}
				if diff := cmp.Diff(want, r.Results[1].Why); diff != "" || r.Results[1].Attempts != 0 {
					t.Errorf("after %d attempts (-want +got):\n%s", r.Results[1].Attempts, diff)
				}
			}),
		},
		"unless a second one is blocked too, and then each that was tried says so itself": {
			option: patient(10 * time.Second), missed: []string{"04:40:00", "04:41:00", "04:42:00"},
			set:      func(c *cluster) { c.fault = always("create", quota) },
			outcomes: []string{"04:40 Blocked/NotAllowed", "04:41 Blocked/NotAllowed", "04:42 Blocked/NotAllowed"}, incomplete: true,
			writes: []string{"create 04:40", "create 04:41"},
			check: func(t *testing.T, _ *bench, r backfill.Report) {
				want := []string{
					"Somebody has to act: " + quota.Error(), "Somebody has to act: " + quota.Error(),
					"Not tried, because the firing of 2026-11-23 04:41:00Z was blocked: " + quota.Error(),
				}
				for i, result := range r.Results {
					if diff := cmp.Diff([]string{want[i]}, result.Why); diff != "" {
						t.Errorf("%s (-want +got):\n%s", result.Workflow, diff)
					}
				}
			},
		},
		"unless one at a time is to run": {
			option: patient(10 * time.Second), cw: func(cw *auditor.CronWorkflow) { everyTen(cw); concurrency(auditor.Forbid)(cw) }, now: "04:41:00",
			set: failsFor("04:20", quota), missed: []string{"04:20:00", "04:30:00"},
			outcomes: []string{"04:20 Blocked/NotAllowed", "04:30 Blocked/NotAllowed"}, incomplete: true, writes: []string{"create 04:20"},
			check: endsAt("04:41:00", "04:42:00"),
		},
		"and with the patience for it, it is tried again": {
			option: patient(3 * time.Minute), set: failsFor("04:40", quota), cw: deadline(7 * time.Minute), missed: []string{"04:40:00", "04:41:00"},
			outcomes: []string{"04:40 GaveUp/DeadlinePassed", "04:41 Created"}, incomplete: true,
			writes: []string{"create 04:40", "create 04:41", "change append 04:41 to 04:41", "create 04:40", "create 04:40"},
		},
	})
}

func TestAPatientRunStaysUntilACreateIsSettled(t *testing.T) {
	scenario{
		option: patient(2 * time.Second), cw: everyTen, now: "04:41:00", missed: []string{"04:20:00", "04:30:00"},
		set: func(c *cluster) {
			var until time.Time
			c.fault = func(r request) fault {
				switch {
				case r.verb == "create" && until.IsZero():
					until = r.at.Add(3 * time.Minute)
					return lost()
				case r.at.Before(until):
					return fails(answer(503, 0, "down"))
				}
				return fault{}
			}
		},
		outcomes: []string{"04:20 Created", "04:30 Created"}, last: "04:30",
		writes: []string{"create 04:20", "change append 04:20 to 04:20", "create 04:30", "change append 04:30 to 04:30"},
		check: func(t *testing.T, b *bench, r backfill.Report) {
			if !r.Again.IsZero() || b.now().Before(at("04:44:00")) {
				t.Errorf("it ended at %s, to be carried out again at %s", b.now(), r.Again)
			}
		},
	}.run(t)
}

func TestAPatientRunChecksTheStatusOnceWhereItOwes(t *testing.T) {
	forbidden := apierrors.NewForbidden(workflows, "tick", errors.New("no patch"))
	owes := func(t *testing.T, _ *bench, r backfill.Report) {
		if r.StatusError == nil {
			t.Error("the report does not say that the status is not right")
		}
	}
	runScenarios(t, map[string]scenario{
		"not where it was written": {
			option: patient(10 * time.Second), missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40"}, check: endsAt("04:44:35", "", sends("look", 1)),
		},
		"after a write that met errors": {
			option: patient(10 * time.Second), missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"}, anyWrites: true, last: "04:40",
			set: func(c *cluster) {
				boom := fails(answer(500, 0, "boom"))
				c.fault = answers("change", boom, boom, boom, boom)
			},
			check: sends("change", 5),
		},
		"after a write that nobody may make": {
			option: patient(10 * time.Second), missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"}, incomplete: true, last: "04:39", anyWrites: true,
			set:   func(c *cluster) { c.fault = always("change", forbidden) },
			check: endsAt("04:44:35", "04:45:35", owes, sends("change", 2)),
		},
		"after a write that a live firing kept from being made": {
			option: patient(10 * time.Second), now: "04:44:54.95", missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"}, incomplete: true, last: "04:39",
			set: func(c *cluster) {
				c.fault = answers("change", fails(answer(500, 0, "boom")))
			},
			writes: []string{"create 04:40", "change append 04:40 to 04:40"},
			check:  endsAt("04:44:55", "04:45:00", owes),
		},
	})
}

func TestAPatientRunOfAPlanThatOnlyOwesTheStatusRepairsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCluster("04:44:35", minutely(), run("04:40:00", recovered)), byHand(), patient(time.Second))
		done := finding("04:40:00", auditor.Backfilled)
		report := b.executor.Run(t.Context(), b.plan(done))
		if got := b.lastScheduledTime(); !got.Equal(at("04:40:00")) || report.StatusError != nil || !report.Again.IsZero() {
			t.Errorf("lastScheduledTime is %s, status error %v, again at %s", got.Format(time.TimeOnly), report.StatusError, report.Again)
		}
		if t.Failed() {
			return
		}
		delete(b.runs, auditor.WorkflowName(key.Name, at("04:40:00")))
		b.writeBack(at("04:39:00"))
		time.Sleep(2 * time.Second)
		if b.executor.Run(t.Context(), b.plan(done)); !b.lastScheduledTime().Equal(at("04:40:00")) {
			t.Error("the time of a run that is deleted by now was not moved to")
		}
		// Somebody puts it back as often as it is repaired, and the plan is carried out again at once.
		for range 30 {
			b.writeBack(at("04:39:00"))
			report = b.executor.Run(t.Context(), b.plan(done))
			time.Sleep(time.Second / 2)
		}
		if n := len(b.sent("change")); n > 8 {
			t.Errorf("%d changes in 15 s", n)
		}
		if report.StatusError == nil || report.Again.IsZero() {
			t.Errorf("status error %v, again at %s", report.StatusError, report.Again)
		}
	})
}

func TestAPatientRunGivesItsPlaceAmongTheCreatesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:41:30", minutely(schedules("1-40 4 * * *"), deadline(2*time.Hour), lastScheduled("00:00:00")))
		policy := byHand(func(p *backfill.Policy) { p.MaxParallel = 1000 })
		b := newBench(t, c, policy, patient(3*time.Second), func(o *backfill.Options) {
			o.CreatesPerSecond, o.Observer, o.Parallel = 2, nil, 40
		})
		var plans []backfill.Plan
		for minute := range 40 {
			plan := b.plan(missed(fmt.Sprintf("04:%02d:00", minute+1))...)
			plan.CronWorkflow.Name += fmt.Sprint(minute) // two plans of one CronWorkflow are not to be carried out at once
			plans = append(plans, plan)
		}
		reports := b.executor.RunAll(t.Context(), plans)
		if took := b.now().Sub(at("04:41:30")); took > 11*time.Second {
			t.Errorf("it took %s", took)
		}
		created := 0
		for _, r := range reports {
			switch o := r.Results[0].Outcome; {
			case o == backfill.Created:
				created++
			case o != backfill.Requeued || r.Again.Before(at("04:41:40")):
				t.Errorf("%s, again at %s", o, r.Again)
			}
		}
		if created < 9 || created > 11 {
			t.Errorf("%d were created", created)
		}
		// Those that left hold no place any more.
		i := slices.IndexFunc(reports, func(r backfill.Report) bool { return !r.Again.IsZero() })
		time.Sleep(2 * time.Second)
		began := b.now()
		if r := b.executor.Run(t.Context(), plans[i]); r.Results[0].Outcome != backfill.Created || b.now().After(began) {
			t.Errorf("%s after %s", r.Results[0].Outcome, b.now().Sub(began))
		}
	})
}
