package argo

import (
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// What follows asks what becomes of an audit when one field of one object cannot be read: it is of another type than it should be,
// or it should be a time and is none. Such a field may have had any value. The objects of each world below say by one of their
// fields that no firing was certainly lost; so nothing may be called certainly lost either while one of their fields is unknown.

// worlds are objects of full size, by what keeps their firings from being certainly lost. The firings are 04:05, 04:10 … 04:30, and
// it is 04:31.
func worlds() map[string][]map[string]any {
	return map[string][]map[string]any{
		"all ran": world(func(w objects) {}),
		"it is forbidden": world(func(w objects) {
			w.cron("spec", "concurrencyPolicy")("Forbid")
			w.leave("04:05")
			w.run("04:05")("status", "finishedAt")(clockTime("04:30"))
			w.cron("status", "lastScheduledTime")(clockTime("04:05"))
		}),
		"a run submitted by hand forbids it": world(func(w objects) {
			w.cron("spec", "concurrencyPolicy")("Forbid")
			w.leave("04:05")
			w.run("04:05")("status", "finishedAt")(nil)
			w.run("04:05")("status", "phase")("Running")
			w.run("04:05")("metadata", "labels")(map[string]any{labelCronWorkflow: "tick", labelPhase: "Running", labelCompleted: "false"})
			w.run("04:05")("metadata", "name")("tick-x7k2p")
			w.cron("metadata", "creationTimestamp")(clockTime("04:06"))
			w.cron("metadata", "managedFields")([]any{})
		}),
		"it is suspended": world(func(w objects) {
			w.cron("spec", "suspend")(true)
			w.leave()
		}),
		"its when is false": world(func(w objects) {
			w.cron("spec", "when")("{{= now().Hour() == 3 }}")
			w.leave()
		}),
		"it is stopped": world(func(w objects) {
			w.cron("status", "phase")("Stopped")
			w.leave()
		}),
		"a newer one has replaced it": world(func(w objects) {
			w.cron("spec", "concurrencyPolicy")("Replace")
			w.leave("04:30")
		}),
		"the status says that a newer one ran": world(func(w objects) {
			w.cron("status", "lastScheduledTime")(clockTime("04:30"))
			w.leave()
		}),
		"the spec was edited": world(func(w objects) {
			w.cron("metadata", "managedFields")([]any{wrote("kubectl", clockTime("04:30"), map[string]any{"f:spec": map[string]any{}})})
			w.leave()
		}),
		"the history is full": world(func(w objects) {
			w.cron("spec", "successfulJobsHistoryLimit")(int64(1))
			w.leave("04:05")
			w.run("04:05")("status", "finishedAt")(clockTime("04:30"))
		}),
		"the history of failed runs is full": world(func(w objects) {
			w.cron("spec", "failedJobsHistoryLimit")(int64(1))
			w.leave("04:05")
			w.run("04:05")("status")(map[string]any{"phase": "Failed", "startedAt": clockTime("04:05"), "finishedAt": clockTime("04:30")})
		}),
		"something else deletes runs": world(func(w objects) {
			w.cron("status", "succeeded")(int64(6))
			w.leave()
		}),
		"its ttlStrategy deletes runs": world(func(w objects) {
			w.cron("spec", "workflowSpec", "ttlStrategy")(map[string]any{"secondsAfterCompletion": int64(60), "secondsAfterSuccess": int64(60), "secondsAfterFailure": int64(60)})
			w.leave()
		}),
		"that of its template does": world(func(w objects) {
			w.cron("spec", "workflowSpec", "workflowTemplateRef")(map[string]any{"name": "etl", "clusterScope": false})
			w.add("WorkflowTemplate", "default", "etl", map[string]any{"spec": map[string]any{"ttlStrategy": map[string]any{"secondsAfterSuccess": int64(60)}}})
			w.leave()
		}),
		"that of its cluster template does": world(func(w objects) {
			w.cron("spec", "workflowSpec", "workflowTemplateRef")(map[string]any{"name": "etl", "clusterScope": true})
			w.add("ClusterWorkflowTemplate", "", "etl", map[string]any{"spec": map[string]any{"ttlStrategy": map[string]any{"secondsAfterSuccess": int64(60)}}})
			w.leave()
		}),
		"the controller's workflowDefaults do": world(func(w objects) {
			w.settings(map[string]any{"config": "workflowDefaults:\n  spec:\n    ttlStrategy:\n      secondsAfterSuccess: 60\n"})
			w.leave()
		}),
		"the controller's retentionPolicy does": world(func(w objects) {
			w.settings(map[string]any{"retentionPolicy": "completed: 1\n"})
			w.leave()
		}),
		"it is of another installation": world(func(w objects) {
			w.cron("metadata", "labels", labelInstanceID)("other")
			w.leave()
		}),
	}
}

const (
	worldsFirst = "04:05"
	worldsNow   = "04:31"
)

func clockTime(minute string) string { return "2026-11-23T" + minute + ":00Z" }

func timeAt(minute string) time.Time { return parseTime(clockTime(minute)) }

func nameAt(minute string) string { return auditor.WorkflowName("tick", timeAt(minute)) }

// objects are those of one world, the CronWorkflow first.
type objects struct{ all *[]map[string]any }

// world is one in which all firings ran, and what change makes of it.
func world(change func(objects)) []map[string]any {
	cron := cronObject("tick")
	set(cron, map[string]any{"team": "data"}, "metadata", "labels")
	set(cron, map[string]any{
		annotationLastSchedule: "CRON_TZ=UTC */5 * * * *", "rollcall.dev/deadline": "2h", "rollcall.dev/grace": "30s", "rollcall.dev/catch-up": "all",
		"rollcall.dev/backfill": "on", "rollcall.dev/audit": "on", "rollcall.dev/intended": clockTime("03:00"),
	}, "metadata", "annotations")
	set(cron, []any{
		wrote("kubectl", clockTime("04:00"), map[string]any{"f:metadata": map[string]any{"f:labels": map[string]any{}, "f:annotations": map[string]any{}}, "f:spec": map[string]any{}}),
		wrote(controllerManager, clockTime("04:00"), map[string]any{"f:status": map[string]any{}}),
	}, "metadata", "managedFields")
	set(cron, map[string]any{
		"schedules": []any{"*/5 * * * *"}, "timezone": "UTC", "suspend": false, "concurrencyPolicy": "Allow", "startingDeadlineSeconds": int64(3600),
		"successfulJobsHistoryLimit": int64(20), "failedJobsHistoryLimit": int64(20), "workflowMetadata": map[string]any{"labels": map[string]any{"team": "data"}},
		"workflowSpec": map[string]any{"entrypoint": "main"},
	}, "spec")
	set(cron, map[string]any{
		"active": []any{}, "lastScheduledTime": clockTime("04:00"), "succeeded": int64(0), "failed": int64(0), "phase": "Active",
		"conditions": []any{map[string]any{"type": "SubmissionError", "status": "False", "message": ""}},
	}, "status")
	all := []map[string]any{
		cron,
		{
			"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": leaseName, "namespace": "argo"},
			"spec": map[string]any{"holderIdentity": "a", "acquireTime": clockTime("04:00"), "renewTime": clockTime("04:31"), "leaseDurationSeconds": int64(15)},
		},
		{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": configName, "namespace": "argo"}, "data": map[string]any{}},
	}
	for at := timeAt(worldsFirst); at.Before(timeAt(worldsNow)); at = at.Add(5 * time.Minute) {
		run := workflowObject("tick", auditor.WorkflowName("tick", at))
		minute := at.Format("15:04")
		set(run, clockTime(minute), "metadata", "creationTimestamp")
		set(run, map[string]any{annotationScheduledTime: clockTime(minute)}, "metadata", "annotations")
		set(run, map[string]any{labelCronWorkflow: "tick", labelPhase: "Succeeded", labelCompleted: "true"}, "metadata", "labels")
		set(run, map[string]any{"phase": "Succeeded", "startedAt": clockTime(minute), "finishedAt": at.Add(30 * time.Second).Format(time.RFC3339)}, "status")
		all = append(all, run)
	}
	change(objects{&all})
	return append(all, workflowObject("tock", "tock-1795406460")) // without any Workflow a dump proves nothing
}

func setting(object map[string]any, path []string) func(any) {
	return func(value any) { set(object, value, path...) }
}

func (w objects) cron(path ...string) func(any) { return setting((*w.all)[0], path) }

// leave leaves the runs of these firings.
func (w objects) leave(minutes ...string) {
	*w.all = slices.DeleteFunc(*w.all, func(o map[string]any) bool {
		name, _ := o["metadata"].(map[string]any)["name"].(string)
		return o["kind"] == "Workflow" && !slices.ContainsFunc(minutes, func(m string) bool { return nameAt(m) == name })
	})
}

func (w objects) run(minute string) func(path ...string) func(any) {
	i := slices.IndexFunc(*w.all, func(o map[string]any) bool {
		return o["kind"] == "Workflow" && o["metadata"].(map[string]any)["creationTimestamp"] == clockTime(minute)
	})
	return func(path ...string) func(any) { return setting((*w.all)[i], path) }
}

func (w objects) settings(data map[string]any) { (*w.all)[2]["data"] = data }

func (w objects) add(kind, namespace, name string, object map[string]any) {
	object["apiVersion"], object["kind"] = apiVersion, kind
	object["metadata"] = map[string]any{"name": name}
	if namespace != "" {
		set(object, namespace, "metadata", "namespace")
	}
	*w.all = append(*w.all, object)
}
