package backfill_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// Ctrl-C just before or just after each request of a recovery, whether its answer arrives or is lost: no run is left without
// its status write but for those the report names, and the same plan again completes it with one run per firing.
func TestInterruptedAtAnyRequestTheSamePlanCompletesIt(t *testing.T) {
	everyTen := func(cw *auditor.CronWorkflow) {
		schedules("*/10 * * * *")(cw)
		deadline(time.Hour)(cw)
		lastScheduled("04:00:00")(cw)
		cw.Retention.Successful = 100
	}
	for name, tc := range map[string]struct {
		policy   auditor.Policy
		outcomes []string
	}{
		"Allow":   {auditor.Allow, []string{"04:20", "04:30"}},
		"Forbid":  {auditor.Forbid, []string{"04:20", "04:30"}},
		"Replace": {auditor.Replace, []string{"04:30"}},
	} {
		for _, moment := range []string{"before", "after", "with the answer lost"} {
			// Until a recovery has fewer requests than that, each of them is interrupted once.
			for n, interrupted := 1, true; interrupted; n++ {
				if n > 100 {
					t.Fatal("a recovery of 100 requests")
				}
				t.Run(fmt.Sprintf("%s, %s request %d", name, moment, n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						interrupted = interruptOnce(t, minutely(everyTen, concurrency(tc.policy)), moment, n, tc.outcomes)
					})
				})
			}
		}
	}
}

// interruptOnce says whether the recovery was interrupted at all.
func interruptOnce(t *testing.T, cw auditor.CronWorkflow, moment string, n int, recovered []string) (interrupted bool) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := newCluster("04:41:00", cw)
	c.lasts, c.reconciles = 20*time.Second, true
	sent := 0
	c.fault = func(request) fault {
		if sent++; sent != n {
			return fault{}
		}
		switch moment {
		case "before":
			return fault{before: cancel}
		case "after":
			return fault{after: cancel}
		}
		return fault{after: cancel, err: post(read(reset)), done: true}
	}
	b := newBench(t, c, byHand())
	plan := b.plan(missed("04:20:00", "04:30:00")...)
	first := b.executor.Run(ctx, plan)

	interrupted = sent >= n
	if first.Interrupted != interrupted {
		t.Errorf("interrupted: %v, and the report says %v", interrupted, first.Interrupted)
	}
	if first.StatusError == nil {
		for name := range c.made {
			if scheduled := c.runs[name]; c.cw.Status.LastScheduledTime.Format("15:04") < clockOf(name) && scheduled.UID != "" && !unsettled(first) {
				t.Errorf("%s was left without its status write: lastScheduledTime is %s", name, c.cw.Status.LastScheduledTime)
			}
		}
	}
	if took := c.now().Sub(at("04:41:00")); interrupted && n <= 3 && took > 15*time.Second {
		t.Errorf("it took %s to end", took)
	}

	c.fault = nil
	second := b.executor.Run(t.Context(), plan)
	var got []string
	for _, r := range second.Results {
		if r.Outcome.Recovered() {
			got = append(got, r.Finding.ScheduledTime.Format("15:04"))
		}
	}
	if diff := cmp.Diff(recovered, got); diff != "" {
		t.Errorf("recovered (-want +got):\n%s", diff)
	}
	for name, times := range c.made {
		if times != 1 {
			t.Errorf("%s was created %d times", name, times)
		}
	}
	if got := c.lastScheduledTime(); !got.Equal(at("04:30:00")) {
		t.Errorf("lastScheduledTime is %s", got)
	}
	if i := c.cw.Status.Intended; !i.IsZero() {
		t.Errorf("the intent of %s is still on record", i)
	}
	if second.StatusError != nil || second.Interrupted {
		t.Errorf("the second report: interrupted %v, status %v", second.Interrupted, second.StatusError)
	}
	if t.Failed() {
		t.Logf("log:\n%s", b.log)
	}
	return interrupted
}

// unsettled says whether the report tells of a create without an answer.
func unsettled(report backfill.Report) bool {
	for _, r := range report.Results {
		if r.Outcome == backfill.Interrupted && r.Creates > 0 {
			return true
		}
	}
	return false
}

func TestAnInterruptionWaitsForACreateThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := newCluster("04:44:35", minutely())
		c.fault = answers("create", fault{before: func() { cancel(); time.Sleep(3 * time.Second) }})
		b := newBench(t, c, byHand())
		report := b.recover(ctx, "04:40:00", "04:41:00")
		if diff := cmp.Diff([]string{"04:40 Created", "04:41 Interrupted/Interrupted"}, outcomes(report)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"create 04:40", "change append 04:40 to 04:40"}, c.writes()); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		if took := c.now().Sub(at("04:44:35")); took != 3*time.Second {
			t.Errorf("it took %s to end", took)
		}
	})
}

func TestAnInterruptionWaitsNoLongerThanTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := newCluster("04:44:31", minutely())
		c.fault = func(r request) fault {
			if r.verb == "create" {
				cancel()
			}
			return fault{hang: ctx.Err() != nil}
		}
		b := newBench(t, c, byHand())
		report := b.recover(ctx, "04:40:00")
		if diff := cmp.Diff([]string{"04:40 Interrupted/Interrupted"}, outcomes(report)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if took := c.now().Sub(at("04:44:31")); took != 10*time.Second {
			t.Errorf("it took %s to end", took)
		}
		want := []string{"Interrupted after a create without an answer: the run may exist. The same command again finds out and completes it."}
		if diff := cmp.Diff(want, report.Results[0].Why); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
