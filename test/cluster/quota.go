package cluster

import (
	"context"
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var resourceQuotas = schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}

// Quota limits a resource in a namespace, say "count/workflows.argoproj.io", to
// hard, of which used are taken. Called again with the same name it replaces
// both numbers.
//
// Admission enforces what is in a quota's status, which the
// kube-controller-manager would write; here Quota does. From then on admission
// counts up with every create, but nothing counts down after a delete: call
// Quota again. Admission learns of the numbers by a watch, so they hold within
// moments, not at once.
func (c *Cluster) Quota(ctx context.Context, namespace, name, resource string, hard, used int) error {
	quotas := c.dynamic.Resource(resourceQuotas).Namespace(namespace)
	limit := map[string]any{resource: strconv.Itoa(hard)}
	object := func() *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ResourceQuota",
			"metadata": map[string]any{"name": name, "namespace": namespace},
		}}
	}
	spec := object()
	spec.Object["spec"] = map[string]any{"hard": limit}
	opts := metav1.ApplyOptions{FieldManager: fieldManager, Force: true}
	if _, err := quotas.Apply(ctx, name, spec, opts); err != nil {
		return fmt.Errorf("apply ResourceQuota %s/%s: %w", namespace, name, err)
	}
	status := object()
	status.Object["status"] = map[string]any{"hard": limit, "used": map[string]any{resource: strconv.Itoa(used)}}
	if _, err := quotas.ApplyStatus(ctx, name, status, opts); err != nil {
		return fmt.Errorf("apply status of ResourceQuota %s/%s: %w", namespace, name, err)
	}
	return nil
}
