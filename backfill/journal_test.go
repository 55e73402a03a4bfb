package backfill_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// journal writes what it is told between the requests of the cluster.
type journal struct {
	*cluster
	// intend is what comes of an Intend and how long that takes; nil for nothing.
	intend func(context.Context, backfill.Intent) error
}

func journaled(o *backfill.Options) { o.Journal = &journal{cluster: o.Submitter.(*cluster)} }

func (j *journal) tell(sentence string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests = append(j.requests, request{verb: "journal", at: j.now(), name: fmt.Sprintf(sentence, args...)})
}

func (j *journal) Intend(ctx context.Context, k backfill.Key, i backfill.Intent) error {
	said := ""
	if i.LastError != nil {
		said = ": " + i.LastError.Error()
	}
	j.tell("intend %s #%d%s", i.ScheduledTime.Format("15:04"), i.Attempt, said)
	if k != key {
		return fmt.Errorf("told of %s", k)
	}
	if j.intend == nil {
		return nil
	}
	return j.intend(ctx, i)
}

func (j *journal) Moved(_ backfill.Key, scheduled time.Time) {
	j.tell("moved %s", scheduled.Format("15:04"))
}

func (j *journal) Ended(_ backfill.Key, r backfill.Result) {
	j.tell("ended %s", outcomes(backfill.Report{Results: []backfill.Result{r}})[0])
}

func TestTheJournalIsToldBeforeAndAfterEachFiring(t *testing.T) {
	quota := apierrors.NewForbidden(workflows, "tick-1", errors.New("exceeded quota: few"))
	everyTen := func(policy auditor.Policy) func(*auditor.CronWorkflow) {
		return func(cw *auditor.CronWorkflow) {
			schedules("*/10 * * * *")(cw)
			concurrency(policy)(cw)
			deadline(time.Hour)(cw)
			lastScheduled("04:10:00")(cw)
		}
	}
	runScenarios(t, map[string]scenario{
		"Allow: intent, create, change, outcome": {
			option: journaled, missed: []string{"04:40:00", "04:41:00"}, outcomes: []string{"04:40 Created", "04:41 Created"},
			writes: []string{
				"intend 04:40 #1", "create 04:40", "moved 04:40", "change append 04:40 to 04:40", "ended 04:40 Created",
				"intend 04:41 #1", "create 04:41", "moved 04:41", "change append 04:41 to 04:41", "ended 04:41 Created",
			},
		},
		"Forbid: the intent of the next one after the end of the one before": {
			option: journaled, cw: everyTen(auditor.Forbid), now: "04:41:00", missed: []string{"04:20:00", "04:30:00"},
			set:      func(c *cluster) { c.lasts, c.reconciles = time.Minute, true },
			outcomes: []string{"04:20 Created", "04:30 Created"},
			writes: []string{
				"intend 04:20 #1", "create 04:20", "moved 04:20", "change append 04:20 to 04:20", "ended 04:20 Created",
				"intend 04:30 #1", "create 04:30", "moved 04:30", "change append 04:30 to 04:30", "ended 04:30 Created",
			},
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if told := b.sent("journal")[3]; told.name != "intend 04:30 #1" || told.at.Before(at("04:42:00")) {
					t.Errorf("%s at %s", told.name, told.at)
				}
			},
		},
		"Replace: the intent before the time moves": {
			option: journaled, cw: concurrency(auditor.Replace), missed: []string{"04:41:00", "04:42:00"},
			outcomes: []string{"04:41 Left/Superseded", "04:42 Created"},
			writes: []string{
				"intend 04:42 #1", "moved 04:42", "change intend 04:42 to 04:42", "create 04:42", "change append 04:42 fulfilled", "ended 04:42 Created",
			},
		},
		"a run that is found: no intent, and the outcome after the repair": {
			option: journaled, runs: []auditor.Run{run("04:42:00", recovered)}, missed: []string{"04:42:00"}, outcomes: []string{"04:42 AlreadyThere"},
			writes: []string{"moved 04:42", "change append 04:42 to 04:42", "ended 04:42 AlreadyThere"},
		},
		"a repair of what Argo put back": {
			option: journaled, missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			set: func(c *cluster) { time.AfterFunc(10*time.Second, func() { c.writeBack(at("04:39:00")) }) },
			writes: []string{
				"intend 04:40 #1", "create 04:40", "moved 04:40", "change append 04:40 to 04:40", "ended 04:40 Created",
				"moved 04:40", "change to 04:40",
			},
		},
		"once per attempt, not per retry": {
			option: journaled, now: "04:44:31", missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"}, anyWrites: true,
			set: func(c *cluster) {
				busy := fails(apierrors.NewTooManyRequests("busy", 0))
				c.fault = answers("create", busy, busy, busy, busy, busy)
			},
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				var told []string
				for _, r := range b.sent("journal") {
					told = append(told, r.name)
				}
				if diff := cmp.Diff([]string{"intend 04:40 #1", "intend 04:40 #2: busy", "moved 04:40", "ended 04:40 Created"}, told); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"what is refused has an outcome, and no intent": {
			option: journaled, now: "04:50:00", missed: []string{"04:44:00"}, outcomes: []string{"04:44 Left/Suspended"}, incomplete: true,
			set: func(c *cluster) {
				c.fault = answers("look", fault{before: func() {
					c.mu.Lock()
					defer c.mu.Unlock()
					c.cw.Epochs = []auditor.Epoch{{From: day, Spec: auditor.Spec{Schedules: []string{"* * * * *"}, Suspend: true}}}
				}})
			},
			writes: []string{"ended 04:44 Left/Suspended"},
		},
		"what is blocked": {
			option: journaled, missed: []string{"04:40:00", "04:41:00"}, outcomes: []string{"04:40 Blocked/NotAllowed", "04:41 Blocked/NotAllowed"}, incomplete: true,
			set:    func(c *cluster) { c.fault = always("create", quota) },
			writes: []string{"intend 04:40 #1", "create 04:40", "ended 04:41 Blocked/NotAllowed", "ended 04:40 Blocked/NotAllowed"},
		},
		"a run that turns up late: its outcome only then": {
			option: journaled, missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
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
			writes: []string{"intend 04:40 #1", "create 04:40", "moved 04:40", "change append 04:40 to 04:40", "ended 04:40 Created"},
		},
		"a dry run tells it nothing": {
			option: func(o *backfill.Options) { journaled(o); o.DryRun = true },
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 WouldCreate"},
		},
	})
}

