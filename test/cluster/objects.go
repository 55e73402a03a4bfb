package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

// fieldManager is under which name the harness writes.
const fieldManager = "rollcall-test"

// Await asks until cond returns nil, every 100 ms, or until ctx ends: then the
// error says what was awaited and what cond said last.
func Await(ctx context.Context, what string, cond func(context.Context) error) error {
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	begun := time.Now()
	for {
		why := cond(ctx)
		if why == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s for %s: %w (%w)", time.Since(begun).Round(time.Second), what, why, ctx.Err())
		case <-poll.C:
		}
	}
}

// CreateNamespace creates a namespace. There is nothing in this cluster that
// could finish deleting it: use a new name per test.
func (c *Cluster) CreateNamespace(ctx context.Context, name string) error {
	_, err := c.dynamic.Resource(Namespaces).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name},
	}}, metav1.CreateOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	return nil
}

// Apply applies every object of a YAML text, server-side and as Admin, in the
// order they stand in. An object of a namespaced kind that names no namespace
// goes into namespace.
func (c *Cluster) Apply(ctx context.Context, namespace, text string) error {
	objects, err := decode(strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	for _, o := range objects {
		if err := c.applyOne(ctx, namespace, o); err != nil {
			return fmt.Errorf("apply %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}

func (c *Cluster) applyOne(ctx context.Context, namespace string, o *unstructured.Unstructured) error {
	gvk := o.GroupVersionKind()
	m, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) { // a CRD that is newer than what was discovered
		c.mapper.Reset()
		m, err = c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	if err != nil {
		return err
	}
	var client dynamic.ResourceInterface = c.dynamic.Resource(m.Resource)
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		if o.GetNamespace() == "" {
			o.SetNamespace(namespace)
		}
		client = c.dynamic.Resource(m.Resource).Namespace(o.GetNamespace())
	}
	_, err = client.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	return err
}

func decode(r io.Reader) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	d := yaml.NewYAMLOrJSONDecoder(r, 64<<10)
	for {
		o := &unstructured.Unstructured{}
		switch err := d.Decode(&o.Object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case len(o.Object) > 0: // a "---" at the end is an empty document
			objects = append(objects, o)
		}
	}
}

// applyCRDs applies the CRDs that came with the Argo release and waits until
// the API server serves them.
func (c *Cluster) applyCRDs(ctx context.Context) error {
	kind := "minimal"
	if c.options.FullCRDs {
		kind = "full"
	}
	files, err := filepath.Glob(filepath.Join(c.paths.CRDs(c.options.Argo.Release), kind, "argoproj.io_*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no %s CRDs with %s: %w", kind, c.options.Argo.Release, errors.Join(err, os.ErrNotExist))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(files))
	for i, file := range files {
		wg.Go(func() { errs[i] = c.applyCRD(ctx, file) })
	}
	wg.Wait()
	c.mapper.Reset()
	return errors.Join(errs...)
}

func (c *Cluster) applyCRD(ctx context.Context, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	objects, err := decode(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("decode %s: %w", file, err)
	}
	crds := c.dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for _, crd := range objects {
		name := crd.GetName()
		if _, err := crds.Apply(ctx, name, crd, metav1.ApplyOptions{FieldManager: fieldManager, Force: true}); err != nil {
			return fmt.Errorf("apply CRD %s: %w", name, err)
		}
		err := Await(ctx, "CRD "+name+" to be established", func(ctx context.Context) error {
			got, err := crds.Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			return ConditionTrue(got, "Established")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ConditionTrue returns nil if a condition of the object has the status True.
func ConditionTrue(o *unstructured.Unstructured, kind string) error {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == kind && m["status"] == "True" {
			return nil
		}
	}
	return fmt.Errorf("condition %s is not True in %v", kind, conditions)
}
