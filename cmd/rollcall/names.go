package main

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
)

// maxOffered is how many names a completion offers at the most; a shell shows no more anyway.
const maxOffered = 500

// liveNames are the names of the namespaces, or of the CronWorkflows of the namespace.
func (c *connection) liveNames(ctx context.Context, what string) ([]string, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	client, err := metadata.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", what, err)
	}
	var list *metav1.PartialObjectMetadataList
	options := metav1.ListOptions{Limit: maxOffered}
	if what == "namespaces" {
		list, err = client.Resource(schema.GroupVersionResource{Version: "v1", Resource: what}).List(ctx, options)
	} else {
		var namespace string
		if namespace, err = c.namespace(); err != nil {
			return nil, err
		}
		list, err = client.Resource(schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: what}).Namespace(namespace).List(ctx, options)
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", what, err)
	}
	var names []string
	for _, item := range list.Items {
		names = append(names, item.Name)
	}
	slices.Sort(names)
	return names, nil
}
