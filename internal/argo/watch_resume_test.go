package argo

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWatchThatIsResumedLeavesNoGap(t *testing.T) {
	busy := func(w watchTest) {
		w.put("workflows", runObject("tick-2", "Running"))
		w.put("workflows", runObject("tick-2", "Succeeded", writtenBy(controllerManager)))
		w.delete("workflows", "default/tick-2")
		w.put("cronworkflows", cronObject("tock"))
	}
	for name, c := range map[string]struct {
		break_ func(watchTest)
		want   []string
	}{
		"ended in good order": {func(w watchTest) { w.end(); busy(w) }, nil},
		"ended for its time": {func(w watchTest) {
			w.hearsWithBookmarks(watchFor)
			busy(w)
		}, nil},
		"cut off": {func(w watchTest) { w.cut(); busy(w) }, []string{`blind [""]`, "blind []"}},
		"cut off for 20 seconds": {func(w watchTest) {
			w.goAway(true)
			time.Sleep(time.Second)
			busy(w)
			time.Sleep(20 * time.Second)
			w.goAway(false)
			time.Sleep(retryMost + retryMost/4)
		}, []string{`blind [""]`, "note watch", "note watch", "note read", "blind []"}},
	} {
		t.Run(name, func(t *testing.T) {
			watchingTest(t, Scope{}, oneOfEach, func(w watchTest) {
				w.expect("cron default/tick", "run default/tick-1", "controller", "synced")
				time.Sleep(10 * time.Second)
				c.break_(w)
				time.Sleep(settleFor)
				var runs, rest []string
				crons := 0
				for _, s := range w.heard() {
					switch {
					case strings.HasPrefix(s, "run "):
						runs = append(runs, strings.SplitN(s, " ended", 2)[0])
					case s == "cron default/tock":
						crons++
					case s == "controller":
					default:
						rest = append(rest, strings.Join(strings.Fields(s)[:2], " "))
					}
				}
				if diff := cmp.Diff([]string{"run default/tick-2", "run default/tick-2", "run default/tick-2 gone"}, runs); diff != "" {
					t.Errorf("runs (-want +got):\n%s", diff)
				}
				if crons != 1 {
					t.Errorf("tock was told of %d times", crons)
				}
				slices.Sort(rest)
				want := slices.Sorted(slices.Values(c.want))
				for i := range want {
					want[i] = strings.Join(strings.Fields(want[i])[:2], " ")
				}
				if diff := cmp.Diff(slices.Compact(want), slices.Compact(rest)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWatchThatIsReplacedByAListLeavesAGap(t *testing.T) {
	for name, inStream := range map[string]bool{"410 as the answer": false, "410 in an event": true} {
		t.Run(name, func(t *testing.T) {
			watchingTest(t, Scope{}, func(c *cluster) {
				oneOfEach(c)
				c.put("workflows", runObject("tick-2", "Running"))
				c.put("workflows", runObject("tick-3", "Running"))
				c.put("cronworkflows", cronObject("tock"))
				c.inStream = inStream
			}, func(w watchTest) {
				w.expect("cron default/tick", "cron default/tock", "run default/tick-1", "run default/tick-2", "run default/tick-3", "controller", "synced")
				time.Sleep(40 * time.Second)
				w.put("workflows", runObject("tick-3", "Running")) // the last that is seen
				w.expect("run default/tick-3")
				time.Sleep(10 * time.Second)
				w.goAway(true)
				w.expect(`blind [""]`, "note watch", "note watch")
				w.delete("workflows", "default/tick-1")
				w.put("workflows", runObject("tick-2", "Succeeded", writtenBy(controllerManager)))
				w.put("workflows", runObject("tick-4", "Running"))
				w.delete("workflows", "default/tick-3")
				w.put("workflows", runObject("tick-3", "Running")) // under the same name again
				w.compact()
				time.Sleep(20 * time.Second)
				w.heard()
				w.goAway(false)
				time.Sleep(retryMost + retryMost/4)
				// That of the CronWorkflows comes before or after the rest.
				got := w.heard()
				crons := "gap since 0s"
				if !slices.Contains(got, crons) {
					t.Errorf("%s is missing", crons)
				}
				got = slices.DeleteFunc(got, func(s string) bool { return s == crons })
				w.compare(got, "gap since 40s", "run default/tick-2 ended 50s", "run default/tick-3", "run default/tick-4", "run default/tick-1 gone", "blind []")
			})
		})
	}
}

func TestWatchCountsABookmarkAsSeen(t *testing.T) {
	watchingTest(t, Scope{}, oneOfEach, func(w watchTest) {
		w.hears(time.Minute, "cron default/tick", "run default/tick-1", "controller", "synced")
		w.compact()
		w.bookmark() // from here on there is history
		w.hears(10 * time.Second)
		w.end()
		w.hears(10 * time.Second)
		w.compact()
		w.end()
		time.Sleep(time.Second)
		// The two lists come one after the other, in whichever order.
		got := w.heard()
		gaps := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return !strings.HasPrefix(s, "gap") })
		w.compare(gaps, "gap since 1m0s", "gap since 1m0s")
		w.compare(got[len(got)-1:], "blind []")
	})
}

func TestWatchClaimsNoMoreThanItsSignsOfLife(t *testing.T) {
	watchingTest(t, Scope{}, oneOfEach, func(w watchTest) {
		expect := func(want string) {
			t.Helper()
			if got := w.toldUntil(); got != want {
				t.Errorf("told until %s, want %s", got, want)
			}
		}
		expect("0s")
		time.Sleep(30 * time.Second)
		expect("0s")
		w.bookmark()
		expect("30s")
		time.Sleep(10 * time.Second)
		w.put("workflows", runObject("tick-2", "Running"))
		expect("30s") // of CronWorkflows nothing was heard since
		w.put("cronworkflows", cronObject("tock"))
		expect("40s")
	})
}

func TestWatchSurvivesAnAPIServerThatIsAway(t *testing.T) {
	watchingTest(t, Scope{}, oneOfEach, func(w watchTest) {
		w.expect("cron default/tick", "run default/tick-1", "controller", "synced")
		w.asked()
		w.goAway(true)
		time.Sleep(10 * time.Minute)
		counts := map[string]int{}
		said := w.heard()
		for _, s := range said {
			counts[strings.Join(strings.Fields(s)[:2], " ")]++
		}
		// Each kind of failure once for each thing that fails.
		if diff := cmp.Diff(map[string]int{`blind [""]`: 1, "note watch": 2, "note read": 2}, counts); diff != "" {
			t.Errorf("(-want +got):\n%s\n%s", diff, strings.Join(said, "\n"))
		}
		if n := len(w.asked()); n > 10*(4+1+2*6)+10 {
			t.Errorf("%d requests in ten minutes", n)
		}
		w.goAway(false)
		time.Sleep(retryMost + retryMost/4 + settleFor)
		w.expect("blind []")
		w.put("workflows", runObject("tick-2", "Running"))
		w.expect("run default/tick-2")
	})
}
