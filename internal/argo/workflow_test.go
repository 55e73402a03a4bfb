package argo

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	argoworkflow "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow"
	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"github.com/argoproj/argo-workflows/v3/workflow/common"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"rollcall.dev/rollcall/backfill"
)

// argoWorkflow is what Argo's own code makes of the CronWorkflow.
func argoWorkflow(t rapidOrTest, cron *unstructured.Unstructured, at time.Time) map[string]any {
	var typed wfv1.CronWorkflow
	data, err := json.Marshal(cron.Object)
	if err == nil {
		err = json.Unmarshal(data, &typed)
	}
	if err != nil {
		t.Fatalf("not a CronWorkflow: %v", err)
	}
	name := fmt.Sprintf("%s-%d", typed.Name, at.Unix()) // getChildWorkflowName of workflow/cron
	return asArgoReads(t, common.ConvertCronWorkflowToWorkflowWithProperties(&typed, name, at))
}

// asArgoReads is the Workflow as JSON once it went through Argo's type, so that defaults and empty fields look the same.
func asArgoReads(t rapidOrTest, object any) map[string]any {
	data, err := json.Marshal(object)
	var typed wfv1.Workflow
	if err == nil {
		err = json.Unmarshal(data, &typed)
	}
	if err == nil {
		data, err = json.Marshal(typed)
	}
	var out map[string]any
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		t.Fatalf("not a Workflow: %v", err)
	}
	return out
}

type rapidOrTest interface {
	Fatalf(format string, args ...any)
}

// withoutOurs takes away what NewWorkflow adds to what Argo makes, and reports when it is not there.
func withoutOurs(t rapidOrTest, workflow *unstructured.Unstructured, run backfill.NewRun) *unstructured.Unstructured {
	w := workflow.DeepCopy()
	labels, annotations := w.GetLabels(), w.GetAnnotations()
	if labels[labelBackfilledBy] != run.By || annotations[annotationReason] != run.Why {
		t.Fatalf("labels %v, annotations %v: not marked as recovered by %q because %q", labels, annotations, run.By, run.Why)
	}
	delete(labels, labelBackfilledBy)
	delete(annotations, annotationReason)
	w.SetLabels(labels)
	w.SetAnnotations(annotations)
	return w
}

func compareWithArgo(t rapidOrTest, cron *unstructured.Unstructured, at time.Time, zone *time.Location) {
	before := cron.DeepCopy()
	run := backfill.NewRun{ScheduledTime: at.UTC(), By: "cli", Why: "It was missed."}
	ours := NewWorkflow(cron, run, zone)
	want := argoWorkflow(t, before, at.In(zone))
	if diff := cmp.Diff(want, asArgoReads(t, withoutOurs(t, ours, run).Object)); diff != "" {
		t.Fatalf("not what Argo makes of it (-Argo +ours):\n%s", diff)
	}
	if diff := cmp.Diff(before.Object, cron.Object); diff != "" {
		t.Fatalf("the CronWorkflow was changed:\n%s", diff)
	}
}

