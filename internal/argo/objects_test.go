package argo

import (
	"encoding/json"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// created is when the objects of these tests were created.
var created = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

// ago is a time so long after created, as Kubernetes writes it.
func after(d time.Duration) string { return created.Add(d).Format(time.RFC3339) }

// cronObject is a CronWorkflow of the namespace default that fires every minute.
func cronObject(name string) map[string]any {
	return map[string]any{
		"apiVersion": apiVersion,
		"kind":       "CronWorkflow",
		"metadata": map[string]any{
			"name": name, "namespace": "default", "uid": "uid-" + name, "resourceVersion": "7", "creationTimestamp": after(0),
		},
		"spec": map[string]any{"schedule": "* * * * *", "workflowSpec": map[string]any{"entrypoint": "main"}},
	}
}

// workflowObject is a Workflow that Argo made for a firing of a CronWorkflow and that has succeeded.
func workflowObject(cron, name string) map[string]any {
	return map[string]any{
		"apiVersion": apiVersion,
		"kind":       "Workflow",
		"metadata": map[string]any{
			"name": name, "namespace": "default", "uid": "uid-" + name, "resourceVersion": "9", "creationTimestamp": after(time.Minute),
			"labels":      map[string]any{labelCronWorkflow: cron},
			"annotations": map[string]any{annotationScheduledTime: after(time.Minute)},
			"ownerReferences": []any{map[string]any{
				"apiVersion": apiVersion, "kind": "CronWorkflow", "name": cron, "uid": "uid-" + cron, "controller": true, "blockOwnerDeletion": true,
			}},
		},
		"status": map[string]any{"phase": "Succeeded", "startedAt": after(time.Minute), "finishedAt": after(2 * time.Minute)},
	}
}

// wrote is an entry of managedFields.
func wrote(manager, at string, fields map[string]any) map[string]any {
	return map[string]any{"manager": manager, "operation": "Update", "time": at, "fieldsType": "FieldsV1", "fieldsV1": fields}
}

func set(object map[string]any, value any, path ...string) {
	if err := unstructured.SetNestedField(object, value, path...); err != nil {
		panic(err)
	}
}

func anyMap(m map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func listOf(objects ...map[string]any) map[string]any {
	items := make([]any, len(objects))
	for i, o := range objects {
		items[i] = o
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "items": items}
}

func asJSON(t testing.TB, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
