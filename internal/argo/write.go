package argo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// Create makes the run in one request.
func (c *Client) Create(ctx context.Context, look backfill.Look, run backfill.NewRun) (auditor.Run, error) {
	cron, err := object(look)
	if err != nil {
		return auditor.Run{}, err
	}
	if _, ok, err := unstructured.NestedMap(cron.Object, "spec", "workflowSpec"); err != nil || !ok {
		// An empty Workflow would be accepted, and is not what Argo would have made: to Argo the CronWorkflow is malformed.
		return auditor.Run{}, apierrors.NewInvalid(schema.GroupKind{Group: group, Kind: "CronWorkflow"}, cron.GetName(), field.ErrorList{
			field.Invalid(field.NewPath("spec", "workflowSpec"), nil, "is no object, so there is nothing to run"),
		})
	}
	workflow := NewWorkflow(cron, run, c.zone)
	name := objectName{cron.GetNamespace(), workflow.GetName()}
	path, err := segments(workflows, objectName{namespace: name.namespace})
	if err != nil {
		return auditor.Run{}, err
	}
	data, err := json.Marshal(workflow.Object)
	if err != nil {
		return auditor.Run{}, fmt.Errorf("create Workflow %s: %w", name, err)
	}
	raw, err := body(c.plain.Post().AbsPath(path...).Param("fieldManager", fieldManager).SetHeader("Content-Type", "application/json").Body(data).Do(once(ctx)))
	if err != nil {
		return auditor.Run{}, c.explain(err, "create Workflow %s", name)
	}
	created, err := toRun(raw)
	if err != nil {
		return auditor.Run{}, fmt.Errorf("create Workflow %s: the answer cannot be read: %w", name, err)
	}
	return created, nil
}

// Change writes to the CronWorkflow in one request: a merge patch of the whole object, since CronWorkflows have no status
// subresource. What the look shows to be in place already is left out; when that is everything there is no request.
func (c *Client) Change(ctx context.Context, look backfill.Look, change backfill.Change) error {
	cron, err := object(look)
	if err != nil {
		return err
	}
	patch := changePatch(cron, look.ResourceVersion, change)
	if patch == nil {
		return nil
	}
	name := objectName{cron.GetNamespace(), cron.GetName()}
	path, err := segments(cronWorkflows, name)
	if err != nil {
		return err
	}
	data, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("patch CronWorkflow %s: %w", name, err)
	}
	_, err = body(c.plain.Patch(types.MergePatchType).AbsPath(path...).Param("fieldManager", fieldManager).Body(data).Do(once(ctx)))
	if err != nil {
		return c.explain(err, "patch CronWorkflow %s", name)
	}
	return nil
}

// MayChange sends a patch that changes nothing as a dry run: permission is asked for before anything else.
func (c *Client) MayChange(ctx context.Context, look backfill.Look) error {
	cron, err := object(look)
	if err != nil {
		return err
	}
	name := objectName{cron.GetNamespace(), cron.GetName()}
	path, err := segments(cronWorkflows, name)
	if err != nil {
		return err
	}
	_, err = body(c.plain.Patch(types.MergePatchType).AbsPath(path...).Param("fieldManager", fieldManager).Param("dryRun", "All").Body([]byte("{}")).Do(once(ctx)))
	var answer apierrors.APIStatus
	if err == nil || errors.As(err, &answer) && !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
		return nil // a webhook that knows no dry run says nothing about the real one
	}
	return c.explain(err, "patch CronWorkflow %s", name)
}

// changePatch is the merge patch that makes the change; nil when there is nothing to change.
func changePatch(cron *unstructured.Unstructured, resourceVersion string, change backfill.Change) map[string]any {
	status, annotations := map[string]any{}, map[string]any{}
	if run := change.Append; run != nil {
		active, _, _ := unstructured.NestedSlice(cron.Object, "status", "active")
		if !slices.ContainsFunc(active, func(ref any) bool { return refersTo(ref, run.UID) }) {
			status["active"] = append(active, reference(cron.GetNamespace(), run))
		}
	}
	if at := change.LastScheduledTime; !at.IsZero() && at.After(lastScheduledTime(cron)) {
		status["lastScheduledTime"] = at.UTC().Format(time.RFC3339)
	}
	intended, marked := cron.GetAnnotations()[annotationIntended]
	switch {
	case !change.Intend.IsZero():
		if mark := change.Intend.UTC().Format(time.RFC3339); mark != intended {
			annotations[annotationIntended] = mark
		}
	case change.Fulfilled && marked:
		annotations[annotationIntended] = nil // takes it away
	}
	if at := change.Touched; !at.IsZero() {
		if mark := at.UTC().Format(time.RFC3339); mark != cron.GetAnnotations()[annotationTouched] {
			annotations[annotationTouched] = mark
		}
	}
	if len(status) == 0 && len(annotations) == 0 {
		return nil
	}
	metadata := map[string]any{"resourceVersion": resourceVersion}
	patch := map[string]any{"metadata": metadata}
	if len(annotations) > 0 {
		metadata["annotations"] = annotations
	}
	if len(status) > 0 {
		patch["status"] = status
	}
	return patch
}

func refersTo(reference any, uid string) bool {
	ref, ok := reference.(map[string]any)
	return ok && ref["uid"] == uid
}

// reference is what Argo keeps of a run in status.active.
func reference(namespace string, run *auditor.Run) map[string]any {
	ref := map[string]any{
		"apiVersion": apiVersion,
		"kind":       "Workflow",
		"namespace":  namespace,
		"name":       run.Name,
		"uid":        run.UID,
	}
	if run.ResourceVersion != "" {
		ref["resourceVersion"] = run.ResourceVersion
	}
	return ref
}

func lastScheduledTime(cron *unstructured.Unstructured) time.Time {
	text, _, _ := unstructured.NestedString(cron.Object, "status", "lastScheduledTime")
	return parseTime(text)
}

func object(look backfill.Look) (*unstructured.Unstructured, error) {
	cron, ok := look.Object.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("the look at CronWorkflow %s/%s was not made by this client: its object is a %T",
			look.CronWorkflow.Namespace, look.CronWorkflow.Name, look.Object)
	}
	return cron, nil
}