func TestNewWorkflowIsWhatArgoMakes(t *testing.T) {
	at := time.Date(2026, 11, 23, 4, 39, 0, 0, time.UTC)
	for name, change := range map[string]func(cron map[string]any){
		"plain":                        func(map[string]any) {},
		"with a workflowSpec":          func(c map[string]any) { set(c, workflowSpecOfMany(), "spec", "workflowSpec") },
		"without a workflowSpec":       func(c map[string]any) { unstructured.RemoveNestedField(c, "spec", "workflowSpec") },
		"of another Argo installation": func(c map[string]any) { set(c, "blue", "metadata", "labels", common.LabelKeyControllerInstanceID) },
		"with its creator's labels": func(c map[string]any) {
			set(c, map[string]any{common.LabelKeyCreator: "a", common.LabelKeyCreatorEmail: "a.at.b", common.LabelKeyCreatorPreferredUsername: "c", "team": "data"}, "metadata", "labels")
		},
		"whose workflowMetadata overrides every label of Argo's": func(c map[string]any) {
			set(c, map[string]any{common.LabelKeyControllerInstanceID: "blue", common.LabelKeyCreator: "a"}, "metadata", "labels")
			set(c, map[string]any{common.LabelKeyControllerInstanceID: "red", common.LabelKeyCreator: "b", common.LabelKeyCronWorkflow: "other"}, "spec", "workflowMetadata", "labels")
		},
		"whose workflowMetadata overrides the scheduled time": func(c map[string]any) {
			set(c, map[string]any{common.AnnotationKeyCronWfScheduledTime: "never"}, "spec", "workflowMetadata", "annotations")
		},
		"whose workflowMetadata has a name, which Argo ignores": func(c map[string]any) {
			set(c, map[string]any{"name": "mine", "generateName": "mine-", "namespace": "elsewhere"}, "spec", "workflowMetadata")
		},
		"with finalizers": func(c map[string]any) {
			set(c, []any{"example.com/one", "example.com/two"}, "spec", "workflowMetadata", "finalizers")
		},
		"with empty workflowMetadata": func(c map[string]any) { set(c, map[string]any{}, "spec", "workflowMetadata") },
		"with labels and annotations of its own, which Argo does not copy": func(c map[string]any) {
			set(c, map[string]any{"app": "x"}, "metadata", "labels")
			set(c, map[string]any{"note": "x"}, "metadata", "annotations")
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, zone := range []string{"UTC", "Asia/Kolkata", "America/New_York"} {
				cron := cronObject("tick")
				change(cron)
				compareWithArgo(t, &unstructured.Unstructured{Object: cron}, at, mustZone(t, zone))
			}
		})
	}
}

func TestNewWorkflowIsWhatArgoMakesOfAnyMetadata(t *testing.T) {
	keys := rapid.SampledFrom([]string{
		common.LabelKeyCronWorkflow, common.LabelKeyControllerInstanceID, common.LabelKeyCreator, common.LabelKeyCreatorEmail,
		common.LabelKeyCreatorPreferredUsername, common.LabelKeyActor, common.LabelKeyPhase, common.AnnotationKeyCronWfScheduledTime, "app", "team",
	})
	stringMap := rapid.MapOf(keys, rapid.StringMatching(`[a-z0-9.]{0,12}`))
	zones := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"})
	rapid.Check(t, func(t *rapid.T) {
		cron := cronObject(rapid.StringMatching(`[a-z]([a-z0-9-]{0,20}[a-z0-9])?`).Draw(t, "name"))
		set(cron, anyMap(stringMap.Draw(t, "labels")), "metadata", "labels")
		set(cron, anyMap(stringMap.Draw(t, "annotations")), "metadata", "annotations")
		if rapid.Bool().Draw(t, "has workflowMetadata") {
			set(cron, map[string]any{
				"labels":      anyMap(stringMap.Draw(t, "run labels")),
				"annotations": anyMap(stringMap.Draw(t, "run annotations")),
				"finalizers":  anySlice(rapid.SliceOf(rapid.StringMatching(`[a-z]{1,8}/[a-z]{1,8}`)).Draw(t, "finalizers")),
			}, "spec", "workflowMetadata")
		}
		if rapid.Bool().Draw(t, "has workflowSpec") {
			set(cron, workflowSpecOfMany(), "spec", "workflowSpec")
		}
		at := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "scheduled"), 0)
		zone, err := time.LoadLocation(zones.Draw(t, "zone"))
		if err != nil {
			t.Fatalf("%v", err)
		}
		compareWithArgo(t, &unstructured.Unstructured{Object: cron}, at, zone)
	})
}