func TestWithoutAnIntentOnRecordNothingIsWritten(t *testing.T) {
	refuses := errors.New("no record today")
	failing := func(most int) func(*backfill.Options) {
		return func(o *backfill.Options) {
			n := 0
			o.Journal = &journal{o.Submitter.(*cluster), func(context.Context, backfill.Intent) error {
				if n++; n > most {
					return nil
				}
				return refuses
			}}
		}
	}
	runScenarios(t, map[string]scenario{
		"the attempt is made when it is": {
			option: failing(2), missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{
				"intend 04:40 #1", "intend 04:40 #2: no record today", "intend 04:40 #3: no record today",
				"create 04:40", "moved 04:40", "change append 04:40 to 04:40", "ended 04:40 Created",
			},
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if diff := cmp.Diff(map[string]float64{"Requeued": 2, "Created": 1}, b.count(t, "rollcall_backfill_attempts_total", "outcome")); diff != "" {
					t.Errorf("attempts (-want +got):\n%s", diff)
				}
				told := b.sent("journal")
				if d := told[2].at.Sub(told[1].at); d < 1500*time.Millisecond || d > 2500*time.Millisecond {
					t.Errorf("the delay is %s, want 2s ± 25 %%", d)
				}
			},
		},
		"under Replace neither": {
			cw: concurrency(auditor.Replace), option: failing(1), missed: []string{"04:42:00"}, outcomes: []string{"04:42 Created"},
			writes: []string{
				"intend 04:42 #1", "intend 04:42 #2: no record today",
				"moved 04:42", "change intend 04:42 to 04:42", "create 04:42", "change append 04:42 fulfilled", "ended 04:42 Created",
			},
		},
		"it is given up with the deadline": {
			cw: deadline(5 * time.Minute), option: failing(1000), missed: []string{"04:40:00"}, outcomes: []string{"04:40 GaveUp/DeadlinePassed"},
			anyWrites: true, incomplete: true, last: "04:39",
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if n := len(b.sent("create")) + len(b.sent("change")); n > 0 {
					t.Errorf("%d writes", n)
				}
			},
		},
		"without a deadline it is never given up": {
			cw:     func(cw *auditor.CronWorkflow) { schedules("*/30 * * * *")(cw); deadline(0)(cw) },
			option: failing(30), missed: []string{"04:30:00"}, outcomes: []string{"04:30 Created"}, anyWrites: true,
		},
	})
}

func TestAnIntentThatTakesAWhileIsFollowedByAnotherLook(t *testing.T) {
	slow := func(o *backfill.Options) {
		o.Journal = &journal{o.Submitter.(*cluster), func(context.Context, backfill.Intent) error {
			time.Sleep(22 * time.Second)
			return nil
		}}
	}
	runScenarios(t, map[string]scenario{
		"and the quiet zone that has begun is kept": {
			option: slow, missed: []string{"04:40:00"}, set: func(c *cluster) { c.fires = true }, outcomes: []string{"04:40 Created"},
			writes: []string{"intend 04:40 #1", "create 04:40", "change append 04:40", "ended 04:40 Created"},
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if diff := cmp.Diff([]string{"04:45:00"}, clocks(b.sent("create"))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"and a run of Argo's that has come is found": {
			option: slow, missed: []string{"04:40:00"}, outcomes: []string{"04:40 AlreadyThere"}, anyWrites: true,
			set: func(c *cluster) {
				time.AfterFunc(20*time.Second, func() {
					c.mu.Lock()
					defer c.mu.Unlock()
					c.runByArgo(at("04:40:00"))
				})
			},
		},
	})
}

func TestAnInterruptionDuringAnIntentWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b := newBench(t, newCluster("04:44:35", minutely()), byHand(), func(o *backfill.Options) {
			o.Journal = &journal{o.Submitter.(*cluster), func(ctx context.Context, _ backfill.Intent) error {
				cancel()
				return ctx.Err()
			}}
		})
		b.recover(ctx, "04:40:00")
		if diff := cmp.Diff([]string{"intend 04:40 #1", "ended 04:40 Interrupted/Interrupted"}, b.writes()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
