package argo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"rollcall.dev/rollcall/auditor"
)

// Snapshot reads the CronWorkflows of a scope and all evidence about them. CronWorkflows and Workflows must be readable;
// what cannot be read of the rest gives a note.
func (c *Client) Snapshot(ctx context.Context, scope Scope) (*Snapshot, error) {
	scope = scope.withDefaults()
	in := slices.Compact(slices.Sorted(slices.Values(scope.Namespaces)))
	if len(in) == 0 {
		in = []string{""}
	}
	f := found{templates: map[templateName]lifetime{}}
	for _, namespace := range in {
		crons, err := c.cronWorkflows(ctx, namespace)
		if err != nil {
			return nil, err
		}
		f.known = append(f.known, crons...)
	}
	var outside int
	var err error
	if f.chosen, outside, err = scope.choose(f.known); err != nil {
		return nil, err
	}
	var notes []string
	if len(f.chosen) > 0 {
		selector := runSelector(scope, f.chosen)
		for _, namespace := range in {
			found, malformed, err := c.runs(ctx, c.audit, namespace, selector)
			if err != nil {
				return nil, err
			}
			f.workflows = append(f.workflows, found...)
			notes = append(notes, malformed...)
		}
		notes = append(notes, c.secondary(ctx, scope, &f)...)
	}
	observed, more := f.assemble(scope.InstanceID)
	return &Snapshot{
		CronWorkflows:   observed,
		Now:             c.Now(),
		ClockOffset:     c.ClockOffset(),
		Notes:           append(notes, more...),
		OutsideInstance: outside,
	}, nil
}

// cronWorkflows reads those of a namespace, of all with "". A namespace that does not exist is an error.
func (c *Client) cronWorkflows(ctx context.Context, namespace string) ([]cronWorkflow, error) {
	var crons []cronWorkflow
	_, err := list(ctx, c.audit, listing{resource: cronWorkflows, namespace: namespace},
		func() { crons = nil },
		func(w *wireCronWorkflow, err error) { crons = append(crons, toCronWorkflow(w, err)) })
	if err != nil {
		return nil, c.explain(err, "list CronWorkflows in %s", spoken(namespace))
	}
	if namespace != "" && len(crons) == 0 {
		// An empty list is also the answer for a namespace that does not exist. Whoever may not ask is believed.
		if _, err := get(ctx, c.audit, namespaces, objectName{name: namespace}); absent(err) {
			return nil, fmt.Errorf("namespace %s: %w: %w", namespace, ErrNoNamespace, err)
		}
	}
	return crons, nil
}

func spoken(namespace string) string {
	if namespace == "" {
		return "all namespaces"
	}
	return "namespace " + namespace
}

// maxSelected is how many values a label selector may list before it is simpler to read all.
const maxSelected = 40

// runSelector selects the Workflows of CronWorkflows, or all Workflows of any.
func runSelector(scope Scope, crons []cronWorkflow) string {
	if len(scope.Names) == 0 {
		return labelCronWorkflow
	}
	var values []string
	for _, cron := range crons {
		for _, label := range cron.cronLabels {
			// A name that is no label value, for its length, is on no Workflow either.
			if len(validation.IsValidLabelValue(label)) == 0 && label != "" {
				values = append(values, label)
			}
		}
	}
	if len(values) == 0 || len(values) > maxSelected {
		return labelCronWorkflow
	}
	return labelCronWorkflow + " in (" + strings.Join(values, ",") + ")"
}

// runs lists Workflows, of all namespaces with "", and keeps little of each.
func (c *Client) runs(ctx context.Context, from rest.Interface, namespace, selector string) (found []workflow, notes []string, err error) {
	_, err = list(ctx, from, listing{resource: workflows, namespace: namespace, selector: selector},
		func() { found, notes = nil, nil },
		func(w *wireWorkflow, err error) {
			object := toWorkflow(w, err)
			if object.unreadable != nil {
				notes = append(notes, object.malformed())
			}
			found = append(found, object)
		})
	if err != nil {
		return nil, nil, c.explain(err, "list Workflows in %s", spoken(namespace))
	}
	return found, notes, nil
}

// secondary reads what an audit can do without: the lease, the controller's settings, the templates.
func (c *Client) secondary(ctx context.Context, scope Scope, f *found) (notes []string) {
	lease, err := c.lease(ctx, c.audit, scope.lease())
	if err != nil {
		notes = append(notes, fmt.Sprintf("Lease %s cannot be read (%v): whether Argo's controller was alive is judged from what it wrote.", scope.lease(), err))
	}
	f.lease = lease
	f.config, err = c.controllerConfig(ctx, c.audit, scope.config())
	if err != nil {
		notes = append(notes, fmt.Sprintf("ConfigMap %s cannot be read (%v): its workflowDefaults may make Argo delete runs, so an absent run is never certainly a miss; "+
			"give the namespace of Argo's controller with --argo-namespace.", scope.config(), err))
	}
	for _, cron := range f.chosen {
		if cron.template == nil {
			continue
		}
		if _, done := f.templates[*cron.template]; done {
			continue
		}
		f.templates[*cron.template], err = c.template(ctx, c.audit, *cron.template)
		if err != nil {
			notes = append(notes, fmt.Sprintf("%s cannot be read (%v): it may make Argo delete runs, so an absent run of CronWorkflow %s is never certainly a miss.",
				*cron.template, err, cron.objectName()))
		}
	}
	return notes
}

// lease reads a lease; nil when there is none.
func (c *Client) lease(ctx context.Context, from rest.Interface, name objectName) (*auditor.Lease, error) {
	raw, err := get(ctx, from, leases, name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	_, lease, err := toLease(raw)
	if err != nil {
		return nil, err
	}
	return &lease, nil
}

// keepFor is how long the controller's settings and templates are used before they are read again.
const keepFor = time.Minute

// controllerConfig reads the settings of Argo's controller. Together with an error it returns settings that say what could
// not be read.
func (c *Client) controllerConfig(ctx context.Context, from rest.Interface, name objectName) (controllerConfig, error) {
	raw, err := get(ctx, from, configMaps, name)
	config := unreadableConfig(name)
	if err == nil {
		_, config, err = toConfig(raw)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.configs[name] = kept[controllerConfig]{config, c.expiry(err)}
	return config, err
}

// template reads what a template says about the lives of finished Workflows, with an error as controllerConfig does.
func (c *Client) template(ctx context.Context, from rest.Interface, name templateName) (lifetime, error) {
	resource := workflowTemplates
	if name.namespace == "" {
		resource = clusterWorkflowTemplates
	}
	l := lifetime{ttl: noTTL, unreadable: name.String()}
	raw, err := get(ctx, from, resource, objectName(name))
	if err == nil {
		var w wireTemplate
		if err = json.Unmarshal(raw, &w); err == nil {
			l = lifetime{ttl: w.Spec.ttl()}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lifetimes[name] = kept[lifetime]{l, c.expiry(err)}
	return l, err
}

// expiry is until when something read with this error is used: what will not be otherwise at the next try, for a while.
func (c *Client) expiry(err error) time.Time {
	var status apierrors.APIStatus
	if err == nil || errors.As(err, &status) && (apierrors.IsForbidden(err) || apierrors.IsNotFound(err)) {
		return c.clock.now().Add(keepFor)
	}
	return time.Time{}
}