func TestNewWorkflowKeepsFieldsThatThisBuildDoesNotKnow(t *testing.T) {
	spec := map[string]any{
		"entrypoint":       "main",
		"fieldOfArgo9":     map[string]any{"nested": []any{int64(1), "two", map[string]any{"three": 3.5}}},
		"templates":        []any{map[string]any{"name": "main", "quantum": map[string]any{"qubits": int64(9007199254740993)}}},
		"podPriorityClass": nil,
	}
	cron := cronObject("tick")
	set(cron, spec, "spec", "workflowSpec")
	workflow := NewWorkflow(&unstructured.Unstructured{Object: cron}, backfill.NewRun{ScheduledTime: time.Unix(60, 0), By: "cli"}, time.UTC)
	if diff := cmp.Diff(spec, workflow.Object["spec"]); diff != "" {
		t.Errorf("the spec is not the one of the CronWorkflow:\n%s", diff)
	}
	set(workflow.Object, "changed", "spec", "fieldOfArgo9", "nested")
	if diff := cmp.Diff(spec, cron["spec"].(map[string]any)["workflowSpec"]); diff != "" {
		t.Errorf("the spec of the Workflow is not a copy of its own:\n%s", diff)
	}
}

func TestNewWorkflowMarksItsRunsWhateverTheMetadataSays(t *testing.T) {
	cron := cronObject("tick")
	set(cron, map[string]any{labelBackfilledBy: "nobody"}, "spec", "workflowMetadata", "labels")
	set(cron, map[string]any{annotationReason: "none"}, "spec", "workflowMetadata", "annotations")
	workflow := NewWorkflow(&unstructured.Unstructured{Object: cron}, backfill.NewRun{ScheduledTime: time.Unix(60, 0), By: "controller", Why: "It was missed."}, time.UTC)
	if got := workflow.GetLabels()[labelBackfilledBy]; got != "controller" {
		t.Errorf("label %s is %q", labelBackfilledBy, got)
	}
	if got := workflow.GetAnnotations()[annotationReason]; got != "It was missed." {
		t.Errorf("annotation %s is %q", annotationReason, got)
	}
}

func TestDetachedRunIsOwnedButNotControlled(t *testing.T) {
	cron := &unstructured.Unstructured{Object: cronObject("tick")}
	for detached, controller := range map[bool]bool{true: false, false: true} {
		owners := NewWorkflow(cron, backfill.NewRun{ScheduledTime: time.Unix(60, 0), By: "cli", Detached: detached}, time.UTC).GetOwnerReferences()
		if len(owners) != 1 || owners[0].UID != cron.GetUID() || *owners[0].Controller != controller || !*owners[0].BlockOwnerDeletion {
			t.Errorf("detached %v: owners are %+v", detached, owners)
		}
	}
}

func TestNamesAreThoseOfArgo(t *testing.T) {
	got := []string{labelCronWorkflow, labelInstanceID, labelCompleted, annotationScheduledTime, apiVersion, group}
	want := []string{
		common.LabelKeyCronWorkflow, common.LabelKeyControllerInstanceID, common.LabelKeyCompleted, common.AnnotationKeyCronWfScheduledTime,
		wfv1.SchemeGroupVersion.String(), argoworkflow.Group,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var cron wfv1.CronWorkflow
	cron.SetSchedules([]string{"* * * * *"})
	if keys := slices.Collect(maps.Keys(cron.Annotations)); !slices.Equal(keys, []string{annotationLastSchedule}) {
		t.Errorf("Argo keeps the last used schedule in %v", keys)
	}
}

// workflowSpecOfMany is a workflowSpec with a bit of everything that a copy could lose.
func workflowSpecOfMany() map[string]any {
	return map[string]any{
		"entrypoint":         "main",
		"serviceAccountName": "runner",
		"priority":           int64(3),
		"arguments":          map[string]any{"parameters": []any{map[string]any{"name": "day", "value": "{{workflow.scheduledTime}}"}}},
		"ttlStrategy":        map[string]any{"secondsAfterCompletion": int64(60)},
		"podGC":              map[string]any{"strategy": "OnPodSuccess"},
		"workflowMetadata":   map[string]any{"labels": map[string]any{"inner": "yes"}},
		"templates": []any{map[string]any{
			"name":      "main",
			"container": map[string]any{"image": "busybox", "args": []any{"echo", "hi"}},
		}},
	}
}

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}
