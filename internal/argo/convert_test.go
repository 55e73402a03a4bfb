package argo

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
)

// readOne reads a dump of these objects that has one CronWorkflow.
func readOne(t *testing.T, objects ...map[string]any) (Observed, *Snapshot) {
	t.Helper()
	s, err := ReadDump([]string{"-"}, strings.NewReader(string(asJSON(t, listOf(objects...)))), Scope{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.CronWorkflows) != 1 {
		t.Fatalf("%d CronWorkflows, want 1", len(s.CronWorkflows))
	}
	return s.CronWorkflows[0], s
}

func TestCronWorkflowIsConvertedWhole(t *testing.T) {
	cron := cronObject("tick")
	set(cron, map[string]any{labelInstanceID: ""}, "metadata", "labels")
	set(cron, map[string]any{annotationIntended: after(3 * time.Minute), "rollcall.dev/grace": "2m", "rollcall.dev/deadline": "1h30m", "rollcall.dev/catch-up": "latest", "rollcall.dev/audit": "off", "rollcall.dev/backfill": "dry-run"}, "metadata", "annotations")
	set(cron, []any{
		wrote("kubectl-client-side-apply", after(time.Second), map[string]any{"f:spec": map[string]any{}}),
		wrote("workflow-controller", after(2*time.Minute), map[string]any{"f:status": map[string]any{}}),
	}, "metadata", "managedFields")
	set(cron, map[string]any{
		"schedules": []any{"0 * * * *", "30 4 * * *"}, "timezone": "Europe/Berlin", "suspend": true, "concurrencyPolicy": "Forbid",
		"startingDeadlineSeconds": int64(600), "when": "{{= true }}", "stopStrategy": map[string]any{"expression": "failed > 3"},
		"successfulJobsHistoryLimit": int64(5), "failedJobsHistoryLimit": int64(0),
		"workflowSpec": map[string]any{"ttlStrategy": map[string]any{"secondsAfterSuccess": int64(300), "secondsAfterFailure": int64(60)}},
	}, "spec")
	set(cron, map[string]any{
		"active":            []any{map[string]any{"name": "tick-60", "uid": "u"}},
		"lastScheduledTime": after(time.Minute),
		"phase":             "Stopped",
		"conditions": []any{
			map[string]any{"type": "SubmissionError", "status": "True", "message": "no quota"},
			map[string]any{"type": "SpecError", "status": "False", "message": "was bad"},
		},
	}, "status")
	got, snapshot := readOne(t, cron, workflowObject("another", "another-x7k2p"))
	want := Observed{Input: auditor.Input{
		CronWorkflow: auditor.CronWorkflow{
			Namespace: "default", Name: "tick", UID: "uid-tick", CreatedAt: created,
			Epochs: []auditor.Epoch{{From: created.Add(time.Second), Spec: auditor.Spec{
				Schedules: []string{"0 * * * *", "30 4 * * *"}, Timezone: "Europe/Berlin", Suspend: true, Policy: auditor.Forbid,
				StartingDeadline: 10 * time.Minute, When: "{{= true }}", StopStrategy: true,
			}}},
			Status: auditor.Status{
				LastScheduledTime: created.Add(time.Minute), Active: []string{"tick-60"}, Stopped: true, SubmissionError: "no quota",
				WrittenAt: created.Add(2 * time.Minute), Intended: created.Add(3 * time.Minute),
			},
			Retention: auditor.Retention{Successful: 5, Failed: 0, TTL: time.Minute},
			Served:    true,
			Settings:  auditor.Settings{Off: true, Grace: 2 * time.Minute, Deadline: 90 * time.Minute, CatchUp: auditor.CatchUpLatest, Backfill: auditor.BackfillDryRun},
			When:      When{Namespace: "default", Name: "tick", LabelsSince: created, AnnotationsSince: created, CountedSince: created.Add(2 * time.Minute)},
		},
		Controller: auditor.Controller{Writes: []time.Time{created.Add(2 * time.Minute)}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if want := created.Add(2 * time.Minute); !snapshot.Now.Equal(want) {
		t.Errorf("the newest time is %v, want %v", snapshot.Now, want)
	}
}

func TestRunIsConvertedWhole(t *testing.T) {
	run := workflowObject("tick", "tick-1795406460")
	set(run, []any{wrote("workflow-controller", after(2*time.Minute), nil)}, "metadata", "managedFields")
	set(run, map[string]any{labelCronWorkflow: "tick", labelInstanceID: "blue", labelBackfilledBy: "cli"}, "metadata", "labels")
	set(run, after(time.Hour), "metadata", "deletionTimestamp")
	got, _ := readOne(t, cronObject("tick"), run)
	want := []auditor.Run{{
		Name: "tick-1795406460", UID: "uid-tick-1795406460", ResourceVersion: "9", Owner: "uid-tick", Controlled: true,
		CronLabel: "tick", InstanceID: "blue", ScheduledTime: after(time.Minute), BackfilledBy: "cli",
		CreatedAt: created.Add(time.Minute), StartedAt: created.Add(time.Minute), FinishedAt: created.Add(2 * time.Minute),
		Deleting: true, Succeeded: true,
	}}
	if diff := cmp.Diff(want, got.Runs); diff != "" {
		t.Error(diff)
	}
}

func TestSpecIsKnownSince(t *testing.T) {
	spec, status := map[string]any{"f:spec": map[string]any{}}, map[string]any{"f:status": map[string]any{}}
	for name, c := range map[string]struct {
		entries []any
		want    time.Duration // after the creation
	}{
		"its creation without managedFields":             {nil, 0},
		"its creation when only its creator wrote to it": {[]any{wrote("kubectl", after(0), spec)}, 0},
		"its last edit": {[]any{wrote("kubectl", after(0), spec), wrote("kubectl-edit", after(time.Hour), spec)}, time.Hour},
		"its last edit, in whatever order the entries stand":       {[]any{wrote("kubectl-edit", after(time.Hour), spec), wrote("kubectl", after(0), spec)}, time.Hour},
		"an edit of one field, with Argo's full CRDs":              {[]any{wrote("kubectl", after(0), spec), wrote("argo", after(time.Hour), map[string]any{"f:spec": map[string]any{"f:suspend": map[string]any{}}})}, time.Hour},
		"its creation whatever the controller wrote to its status": {[]any{wrote("kubectl", after(0), spec), wrote("workflow-controller", after(time.Hour), status)}, 0},
		"the oldest entry left when somebody cleared the list":     {[]any{wrote("a", after(2*time.Hour), status), wrote("b", after(time.Hour), status)}, time.Hour},
		"its creation when an entry has no time":                   {[]any{map[string]any{"manager": "kubectl", "fieldsV1": spec}}, 0},
		"its creation when an entry is older, as after a restore":  {[]any{wrote("kubectl", after(-time.Hour), spec)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			cron := cronObject("tick")
			if c.entries != nil {
				set(cron, c.entries, "metadata", "managedFields")
			}
			got, _ := readOne(t, cron)
			if since := got.CronWorkflow.Epochs[0].From.Sub(created); since != c.want {
				t.Errorf("known since %v after the creation, want %v", since, c.want)
			}
		})
	}
}

func TestSpecIsReadAsArgoReadsIt(t *testing.T) {
	for name, c := range map[string]struct {
		spec map[string]any
		want auditor.Spec
	}{
		"schedule stands before schedules": {map[string]any{"schedule": "1 * * * *", "schedules": []any{"2 * * * *"}}, auditor.Spec{Schedules: []string{"1 * * * *"}, Policy: auditor.Allow}},
		"a deadline of 0 is none":          {map[string]any{"schedule": "1 * * * *", "startingDeadlineSeconds": int64(0)}, auditor.Spec{Schedules: []string{"1 * * * *"}, Policy: auditor.Allow}},
		"a deadline below 0 is none":       {map[string]any{"schedule": "1 * * * *", "startingDeadlineSeconds": int64(-5)}, auditor.Spec{Schedules: []string{"1 * * * *"}, Policy: auditor.Allow}},
		"an endless deadline stays long":   {map[string]any{"schedule": "1 * * * *", "startingDeadlineSeconds": int64(1 << 62)}, auditor.Spec{Schedules: []string{"1 * * * *"}, Policy: auditor.Allow, StartingDeadline: (1<<63 - 1) / time.Second * time.Second}},
		"unknown fields do not matter":     {map[string]any{"schedule": "1 * * * *", "fieldOfArgo9": int64(1), "workflowSpec": map[string]any{"entrypoint": int64(5), "templates": "many"}}, auditor.Spec{Schedules: []string{"1 * * * *"}, Policy: auditor.Allow}},
	} {
		t.Run(name, func(t *testing.T) {
			cron := cronObject("tick")
			set(cron, c.spec, "spec")
			got, _ := readOne(t, cron)
			if got.Err != nil {
				t.Fatal(got.Err)
			}
			if diff := cmp.Diff(c.want, got.CronWorkflow.Epochs[0].Spec); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCronWorkflowIsServedWhenAControllerLeftATrace(t *testing.T) {
	for name, c := range map[string]struct {
		change func(cron map[string]any)
		want   bool
	}{
		"nothing":                   {func(map[string]any) {}, false},
		"a last scheduled time":     {func(c map[string]any) { set(c, after(0), "status", "lastScheduledTime") }, true},
		"a last used schedule":      {func(c map[string]any) { set(c, "* * * * *", "metadata", "annotations", annotationLastSchedule) }, true},
		"the zero time, Argo's own": {func(c map[string]any) { set(c, "0001-01-01T00:00:00Z", "status", "lastScheduledTime") }, false},
		"null":                      {func(c map[string]any) { set(c, nil, "status", "lastScheduledTime") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			cron := cronObject("tick")
			c.change(cron)
			if got, _ := readOne(t, cron); got.CronWorkflow.Served != c.want || got.Err != nil {
				t.Errorf("served is %v (error %v), want %v", got.CronWorkflow.Served, got.Err, c.want)
			}
		})
	}
}

func TestTimeToLiveIsTheShortestThatMayApply(t *testing.T) {
	ttl := func(n int64) map[string]any {
		return map[string]any{"ttlStrategy": map[string]any{"secondsAfterCompletion": n}}
	}
	ref := func(spec map[string]any, name string, cluster bool) map[string]any {
		out := map[string]any{"workflowTemplateRef": map[string]any{"name": name, "clusterScope": cluster}}
		for k, v := range spec {
			out[k] = v
		}
		return out
	}
	template := func(kind, namespace, name string, spec map[string]any) map[string]any {
		meta := map[string]any{"name": name, "creationTimestamp": after(0)}
		if namespace != "" {
			meta["namespace"] = namespace
		}
		return map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": meta, "spec": spec}
	}
	config := func(data map[string]any) map[string]any {
		return map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": configName, "namespace": "argo"}, "data": data}
	}
	keeps := func(change func(*auditor.Retention)) auditor.Retention {
		r := auditor.Retention{Successful: 3, Failed: 1, TTL: noTTL}
		change(&r)
		return r
	}
	lives := func(d time.Duration) auditor.Retention { return keeps(func(r *auditor.Retention) { r.TTL = d }) }
	defaults := "spec:\n  ttlStrategy:\n    secondsAfterSuccess: 90\n"
	for name, c := range map[string]struct {
		spec   map[string]any
		others []map[string]any
		want   auditor.Retention
	}{
		"none is set":                    {map[string]any{}, nil, lives(noTTL)},
		"its own":                        {ttl(60), nil, lives(time.Minute)},
		"0 seconds":                      {ttl(0), nil, lives(0)},
		"below 0, which deletes at once": {ttl(-3), nil, lives(0)},
		"its template's":                 {ref(nil, "etl", false), []map[string]any{template("WorkflowTemplate", "default", "etl", ttl(30))}, lives(30 * time.Second)},
		"the shorter of its own and its template's": {ref(ttl(20), "etl", false), []map[string]any{template("WorkflowTemplate", "default", "etl", ttl(30))}, lives(20 * time.Second)},
		"its cluster template's": {ref(nil, "etl", true), []map[string]any{
			template("ClusterWorkflowTemplate", "", "etl", ttl(40)), template("WorkflowTemplate", "default", "etl", ttl(30)),
		}, lives(40 * time.Second)},
		"a template that is not there may set one": {ref(nil, "etl", false), []map[string]any{template("WorkflowTemplate", "elsewhere", "etl", ttl(30))},
			keeps(func(r *auditor.Retention) { r.Unreadable = "WorkflowTemplate default/etl" })},
		"a malformed template may set one": {ref(nil, "etl", true), []map[string]any{template("ClusterWorkflowTemplate", "", "etl", map[string]any{"ttlStrategy": "soon"})},
			keeps(func(r *auditor.Retention) { r.Unreadable = "ClusterWorkflowTemplate etl" })},
		"a malformed one of its own may be any": {map[string]any{"ttlStrategy": "soon"}, nil,
			keeps(func(r *auditor.Retention) { r.Unreadable = "ttlStrategy or workflowTemplateRef of its workflowSpec" })},
		"workflowDefaults as an item": {map[string]any{}, []map[string]any{config(map[string]any{"workflowDefaults": defaults})}, lives(90 * time.Second)},
		"workflowDefaults in config": {ttl(100), []map[string]any{config(map[string]any{"config": "workflowDefaults:\n  " + strings.ReplaceAll(defaults, "\n", "\n  ")})},
			lives(90 * time.Second)},
		"a retentionPolicy as an item": {map[string]any{}, []map[string]any{config(map[string]any{"retentionPolicy": "completed: 10\n"})},
			keeps(func(r *auditor.Retention) { r.Policy = true })},
		"a retentionPolicy in config": {map[string]any{}, []map[string]any{config(map[string]any{"config": "retentionPolicy:\n  failed: 3\n"})},
			keeps(func(r *auditor.Retention) { r.Policy = true })},
		"settings that are not YAML may be any": {map[string]any{}, []map[string]any{config(map[string]any{"workflowDefaults": "a: b: c"})},
			keeps(func(r *auditor.Retention) { r.Unreadable = `"workflowDefaults" in ConfigMap argo/` + configName })},
		"settings of another component do not count": {map[string]any{}, []map[string]any{config(map[string]any{"metricsConfig": "enabled: false\n"})}, lives(noTTL)},
	} {
		t.Run(name, func(t *testing.T) {
			cron := cronObject("tick")
			set(cron, c.spec, "spec", "workflowSpec")
			got, _ := readOne(t, append(c.others, cron)...)
			if diff := cmp.Diff(c.want, got.CronWorkflow.Retention); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHistoryLimitsAreArgos(t *testing.T) {
	for name, c := range map[string]struct {
		limits             map[string]any
		successful, failed int
	}{
		"unset":    {map[string]any{}, 3, 1},
		"set":      {map[string]any{"successfulJobsHistoryLimit": int64(10), "failedJobsHistoryLimit": int64(4)}, 10, 4},
		"zero":     {map[string]any{"successfulJobsHistoryLimit": int64(0), "failedJobsHistoryLimit": int64(0)}, 0, 0},
		"negative": {map[string]any{"successfulJobsHistoryLimit": int64(-1), "failedJobsHistoryLimit": int64(-1)}, 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			cron := cronObject("tick")
			c.limits["schedule"] = "* * * * *"
			set(cron, c.limits, "spec")
			got, _ := readOne(t, cron)
			if diff := cmp.Diff(auditor.Retention{Successful: c.successful, Failed: c.failed, TTL: noTTL}, got.CronWorkflow.Retention); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBadAnnotationLeavesTheDefaultAndIsNamed(t *testing.T) {
	for annotation, values := range map[string][]string{
		"rollcall.dev/audit":    {"OFF", "false", ""},
		"rollcall.dev/grace":    {"abc", "-5s", "0s", "10", ""},
		"rollcall.dev/deadline": {"1d", "0"},
		"rollcall.dev/catch-up": {"newest", "All"},
		"rollcall.dev/backfill": {"true", "dryrun", ""},
	} {
		for _, value := range values {
			t.Run(annotation+" "+value, func(t *testing.T) {
				cron := cronObject("tick")
				set(cron, map[string]any{annotation: value}, "metadata", "annotations")
				got, snapshot := readOne(t, cron)
				begin := fmt.Sprintf("The annotation %s is %q; accepted is ", annotation, value)
				if invalid := got.CronWorkflow.Settings.Invalid; !strings.HasPrefix(invalid, begin) {
					t.Errorf("Invalid is %q, want it to begin %q", invalid, begin)
				}
				got.CronWorkflow.Settings.Invalid = ""
				if diff := cmp.Diff(auditor.Settings{}, got.CronWorkflow.Settings); diff != "" {
					t.Errorf("not the defaults:\n%s", diff)
				}
				want := fmt.Sprintf("CronWorkflow default/tick: annotation %s is %q; accepted is ", annotation, value)
				if notes := mentioning(snapshot.Notes, want); len(notes) != 1 {
					t.Errorf("notes are %q, want one that begins %q", snapshot.Notes, want)
				}
			})
		}
	}
}

func TestALongAnnotationIsQuotedShort(t *testing.T) {
	cron := cronObject("tick")
	set(cron, map[string]any{"rollcall.dev/grace": strings.Repeat("ä", 1000)}, "metadata", "annotations")
	got, _ := readOne(t, cron)
	want := `The annotation rollcall.dev/grace is "` + strings.Repeat("ä", 50) + `…"; accepted is a duration above 0, such as "90s" or "2h". The default is used.`
	if diff := cmp.Diff(want, got.CronWorkflow.Settings.Invalid); diff != "" {
		t.Error(diff)
	}
}

func mentioning(notes []string, what string) (found []string) {
	for _, n := range notes {
		if strings.Contains(n, what) {
			found = append(found, n)
		}
	}
	return found
}

func TestRunsOfACronWorkflowAreThoseWithAnySignOfIt(t *testing.T) {
	bare := func(name string) map[string]any {
		return map[string]any{"apiVersion": apiVersion, "kind": "Workflow", "metadata": map[string]any{"name": name, "namespace": "default", "creationTimestamp": after(0)}}
	}
	labelled, owned, named, zero := bare("by-hand-x7k2p"), bare("other-x7k2p"), bare("tick-1795406460"), bare("tick--62135596800")
	set(labelled, map[string]any{labelCronWorkflow: "tick"}, "metadata", "labels")
	set(owned, []any{map[string]any{"kind": "CronWorkflow", "uid": "uid-tick"}}, "metadata", "ownerReferences")
	elsewhere := workflowObject("tick", "tick-1795406520")
	set(elsewhere, "elsewhere", "metadata", "namespace")
	others := []map[string]any{bare("tick-0001"), bare("tick-x7k2p"), bare("tick"), bare("ticktock-1795406460"), bare("-1795406460"), workflowObject("tock", "tock-1795406460"), elsewhere}
	got, _ := readOne(t, append(others, cronObject("tick"), labelled, owned, named, zero)...)
	var names []string
	for _, r := range got.Runs {
		names = append(names, r.Name)
	}
	if diff := cmp.Diff([]string{"by-hand-x7k2p", "other-x7k2p", "tick--62135596800", "tick-1795406460"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestControllerWasAliveWhenItWroteAnything(t *testing.T) {
	lease := func(name string, renewed time.Duration) map[string]any {
		return map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": name, "namespace": "argo"},
			"spec": map[string]any{"holderIdentity": "argo-0", "acquireTime": "2026-11-23T04:00:00.000001Z", "renewTime": created.Add(renewed).Format("2006-01-02T15:04:05.000000Z07:00"), "leaseDurationSeconds": int64(15)}}
	}
	native, ours, manual, foreign := workflowObject("tick", "tick-1795406460"), workflowObject("tick", "tick-1795406520"), workflowObject("tick", "tick-abcde"), workflowObject("tock", "tock-1795406460")
	set(native, []any{wrote("workflow-controller", after(2*time.Minute), nil), wrote("argo", after(3*time.Minute), nil)}, "metadata", "managedFields")
	set(ours, after(4*time.Minute), "metadata", "creationTimestamp")
	set(ours, "cli", "metadata", "labels", labelBackfilledBy)
	set(manual, after(5*time.Minute), "metadata", "creationTimestamp")
	set(foreign, after(6*time.Minute), "metadata", "creationTimestamp")
	set(foreign, "blue", "metadata", "labels", labelInstanceID)
	got, snapshot := readOne(t, cronObject("tick"), native, ours, manual, foreign,
		lease("workflow-controller", time.Hour), lease("workflow-controller-blue", 2*time.Hour), lease("kube-scheduler", 3*time.Hour))
	want := auditor.Controller{
		Lease:  &auditor.Lease{Holder: "argo-0", AcquiredAt: created.Add(time.Microsecond), RenewedAt: created.Add(time.Hour), Duration: 15 * time.Second},
		Writes: []time.Time{created.Add(time.Minute), created.Add(2 * time.Minute)},
	}
	if diff := cmp.Diff(want, got.Controller); diff != "" {
		t.Error(diff)
	}
	if want := created.Add(3 * time.Hour); !snapshot.Now.Equal(want) {
		t.Errorf("the newest time is %v, want %v", snapshot.Now, want)
	}
}

func TestEndedRunThatDoesNotSayWhenEndedAtTheControllersLastWrite(t *testing.T) {
	run := workflowObject("tick", "tick-1795406460")
	set(run, []any{wrote("workflow-controller", after(5*time.Minute), nil)}, "metadata", "managedFields")
	set(run, map[string]any{"phase": "Failed", "startedAt": int64(5), "finishedAt": "yesterday"}, "status")
	got, _ := readOne(t, cronObject("tick"), run)
	if r := got.Runs[0]; !r.FinishedAt.Equal(created.Add(5*time.Minute)) || r.Succeeded {
		t.Errorf("finished at %v, succeeded %v", r.FinishedAt, r.Succeeded)
	}
}

func TestMalformedCronWorkflowCarriesItsErrorAndNoOther(t *testing.T) {
	for name, c := range map[string]struct {
		change func(cron map[string]any)
		want   string
	}{
		"schedule is a number":       {func(c map[string]any) { set(c, int64(5), "spec", "schedule") }, "CronWorkflowSpec.schedule"},
		"schedules is a text":        {func(c map[string]any) { set(c, "* * * * *", "spec", "schedules") }, "CronWorkflowSpec.schedules"},
		"spec is a list":             {func(c map[string]any) { set(c, []any{}, "spec") }, "spec"},
		"status is a text":           {func(c map[string]any) { set(c, "fine", "status") }, "status: json: cannot unmarshal string"},
		"lastScheduledTime is none":  {func(c map[string]any) { set(c, "yesterday", "status", "lastScheduledTime") }, `status: parsing time "yesterday"`},
		"labels are a list":          {func(c map[string]any) { set(c, []any{"a"}, "metadata", "labels") }, "metadata.labels"},
		"it was never in a cluster":  {func(c map[string]any) { set(c, nil, "metadata", "creationTimestamp") }, `metadata.creationTimestamp is ""`},
		"workflowMetadata is a text": {func(c map[string]any) { set(c, "x", "spec", "workflowMetadata") }, "CronWorkflowSpec.workflowMetadata"},
	} {
		t.Run(name, func(t *testing.T) {
			cron := cronObject("tick")
			c.change(cron)
			s, err := ReadDump([]string{"-"}, strings.NewReader(string(asJSON(t, listOf(cron, cronObject("tock"))))), Scope{})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.CronWorkflows[0].Err; err == nil || !strings.HasPrefix(err.Error(), "CronWorkflow default/tick cannot be read: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want it to name %s", err, c.want)
			}
			if s.CronWorkflows[0].CronWorkflow.Name != "tick" || s.CronWorkflows[1].Err != nil {
				t.Errorf("read %+v", s.CronWorkflows)
			}
		})
	}
}

func TestMalformedWorkflowStillCountsAsARun(t *testing.T) {
	for name, change := range map[string]func(run map[string]any){
		"status is a text":           func(r map[string]any) { set(r, "fine", "status") },
		"labels are numbers":         func(r map[string]any) { set(r, map[string]any{"a": int64(1)}, "metadata", "labels") },
		"owners are a text":          func(r map[string]any) { set(r, "me", "metadata", "ownerReferences") },
		"the creation is a number":   func(r map[string]any) { set(r, int64(3), "metadata", "creationTimestamp") },
		"managedFields are a number": func(r map[string]any) { set(r, int64(3), "metadata", "managedFields") },
	} {
		t.Run(name, func(t *testing.T) {
			run := workflowObject("tick", "tick-1795406460")
			change(run)
			got, snapshot := readOne(t, cronObject("tick"), run)
			if len(got.Runs) != 1 || got.Runs[0].Name != "tick-1795406460" {
				t.Errorf("runs are %+v", got.Runs)
			}
			if len(mentioning(snapshot.Notes, "Workflow default/tick-1795406460 is malformed")) != 1 {
				t.Errorf("notes are %q", snapshot.Notes)
			}
		})
	}
}

func TestTimesAreThoseThatKubernetesWrites(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2026-11-23T04:39:00Z":        time.Date(2026, 11, 23, 4, 39, 0, 0, time.UTC),
		"2026-11-23T10:09:00+05:30":   time.Date(2026, 11, 23, 4, 39, 0, 0, time.UTC),
		"2026-11-23T04:39:00.000001Z": time.Date(2026, 11, 23, 4, 39, 0, 1000, time.UTC),
		"0001-01-01T00:00:00Z":        {},
		"yesterday":                   {},
		"":                            {},
	} {
		if got := parseTime(text); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

func TestOnlyUnixSecondsEndTheNameOfARun(t *testing.T) {
	got := map[string]string{}
	for _, name := range []string{"tick-60", "a-b-60", "tick--62135596800", "tick-060", "tick-", "-60", "--60", "60", "", "tick-x", "tick-9223372036854775808", "tick---5"} {
		if cron, ok := cronOf(name); ok {
			got[name] = cron
		}
	}
	want := map[string]string{"tick-60": "tick", "a-b-60": "a-b", "tick--62135596800": "tick", "tick---5": "tick-"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestACronWorkflowThatArgoCallsCompletedIsStopped(t *testing.T) {
	cron := cronObject("tick")
	set(cron, map[string]any{labelCronCompleted: "true"}, "metadata", "labels")
	set(cron, map[string]any{"phase": "Active"}, "status")
	if got, _ := readOne(t, cron); !got.CronWorkflow.Status.Stopped {
		t.Errorf("%+v", got.CronWorkflow.Status)
	}
}
