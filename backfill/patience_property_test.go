package backfill_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// comeBack carries out fresh plans as the controller does, each when the one before says so, until there is nothing left to
// do. The results are each firing's last, with the creates of all plans.
func (b *bench) comeBack(t *testing.T, clocks ...string) (all backfill.Report, wrong []string) {
	findings, results := map[time.Time]auditor.Finding{}, map[time.Time]backfill.Result{}
	for _, f := range missed(clocks...) {
		findings[f.ScheduledTime] = f
	}
	for range 300 {
		var recoveries []auditor.Recovery
		for _, r := range results {
			recoveries = append(recoveries, auditor.Recovery{ScheduledTime: r.Finding.ScheduledTime, Attempts: r.Attempts})
		}
		all = b.executor.Run(t.Context(), b.plan(slices.Collect(maps.Values(findings))...).Attempted(recoveries))
		open := 0
		for _, r := range all.Results {
			at := r.Finding.ScheduledTime
			before := results[at]
			if before.Attempts > r.Attempts {
				wrong = append(wrong, fmt.Sprintf("%s: %d attempts, and %d before", r.Workflow, r.Attempts, before.Attempts))
			}
			r.Creates += before.Creates
			if !before.Outcome.Recovered() {
				results[at] = r
			}
			switch r.Outcome {
			case backfill.Requeued, backfill.Blocked:
				open++
			case backfill.Created, backfill.AlreadyThere:
				f := r.Finding
				f.Verdict = auditor.Backfilled
				findings[at] = f
			default:
				delete(findings, at)
			}
		}
		if all.Again.IsZero() {
			if open > 0 {
				wrong = append(wrong, fmt.Sprintf("nobody comes back for %v", outcomes(all)))
			}
			all.Results = slices.SortedFunc(maps.Values(results), func(a, b backfill.Result) int {
				return a.Finding.ScheduledTime.Compare(b.Finding.ScheduledTime)
			})
			return all, wrong
		}
		time.Sleep(max(all.Again.Sub(b.now()), time.Millisecond))
	}
	return all, append(wrong, "it never ends")
}

// What holds for one plan holds for fresh plans one after the other too; and a create is never sent for which no intent was put
// on record before.
func TestWhateverGoesWrongFreshPlansRunEachFiringAtMostOnce(t *testing.T) {
	kinds := []string{"nothing", "nothing", "nothing"}
	for k := range mishaps {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds) // for the same draws every time
	rapid.Check(t, func(rt *rapid.T) {
		policy := rapid.SampledFrom([]func(...func(*backfill.Policy)) backfill.Policy{byHand, automatic}).Draw(rt, "by")()
		policy.MaxParallel = rapid.IntRange(1, 3).Draw(rt, "max parallel")
		concurrencyPolicy := rapid.SampledFrom([]auditor.Policy{auditor.Allow, auditor.Forbid, auditor.Replace}).Draw(rt, "concurrency")
		// What goes wrong goes wrong a few times in a row: longer than patience, that is.
		var script []string
		for range rapid.IntRange(0, 12).Draw(rt, "mishaps") {
			script = append(script, slices.Repeat([]string{rapid.SampledFrom(kinds).Draw(rt, "mishap")}, rapid.IntRange(1, 10).Draw(rt, "times"))...)
		}
		start := rapid.IntRange(0, 59).Draw(rt, "second")
		lasts := time.Duration(rapid.IntRange(1, 40).Draw(rt, "run time")) * time.Second
		deletes, fires := rapid.Bool().Draw(rt, "deletes"), rapid.Bool().Draw(rt, "fires")
		patience := time.Duration(rapid.IntRange(1, 20_000).Draw(rt, "patience")) * time.Millisecond

		var wrong []string
		synctest.Test(t, func(t *testing.T) {
			cw := minutely(concurrency(concurrencyPolicy))
			if deletes {
				cw.Retention.Successful = 0
			}
			c := newCluster(fmt.Sprintf("04:44:%02d", start), cw)
			c.lasts, c.deletes, c.fires, c.reconciles = lasts, deletes, fires, true
			next := 0
			c.fault = func(request) fault {
				if next++; next <= len(script) {
					return mishaps[script[next-1]](c)
				}
				return fault{}
			}
			b := newBench(t, c, policy, patient(patience, journaled))
			var report backfill.Report
			report, wrong = b.comeBack(t, "04:40:00", "04:41:00", "04:42:00")
			// A run whose status the caller has seen to be right is his to watch.
			putBack := slices.Contains(script[:min(next, len(script))], "stale status")
			wrong = append(wrong, b.broken(report, putBack)...)
			wrong = append(wrong, b.unannounced()...)
			if len(wrong) > 0 {
				wrong = append(wrong, fmt.Sprint(outcomes(report)), b.log.String())
			}
		})
		if len(wrong) > 0 {
			rt.Fatal(strings.Join(wrong, "\n"))
		}
	})
}

