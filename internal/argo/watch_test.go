package argo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/auditor"
)

// told writes down what a handler is told, with times as the time since the test began.
type told struct {
	began time.Time

	mu    sync.Mutex
	said  []string
	crons map[auditor.Key]auditor.CronWorkflow
	runs  map[string]auditor.Run
	last  auditor.Controller
}

func (h *told) say(format string, args ...any) { h.keep(func() {}, format, args...) }

func (h *told) keep(what func(), format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	what()
	h.said = append(h.said, fmt.Sprintf(format, args...))
}

// heard is what was told since the last time.
func (h *told) heard() []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	said := h.said
	h.said = nil
	return said
}

func (h *told) cron(name string) auditor.CronWorkflow {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.crons[auditor.Key{Namespace: "default", Name: name}]
}

func (h *told) run(name string) auditor.Run {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.runs[name]
}

func (h *told) controller() auditor.Controller {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// since is a time of the test; they are whole seconds but for jitter.
func (h *told) since(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Sub(h.began).Round(time.Second).String()
}

func (h *told) CronWorkflow(cw auditor.CronWorkflow) {
	h.keep(func() { h.crons[auditor.Key{Namespace: cw.Namespace, Name: cw.Name}] = cw }, "cron %s/%s", cw.Namespace, cw.Name)
}
func (h *told) CronWorkflowGone(key auditor.Key) { h.say("cron %s gone", key) }
func (h *told) Run(namespace string, run auditor.Run) {
	ended := ""
	if run.Finished() {
		ended = " ended " + h.since(run.FinishedAt)
	}
	h.keep(func() { h.runs[run.Name] = run }, "run %s/%s%s", namespace, run.Name, ended)
}
func (h *told) RunGone(namespace string, run auditor.Run) {
	h.say("run %s/%s gone", namespace, run.Name)
}
func (h *told) Synced()                         { h.say("synced") }
func (h *told) Gap(since time.Time)             { h.say("gap since %s", h.since(since)) }
func (h *told) Blind(namespaces []string)       { h.say("blind %q", namespaces) }
func (h *told) Controller(c auditor.Controller) { h.last = c; h.say("controller") }
func (h *told) Note(sentence string)            { h.say("note %s", sentence) }

// watchTest is a cluster that is being watched.
type watchTest struct {
	*testing.T
	*cluster
	*told
}

// expect holds what has been told since the last time against what should have been.
func (w watchTest) expect(want ...string) {
	w.Helper()
	w.compare(w.heard(), want...)
}

// expectInAnyOrder does so where it depends on which answer comes first.
func (w watchTest) expectInAnyOrder(want ...string) {
	w.Helper()
	w.compare(slices.Sorted(slices.Values(w.heard())), slices.Sorted(slices.Values(want))...)
}

func (w watchTest) compare(got []string, want ...string) {
	w.Helper()
	if !slices.Contains(want, "controller") { // told of from time to time
		got = slices.DeleteFunc(got, func(s string) bool { return s == "controller" })
	}
	for i := range got {
		if note, ok := strings.CutPrefix(got[i], "note "); ok && i < len(want) && strings.HasPrefix(want[i], "note ") && strings.Contains(note, strings.TrimPrefix(want[i], "note ")) {
			got[i] = want[i] // the test names a part of the sentence
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.Fatalf("(-want +got):\n%s", diff)
	}
}

// hears waits and expects.
func (w watchTest) hears(after time.Duration, want ...string) {
	w.Helper()
	time.Sleep(after)
	w.expect(want...)
}

// hearsWithBookmarks does so with a bookmark every minute, as an API server sends them.
func (w watchTest) hearsWithBookmarks(after time.Duration, want ...string) {
	w.Helper()
	for range after / time.Minute {
		time.Sleep(time.Minute)
		w.bookmark()
	}
	w.expect(want...)
}

// watchingTest runs a test with a cluster that is watched from the end of before on.
func watchingTest(t *testing.T, scope Scope, before func(*cluster), test func(watchTest)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.put("configmaps", map[string]any{"metadata": map[string]any{"namespace": "argo", "name": configName}})
		before(c)
		h := &told{began: time.Now(), crons: map[auditor.Key]auditor.CronWorkflow{}, runs: map[string]auditor.Run{}}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.client().Watch(ctx, scope, h) }()
		test(watchTest{t, c, h})
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// oneOfEach has a CronWorkflow with a run.
func oneOfEach(c *cluster) {
	c.put("cronworkflows", cronObject("tick"))
	c.put("workflows", runObject("tick-1", "Running"))
}

// runObject is a Workflow of tick in this phase.
func runObject(name, phase string, changes ...func(map[string]any)) map[string]any {
	run := workflowObject("tick", name)
	set(run, phase, "metadata", "labels", labelPhase)
	set(run, fmt.Sprint(phase != "Running"), "metadata", "labels", labelCompleted)
	for _, change := range changes {
		change(run)
	}
	return run
}

// writtenBy is an entry of managedFields at the present time.
func writtenBy(manager string) func(map[string]any) {
	return func(object map[string]any) {
		set(object, []any{wrote(manager, time.Now().UTC().Format(time.RFC3339), nil)}, "metadata", "managedFields")
	}
}

func TestWatchTellsWhatThereIsAndWhatBecomesOfIt(t *testing.T) {
	watchingTest(t, Scope{}, oneOfEach, func(w watchTest) {
		w.expect("cron default/tick", "run default/tick-1", "controller", "synced")

		time.Sleep(30 * time.Second)
		w.put("workflows", runObject("tick-1", "Succeeded", writtenBy(controllerManager)))
		w.expect("run default/tick-1 ended 30s")
		w.put("workflows", runObject("tick-2", "Running"))
		w.expect("run default/tick-2")
		w.delete("workflows", "default/tick-1")
		w.expect("run default/tick-1 gone")

		w.put("cronworkflows", cronObject("tock"))
		w.expect("cron default/tock")
		w.put("cronworkflows", cronObject("tick"))
		w.expect("cron default/tick")
		w.delete("cronworkflows", "default/tick")
		w.expect("cron default/tick gone")
		w.put("cronworkflows", cronObject("tick"))
		w.expect("cron default/tick")
	})
}

func TestWatchAsksForNoMoreThanItNeeds(t *testing.T) {
	watchingTest(t, Scope{}, oneOfEach, func(w watchTest) {
		synctest.Wait()
		started := w.asked()
		slices.Sort(started)
		want := []string{
			"get configmaps/argo/" + configName, "get leases/argo/" + leaseName,
			"list cronworkflows", "list workflows", "watch cronworkflows", "watch workflows",
		}
		if diff := cmp.Diff(want, started); diff != "" {
			t.Error(diff)
		}
		// In the ten minutes that follow, of which each brings two bookmarks and an event: the lease every 15 s, the settings
		// every minute, and a new watch every 5 minutes.
		for i := range 20 {
			time.Sleep(30 * time.Second)
			w.bookmark()
			w.put("workflows", runObject(fmt.Sprint("tick-", i), "Running"))
		}
		counts := map[string]int{}
		for _, what := range w.asked() {
			counts[what]++
		}
		most := map[string]int{"get configmaps/argo/" + configName: 10, "get leases/argo/" + leaseName: 40, "watch cronworkflows": 2, "watch workflows": 2}
		for what, n := range counts {
			if n > most[what] {
				t.Errorf("%s: %d times, want %d at the most", what, n, most[what])
			}
		}
	})
}

func TestWatchSeesOneInstallation(t *testing.T) {
	of := func(object map[string]any, id string) map[string]any {
		labels, _, _ := unstructured.NestedStringMap(object, "metadata", "labels")
		if labels == nil {
			labels = map[string]string{}
		}
		labels[labelInstanceID] = id
		set(object, anyMap(labels), "metadata", "labels")
		return object
	}
	before := func(c *cluster) {
		oneOfEach(c)
		c.put("cronworkflows", of(cronObject("theirs"), "blue"))
		c.put("workflows", of(runObject("theirs-1", "Running"), "blue"))
		unlabelled := runObject("manual", "Running")
		set(unlabelled, map[string]any{}, "metadata", "labels")
		c.put("workflows", unlabelled)
	}
	watchingTest(t, Scope{}, before, func(w watchTest) {
		w.expect("cron default/tick", "run default/tick-1", "controller", "synced")
		w.put("cronworkflows", of(cronObject("tick"), "blue")) // moves to the other one
		w.expect("cron default/tick gone")
		w.put("cronworkflows", cronObject("theirs"))
		w.expect("cron default/theirs")
	})
	watchingTest(t, Scope{InstanceID: "blue"}, before, func(w watchTest) {
		w.expect("cron default/theirs", "run default/theirs-1", "controller", "synced")
	})
}

func TestWatchSeesSeveralNamespaces(t *testing.T) {
	in := func(object map[string]any, namespace string) map[string]any {
		set(object, namespace, "metadata", "namespace")
		return object
	}
	before := func(c *cluster) {
		for _, namespace := range []string{"a", "b", "c"} {
			c.put("cronworkflows", in(cronObject("tick"), namespace))
			c.put("workflows", in(runObject("tick-1", "Running"), namespace))
		}
	}
	told := func(namespace string) []string {
		return []string{"cron " + namespace + "/tick", "run " + namespace + "/tick-1"}
	}
	watchingTest(t, Scope{Namespaces: []string{"b", "a", "b"}}, before, func(w watchTest) {
		w.expectInAnyOrder("controller", "cron a/tick", "cron b/tick", "run a/tick-1", "run b/tick-1", "synced")
	})
	// A namespace that may not be read does not keep the others from being watched, and joins them when it may be.
	watchingTest(t, Scope{Namespaces: []string{"a", "b"}}, func(c *cluster) {
		before(c)
		c.refuse("list workflows in b")
	}, func(w watchTest) {
		got := slices.DeleteFunc(w.heard(), func(s string) bool { return strings.HasPrefix(s, "note ") })
		w.compare(got, append(told("a"), `blind ["b"]`, "synced")...)
		w.hears(time.Minute)
		w.allow("list workflows in b")
		w.hears(20*time.Second, append([]string{"gap since 0s"}, append(told("b"), `blind []`)...)...)
	})
}

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

func TestWatchSaysWhatItMayNotDoAndGoesOn(t *testing.T) {
	watchingTest(t, Scope{}, func(c *cluster) {
		oneOfEach(c)
		c.refuse("list workflows", "get leases", "get configmaps")
	}, func(w watchTest) {
		time.Sleep(10 * time.Minute)
		w.expectInAnyOrder("note list Workflows in all namespaces: not permitted", "note read ConfigMap argo/", "note read Lease argo/")
		w.allow("list workflows")
		w.hears(retryMost+retryMost/4, "cron default/tick", "run default/tick-1", "controller", "synced")
		if what := w.cron("tick").Retention.Unreadable; what != "ConfigMap argo/"+configName {
			t.Errorf("its retention does not say what may not be read, but %q", what)
		}
	})
}

func TestWatchThatIsNotPermittedBecomesAListEvery20Seconds(t *testing.T) {
	watchingTest(t, Scope{}, func(c *cluster) {
		oneOfEach(c)
		c.refuse("watch workflows")
	}, func(w watchTest) {
		w.expectInAnyOrder("cron default/tick", "run default/tick-1", "controller", "synced", "note watch Workflows in all namespaces: not permitted")
		w.put("workflows", runObject("tick-2", "Running"))
		w.hears(pollEvery, "gap since 0s", "run default/tick-2")
		w.hears(pollEvery, "gap since 20s")
		w.put("cronworkflows", cronObject("tock"))
		w.expect("cron default/tock")
		w.allow("watch workflows")
		w.hears(pollEvery, "gap since 40s")
		w.put("workflows", runObject("tick-3", "Running"))
		w.expect("run default/tick-3")
		w.hears(time.Minute)
	})
}

func TestWatchKnowsWhenARunEnded(t *testing.T) {
	watchingTest(t, Scope{}, func(c *cluster) {
		oneOfEach(c)
		time.Sleep(100 * time.Second) // the test begins then
		c.put("workflows", runObject("told-by-managed-fields", "Failed", writtenBy(controllerManager)))
		c.put("workflows", runObject("told-by-the-full-object", "Succeeded", func(o map[string]any) {
			set(o, time.Now().Add(-10*time.Second).UTC().Format(time.RFC3339), "status", "finishedAt")
		}))
	}, func(w watchTest) {
		w.expect("cron default/tick", "run default/tick-1", "run default/told-by-managed-fields ended 0s", "run default/told-by-the-full-object ended -10s", "controller", "synced")
		want := auditor.Run{
			Name: "tick-1", UID: "uid-tick-1-v", ResourceVersion: "103", Owner: "uid-tick", Controlled: true, CronLabel: "tick",
			ScheduledTime: after(time.Minute), CreatedAt: w.began.Add(-100 * time.Second).UTC(), StartedAt: w.began.Add(-100 * time.Second).UTC(),
		}
		if diff := cmp.Diff(want, w.run("tick-1")); diff != "" {
			t.Error(diff)
		}
		if w.run("told-by-managed-fields").Succeeded || !w.run("told-by-the-full-object").Succeeded {
			t.Error("Succeeded is wrong")
		}
		time.Sleep(30 * time.Second)
		w.put("workflows", runObject("tick-1", "Succeeded"))
		w.expect("run default/tick-1 ended 30s") // as watched
		time.Sleep(30 * time.Second)
		w.put("workflows", runObject("tick-1", "Succeeded", writtenBy(controllerManager)))
		w.expect("run default/tick-1 ended 30s") // whatever is written later
		w.put("workflows", runObject("tick-1", "Running", writtenBy(controllerManager)))
		w.expect("run default/tick-1") // retried
		time.Sleep(30 * time.Second)
		w.put("workflows", runObject("tick-1", "Failed", writtenBy(controllerManager)))
		w.expect("run default/tick-1 ended 1m30s")
	})
}

func TestWatchTellsOfTheController(t *testing.T) {
	lease := func(at time.Time) map[string]any {
		return map[string]any{"metadata": map[string]any{"namespace": "argo", "name": leaseName},
			"spec": map[string]any{"holderIdentity": "argo-0", "renewTime": at.UTC().Format(time.RFC3339Nano), "leaseDurationSeconds": int64(15)}}
	}
	watchingTest(t, Scope{}, oneOfEach, func(w watchTest) {
		w.expect("cron default/tick", "run default/tick-1", "controller", "synced")
		if w.controller().Lease != nil {
			t.Error("a lease that is not there was told of")
		}
		w.put("leases", lease(w.began))
		w.hears(leaseEvery, "controller")
		w.hears(leaseEvery)
		w.put("cronworkflows", func() map[string]any { o := cronObject("tick"); writtenBy(controllerManager)(o); return o }())
		w.hears(leaseEvery, "cron default/tick", "controller")
		want := auditor.Controller{
			Lease: &auditor.Lease{Holder: "argo-0", RenewedAt: w.began.UTC(), Duration: 15 * time.Second},
			// The creation of a run of a native name, and the write to the CronWorkflow.
			Writes: []time.Time{w.began.UTC(), w.began.Add(2 * leaseEvery).UTC()},
		}
		if diff := cmp.Diff(want, w.controller()); diff != "" {
			t.Error(diff)
		}
		for range maxWrites + 10 {
			time.Sleep(time.Second)
			w.put("workflows", runObject("tick-1", "Running", writtenBy(controllerManager)))
			synctest.Wait()
		}
		time.Sleep(leaseEvery)
		w.heard()
		if n := len(w.controller().Writes); n != maxWrites {
			t.Errorf("%d writes are kept", n)
		}
	})
}

func TestWatchFollowsTemplatesAndSettings(t *testing.T) {
	template := func(ttl int64) map[string]any {
		return map[string]any{"metadata": map[string]any{"namespace": "default", "name": "etl"}, "spec": map[string]any{"ttlStrategy": map[string]any{"secondsAfterCompletion": ttl}}}
	}
	referring := cronObject("tick")
	set(referring, map[string]any{"workflowTemplateRef": map[string]any{"name": "etl"}}, "spec", "workflowSpec")
	watchingTest(t, Scope{}, func(c *cluster) {
		c.put("cronworkflows", referring)
		c.put("workflowtemplates", template(300))
	}, func(w watchTest) {
		retention := func() auditor.Retention { return w.cron("tick").Retention }
		w.expect("cron default/tick", "controller", "synced")
		if got := retention().TTL; got != 5*time.Minute {
			t.Errorf("the template's time to live is %s", got)
		}
		for range 5 { // not read at every event
			w.put("cronworkflows", referring)
			w.expect("cron default/tick")
		}
		asked := slices.DeleteFunc(w.asked(), func(s string) bool { return !strings.Contains(s, "templates") })
		if len(asked) != 1 {
			t.Errorf("asked %v", asked)
		}
		w.put("workflowtemplates", template(60))
		w.hearsWithBookmarks(templatesEvery, "cron default/tick")
		if got := retention().TTL; got != time.Minute {
			t.Errorf("the template's new time to live is %s", got)
		}
		w.put("configmaps", map[string]any{"metadata": map[string]any{"namespace": "argo", "name": configName}, "data": map[string]any{"retentionPolicy": "completed: 5"}})
		w.hears(settingsEvery, "cron default/tick")
		if !retention().Policy {
			t.Error("the retentionPolicy was not told of")
		}
		w.delete("workflowtemplates", "default/etl")
		w.hearsWithBookmarks(templatesEvery, "note read WorkflowTemplate default/etl", "cron default/tick")
		w.put("workflowtemplates", template(60))
		w.hears(settingsEvery, "cron default/tick")
		if what := retention().Unreadable; what != "" {
			t.Errorf("%s is there again", what)
		}
	})
}

func TestWatchLeavesOutWhatCannotBeRead(t *testing.T) {
	broken := cronObject("tick")
	set(broken, "soon", "spec", "startingDeadlineSeconds")
	watchingTest(t, Scope{}, func(c *cluster) {
		oneOfEach(c)
		other := cronObject("tock")
		set(other, "soon", "spec", "startingDeadlineSeconds")
		c.put("cronworkflows", other)
	}, func(w watchTest) {
		w.expect("note CronWorkflow default/tock cannot be read", "cron default/tick", "run default/tick-1", "controller", "synced")
		w.put("cronworkflows", broken)
		w.expect("note CronWorkflow default/tick cannot be read", "cron default/tick gone")
		w.put("cronworkflows", broken)
		w.expect()
		w.put("cronworkflows", cronObject("tick"))
		w.expect("cron default/tick")
	})
}

func TestWatchNoticesAConnectionThatDiedInSilence(t *testing.T) {
	watchingTest(t, Scope{}, oneOfEach, func(w watchTest) {
		w.expect("cron default/tick", "run default/tick-1", "controller", "synced")
		w.asked()
		// No bookmark comes for as long as a watch may be silent: it is asked for anew, and nothing is lost.
		w.hears(silentFor+2*time.Second, `blind [""]`, "blind []")
		asked := slices.DeleteFunc(w.asked(), func(s string) bool { return !strings.HasPrefix(s, "watch") })
		slices.Sort(asked)
		if diff := cmp.Diff([]string{"watch cronworkflows", "watch workflows"}, asked); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWatchRefusesAScopeOfNames(t *testing.T) {
	c := newServer(t, nil).client(t, Options{})
	if err := c.Watch(t.Context(), Scope{Names: []string{"tick"}}, &told{}); err == nil {
		t.Error("want an error")
	}
	if err := c.Watch(t.Context(), Scope{Namespaces: []string{"a/b"}}, &told{}); err == nil {
		t.Error("want an error")
	}
}
