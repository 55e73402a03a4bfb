package argo

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/auditor"
)

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
		w.compare(got, append(told("a"), `blind ["b"] forbidden ["b"]`, "synced")...)
		w.hears(time.Minute)
		w.allow("list workflows in b")
		w.hears(20*time.Second, append([]string{"gap since 0s"}, append(told("b"), `blind []`)...)...)
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
			Lease: &auditor.Lease{Holder: "argo-0", RenewedAt: w.began.UTC(), Duration: 15 * time.Second, ReadAt: w.began.Add(3 * leaseEvery).UTC()},
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

func TestWatchTellsWhetherAnArgoControllerLooksAfterIt(t *testing.T) {
	unserved := cronObject("tick")
	moved := func(t time.Time) map[string]any {
		cron := cronObject("tick")
		set(cron, map[string]any{"lastScheduledTime": t.UTC().Format(time.RFC3339)}, "status")
		return cron
	}
	watchingTest(t, Scope{}, func(c *cluster) { c.put("cronworkflows", unserved) }, func(w watchTest) {
		serves := func(want bool, when string) {
			w.Helper()
			w.heard()
			if got := w.cron("tick").Served; got != want {
				w.Errorf("served is %t %s", got, when)
			}
		}
		serves(false, "before any controller came")
		run := runObject("tick-1000000020", "Running")
		set(run, "controller", "metadata", "labels", labelBackfilledBy)
		w.put("cronworkflows", moved(time.Unix(1000000020, 0)))
		w.heard()
		w.put("workflows", run)
		serves(false, "when Rollcall has moved lastScheduledTime to a run of its own")
		w.put("cronworkflows", moved(time.Unix(1000000080, 0)))
		serves(true, "when lastScheduledTime is nobody else's")
		registered := cronObject("tick")
		set(registered, "* * * * *", "metadata", "annotations", annotationLastSchedule)
		w.put("cronworkflows", registered)
		serves(true, "when Argo has left its annotation")
	})
}
