package backfill_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

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

func TestRunGivesErrorsANewFiveMinutesAfterAWait(t *testing.T) {
	scenario{
		cw: func(cw *auditor.CronWorkflow) { schedules("*/30 * * * *")(cw); deadline(0)(cw) }, now: "04:41:00", missed: []string{"04:30:00"},
		runs:   []auditor.Run{run("04:00:00", recovered)},
		policy: func(p *backfill.Policy) { p.MaxParallel = 1 },
		set: func(c *cluster) {
			c.lasts = 50 * time.Minute
			look, create := answers("look", fails(answer(500, 0, "boom"))), answers("create", fails(answer(429, 0, "busy")))
			c.fault = func(r request) fault {
				if r.verb == "look" {
					return look(r)
				}
				return create(r)
			}
		},
		outcomes: []string{"04:30 Created"}, writes: []string{"create 04:30", "create 04:30", "change append 04:30"},
		last: "04:39",
	}.run(t)
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
		"between two attempts, unless the deadline comes before": {
			cw: func(cw *auditor.CronWorkflow) { schedules("*/10 * * * *")(cw); deadline(80 * time.Second)(cw) }, now: "04:41:00",
			set: func(c *cluster) {
				busy := fails(answer(429, 0, "busy"))
				c.fault = answers("create", busy, busy, busy, fails(apierrors.NewTooManyRequests("busy", 25)))
			},
			missed: []string{"04:40:00"}, outcomes: []string{"04:40 GaveUp/DeadlinePassed"}, incomplete: true,
			writes: []string{"create 04:40", "create 04:40", "create 04:40", "create 04:40"},
		},
		"unless the deadline comes before": {
			cw: deadline(5 * time.Minute), set: func(c *cluster) { c.fault = answers("create", fails(apierrors.NewTooManyRequests("busy", 25))) }, missed: []string{"04:40:00"},
			outcomes: []string{"04:40 GaveUp/DeadlinePassed"}, writes: []string{"create 04:40"}, incomplete: true,
		},
	})
}
