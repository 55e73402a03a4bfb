package backfill_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"pgregory.net/rapid"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// mishap is what the property test lets go wrong with one request.
var mishaps = map[string]func(*cluster) fault{
	"nothing": func(*cluster) fault { return fault{} },
	"reset":   func(*cluster) fault { return fails(post(read(reset))) },
	"refused": func(*cluster) fault { return fails(post(dial(refused))) },
	"lost":    func(*cluster) fault { return lost() },
	"lost late": func(*cluster) fault {
		return fault{err: answer(504, 0, "timeout"), done: true, after: func() { time.Sleep(2 * time.Second) }}
	},
	"hang":          func(*cluster) fault { return fault{hang: true} },
	"hang but done": func(*cluster) fault { return fault{hang: true, done: true} },
	"500":           func(*cluster) fault { return fails(answer(500, 0, "boom")) },
	"503 but done":  func(*cluster) fault { return fault{err: answer(503, 1, "boom"), done: true} },
	"429":           func(*cluster) fault { return fails(apierrors.NewTooManyRequests("busy", 3)) },
	"conflict":      func(*cluster) fault { return fails(apierrors.NewConflict(workflows, "tick", errors.New("modified"))) },
	"quota": func(*cluster) fault {
		return fails(apierrors.NewForbidden(workflows, "tick", errors.New("exceeded quota: x")))
	},
	"invalid":         func(*cluster) fault { return fails(apierrors.NewInvalid(kind, "tick", nil)) },
	"slow":            func(*cluster) fault { return fault{before: func() { time.Sleep(1500 * time.Millisecond) }} },
	"stale status":    func(c *cluster) fault { return fault{after: func() { c.writeBack(at("04:39:00")) }} },
	"name was there":  func(*cluster) fault { return fails(apierrors.NewAlreadyExists(workflows, "tick")) },
	"an unclear word": func(*cluster) fault { return fault{err: errors.New("the answer cannot be read"), done: true} },
}

// Whatever goes wrong with whichever requests: no firing is created twice; nothing is begun in the quiet zone; what is said to
// be recovered is there in the status, unless the report says that it could not be written; an attempt makes at most four
// creates; and every firing has an outcome.
func TestWhateverGoesWrongEachFiringRunsAtMostOnce(t *testing.T) {
	kinds := []string{"nothing", "nothing", "nothing"}
	for k := range mishaps {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds) // for the same draws every time
	rapid.Check(t, func(rt *rapid.T) {
		policy := rapid.SampledFrom([]func(...func(*backfill.Policy)) backfill.Policy{byHand, automatic}).Draw(rt, "by")()
		policy.Detached = policy.By == backfill.ByCLI && rapid.Bool().Draw(rt, "detached")
		policy.Order = rapid.SampledFrom([]backfill.Order{backfill.OldestFirst, backfill.NewestFirst}).Draw(rt, "order")
		policy.MaxParallel = rapid.IntRange(1, 3).Draw(rt, "max parallel")
		concurrencyPolicy := rapid.SampledFrom([]auditor.Policy{auditor.Allow, auditor.Forbid, auditor.Replace}).Draw(rt, "concurrency")
		script := rapid.SliceOfN(rapid.SampledFrom(kinds), 0, 40).Draw(rt, "mishaps")
		start := rapid.IntRange(0, 59).Draw(rt, "second")
		lasts := time.Duration(rapid.IntRange(1, 40).Draw(rt, "run time")) * time.Second
		deletes := rapid.Bool().Draw(rt, "deletes")
		fires := rapid.Bool().Draw(rt, "fires")
		stop := rapid.Bool().Draw(rt, "stop when blocked")

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
			b := newBench(t, c, policy, func(o *backfill.Options) { o.StopWhenBlocked = stop })
			report := b.recover(t.Context(), "04:40:00", "04:41:00", "04:42:00")
			// What is put back after the last look of all cannot be seen any more.
			putBack := next <= len(script) && next > 0 && script[next-1] == "stale status"
			if wrong = b.broken(report, putBack); len(wrong) > 0 {
				wrong = append(wrong, fmt.Sprint(outcomes(report)), b.log.String())
			}
		})
		if len(wrong) > 0 {
			rt.Fatal(strings.Join(wrong, "\n"))
		}
	})
}

// broken lists what does not hold after a recovery.
func (b *bench) broken(report backfill.Report, putBack bool) (wrong []string) {
	say := func(sentence string, args ...any) { wrong = append(wrong, fmt.Sprintf(sentence, args...)) }
	for name, n := range b.made {
		if n > 1 {
			say("%s was created %d times", name, n)
		}
	}
	for _, r := range report.Results {
		if r.Outcome == "" {
			say("%s has no outcome", r.Workflow)
		}
		if r.Creates > r.Attempts*(1+backfill.MaxRetries) {
			say("%s: %d creates in %d attempts", r.Workflow, r.Creates, r.Attempts)
		}
		if r.Outcome.Recovered() != (b.made[r.Workflow] > 0) && r.Outcome != backfill.Uncertain {
			say("%s is %s, and was created %d times", r.Workflow, r.Outcome, b.made[r.Workflow])
		}
		last := b.cw.Status.LastScheduledTime
		if r.Outcome.Recovered() && report.StatusError == nil && !putBack && last.Before(r.Finding.ScheduledTime) {
			say("%s is %s, but lastScheduledTime is %s", r.Workflow, r.Outcome, last.Format("15:04"))
		}
	}
	last := b.cw.Status.LastScheduledTime
	if name := auditor.WorkflowName(key.Name, last); b.made[name] == 0 && !b.cw.Status.Intended.Equal(last) && last.After(at("04:39:00")) {
		say("lastScheduledTime is %s, which neither ran nor is intended", last.Format("15:04"))
	}
	for _, r := range b.sent("create") {
		if second := r.at.Sub(r.at.Truncate(time.Minute)); second >= 55*time.Second {
			say("%s was created at %s, just before a live firing", r.name, r.at.Format("15:04:05.000"))
		}
	}
	return wrong
}
