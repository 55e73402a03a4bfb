package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/report"
)

// Of the runs of tick only that of the last firing is left; the record has that of the one before it.
func TestACommandKnowsWhatTheAddOnHasRecorded(t *testing.T) {
	last := time.Now().UTC().Truncate(time.Minute).Add(-time.Minute)
	before := last.Add(-time.Minute)
	at := func(t time.Time) string { return t.Format(time.RFC3339) }
	list := func(items ...any) map[string]any {
		return map[string]any{"kind": "List", "apiVersion": "v1", "metadata": map[string]any{}, "items": items}
	}
	owner := []any{map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "name": "tick", "uid": "u-tick", "controller": true}}
	audit := map[string]any{
		"metadata": map[string]any{"name": "tick", "namespace": "etl", "ownerReferences": owner},
		"status": map[string]any{
			"observedUID": "u-tick", "auditedThrough": at(before),
			"record": map[string]any{"runs": []any{map[string]any{"scheduledTime": at(before), "createdAt": at(before), "verdict": "Backfilled"}}},
		},
	}
	const audits = "/apis/rollcall.dev/v1alpha1/namespaces/etl/cronaudits"
	for name, c := range map[string]struct {
		args    []string
		records map[string]any
		want    string
		note    string
	}{
		"all records of a namespace":       {[]string{"audit"}, map[string]any{audits: list(audit)}, "Backfilled", ""},
		"just the one that is asked for":   {[]string{"audit", "tick"}, map[string]any{audits + "/tick": audit}, "Backfilled", ""},
		"none has been made":               {[]string{"audit", "tick"}, map[string]any{audits + "/tick": absent("cronaudits", "tick")}, "Unknown", ""},
		"there is no add-on":               {[]string{"audit"}, nil, "Unknown", ""},
		"there is none, asked for by name": {[]string{"audit", "tick"}, nil, "Unknown", ""},
		"not permitted": {
			[]string{"audit"}, map[string]any{audits: failure(http.StatusForbidden, metav1.StatusReasonForbidden)}, "Unknown",
			"note: The record of the add-on cannot be read (read the records in namespace etl: not permitted: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			paths := map[string]any{
				cronWorkflowsOfETL: list(map[string]any{
					"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow",
					"metadata": map[string]any{"name": "tick", "namespace": "etl", "uid": "u-tick", "creationTimestamp": at(last.Add(-time.Hour))},
					"spec":     map[string]any{"schedules": []any{"* * * * *"}, "timezone": "UTC", "successfulJobsHistoryLimit": 1},
					"status":   map[string]any{"lastScheduledTime": at(last)},
				}),
				"/apis/argoproj.io/v1alpha1/namespaces/etl/workflows": list(map[string]any{
					"metadata": map[string]any{
						"name": auditor.WorkflowName("tick", last), "namespace": "etl", "uid": "u-run", "creationTimestamp": at(last), "ownerReferences": owner,
						"labels": map[string]any{"workflows.argoproj.io/cron-workflow": "tick"},
					},
					"status": map[string]any{"phase": "Succeeded", "startedAt": at(last), "finishedAt": at(last)},
				}),
			}
			for path, object := range c.records {
				paths[path] = object
			}
			kubeconfig(t, pretend(t, paths).URL)
			env, out, errOut := testEnvironment()
			args := append(c.args, "--from", at(before.Add(-time.Second)), "--to", at(before), "-o", "json")
			if got := run(t.Context(), env, args); got != statusDone {
				t.Errorf("status %d", got)
			}
			var r report.AuditReport
			if err := json.Unmarshal(out.Bytes(), &r); err != nil {
				t.Fatalf("%v: %s", err, errOut)
			}
			if got := r.CronWorkflows[0].Firings; len(got) != 1 || string(got[0].Verdict) != c.want {
				t.Errorf("got %+v", got)
			}
			if said := errOut.String(); strings.Contains(said, "record of the add-on") != (c.note != "") || !strings.Contains(said, c.note) {
				t.Errorf("said %q", said)
			}
		})
	}
}
