package argo

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/backfill"
)

// copiedLabels are the labels of a CronWorkflow that Argo copies to its runs.
var copiedLabels = []string{
	"workflows.argoproj.io/creator",
	"workflows.argoproj.io/creator-email",
	"workflows.argoproj.io/creator-preferred-username",
	labelInstanceID,
}

// NewWorkflow is the Workflow that Argo would have made for the firing of a CronWorkflow as read from the API server, by the
// rules of ConvertCronWorkflowToWorkflowWithProperties in Argo's workflow/common/convert.go, but on the object as it is: fields
// that this build does not know are kept. Added are the label rollcall.dev/backfilled-by and the annotation
// rollcall.dev/reason; a detached run has controller: false. controllerZone is the local zone of Argo's controller.
func NewWorkflow(cronWorkflow *unstructured.Unstructured, run backfill.NewRun, controllerZone *time.Location) *unstructured.Unstructured {
	labels, annotations := map[string]any{}, map[string]any{}
	own := cronWorkflow.GetLabels()
	for _, key := range copiedLabels {
		if value, ok := own[key]; ok {
			labels[key] = value
		}
	}
	labels[labelCronWorkflow] = cronWorkflow.GetName()
	annotations[annotationScheduledTime] = run.ScheduledTime.In(controllerZone).Format(time.RFC3339)

	override(labels, cronWorkflow, "labels")
	override(annotations, cronWorkflow, "annotations")
	labels[labelBackfilledBy] = run.By
	if run.Why != "" {
		annotations[annotationReason] = run.Why
	}

	metadata := map[string]any{
		"name":        fmt.Sprintf("%s-%d", cronWorkflow.GetName(), run.ScheduledTime.Unix()),
		"labels":      labels,
		"annotations": annotations,
		"ownerReferences": []any{map[string]any{
			"apiVersion":         apiVersion,
			"kind":               "CronWorkflow",
			"name":               cronWorkflow.GetName(),
			"uid":                string(cronWorkflow.GetUID()),
			"controller":         !run.Detached,
			"blockOwnerDeletion": true,
		}},
	}
	if finalizers, ok, _ := unstructured.NestedStringSlice(cronWorkflow.Object, "spec", "workflowMetadata", "finalizers"); ok && len(finalizers) > 0 {
		metadata["finalizers"] = anySlice(finalizers)
	}
	spec, ok, _ := unstructured.NestedMap(cronWorkflow.Object, "spec", "workflowSpec") // a deep copy
	if !ok {
		spec = map[string]any{}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion,
		"kind":       "Workflow",
		"metadata":   metadata,
		"spec":       spec,
	}}
}

// override adds what spec.workflowMetadata says.
func override(values map[string]any, cronWorkflow *unstructured.Unstructured, field string) {
	theirs, _, _ := unstructured.NestedStringMap(cronWorkflow.Object, "spec", "workflowMetadata", field)
	for key, value := range theirs {
		values[key] = value
	}
}

func anySlice(values []string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}