// unannounced lists the creates and intents without an Intend of their firing before, and what was moved without a word.
func (b *bench) unannounced() (wrong []string) {
	said := map[string]bool{}
	for _, line := range b.writes() {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "intend "):
			said["create "+words[1]], said["change intend "+words[1]] = true, true
		case strings.HasPrefix(line, "moved "):
			said["to "+words[1]] = true
		case words[0] == "create" && !said[line], words[0] == "change" && words[1] == "intend" && !said["change intend "+words[2]]:
			wrong = append(wrong, line+" before an intent")
		}
		if i := slices.Index(words, "to"); words[0] == "change" && i > 0 && !said["to "+words[i+1]] {
			wrong = append(wrong, line+" without a word")
		}
	}
	return wrong
}

// With time enough, patience changes when something is done, and not what.
func TestFreshPlansRecoverWhatOnePlanWould(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		concurrencyPolicy := rapid.SampledFrom([]auditor.Policy{auditor.Allow, auditor.Forbid, auditor.Replace}).Draw(rt, "concurrency")
		lasts := time.Duration(rapid.IntRange(1, 40).Draw(rt, "run time")) * time.Second
		begin := time.Duration(rapid.IntRange(0, 60_000).Draw(rt, "begin of the outage")) * time.Millisecond
		outage := time.Duration(rapid.IntRange(0, 180_000).Draw(rt, "outage")) * time.Millisecond
		verbs := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"look", "find", "create", "change"}), rapid.ID).Draw(rt, "verbs")
		mishap := rapid.SampledFrom([]string{"reset", "refused", "lost", "500", "503 but done", "429", "quota", "hang"}).Draw(rt, "mishap")
		patience := time.Duration(rapid.IntRange(1, 20_000).Draw(rt, "patience")) * time.Millisecond
		everyTen := func(cw *auditor.CronWorkflow) {
			schedules("*/10 * * * *")(cw)
			deadline(3 * time.Hour)(cw)
			lastScheduled("04:00:00")(cw)
			cw.Retention.Successful, cw.Retention.Failed = 100, 100
		}
		recovered := func(recover func(*testing.T, *bench) backfill.Report, option func(*backfill.Options)) (all []string) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster("04:41:00", minutely(everyTen, concurrency(concurrencyPolicy)))
				c.lasts, c.reconciles = lasts, true
				c.fault = func(r request) fault {
					if since := r.at.Sub(at("04:41:00")); slices.Contains(verbs, r.verb) && since >= begin && since < begin+outage {
						return mishaps[mishap](c)
					}
					return fault{}
				}
				b := newBench(t, c, automatic(), option)
				report := recover(t, b)
				for _, r := range report.Results {
					all = append(all, fmt.Sprintf("%s %v, made %d times", r.Workflow, r.Outcome.Recovered(), b.made[r.Workflow]))
				}
			})
			return all
		}
		firings := []string{"04:10:00", "04:20:00", "04:30:00"}
		one := recovered(func(t *testing.T, b *bench) backfill.Report { return b.recover(t.Context(), firings...) },
			func(o *backfill.Options) { o.StopWhenBlocked = false })
		many := recovered(func(t *testing.T, b *bench) backfill.Report {
			report, wrong := b.comeBack(t, firings...)
			if last := b.lastScheduledTime(); report.StatusError != nil || !last.Equal(at("04:30:00")) {
				// One plan may end with the status still owed.
				wrong = append(wrong, fmt.Sprintf("lastScheduledTime is %s, status error %v", last, report.StatusError))
			}
			for _, w := range wrong {
				t.Error(w)
			}
			return report
		}, patient(patience))
		if diff := cmp.Diff(one, many); diff != "" {
			rt.Fatalf("(-one plan +fresh plans):\n%s", diff)
		}
	})
}
