package argo

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// Look reads a CronWorkflow and its runs for one decision: one request for it, and one for each 500 of its runs. What its
// template and the controller's settings say about the lives of runs may be a minute old.
func (c *Client) Look(ctx context.Context, key backfill.Key) (backfill.Look, error) {
	ctx = once(ctx)
	raw, err := get(ctx, c.plain, cronWorkflows, objectName{key.Namespace, key.Name})
	if err != nil {
		return backfill.Look{}, c.explain(err, "read CronWorkflow %s", key)
	}
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(raw); err != nil {
		return backfill.Look{}, fmt.Errorf("read CronWorkflow %s: %w", key, err)
	}
	if uid := string(object.GetUID()); key.UID != "" && uid != key.UID {
		gone := apierrors.NewNotFound(cronWorkflows.GroupResource(), key.Name)
		return backfill.Look{}, fmt.Errorf("CronWorkflow %s was deleted and made anew (its UID was %s and is %s): %w", key, key.UID, uid, gone)
	}
	var w wireCronWorkflow
	err = json.Unmarshal(raw, &w)
	cron := toCronWorkflow(&w, err)
	if cron.err != nil {
		return backfill.Look{}, cron.err
	}
	found, _, err := c.runs(ctx, c.plain, cron.Namespace, runSelector(Scope{Names: []string{cron.Name}}, []cronWorkflow{cron}))
	if err != nil {
		return backfill.Look{}, err
	}
	cron.Retention = complete(cron.Retention, c.lifetimeOf(ctx, cron.template), c.controllerSettings(ctx))
	own := index(found).of(cron)
	cron.Served = cron.served(own)
	return backfill.Look{
		CronWorkflow:    cron.CronWorkflow,
		Runs:            own,
		ResourceVersion: object.GetResourceVersion(),
		Object:          &object,
	}, nil
}

// Find reads one Workflow by its name.
func (c *Client) Find(ctx context.Context, namespace, name string) (run auditor.Run, found bool, err error) {
	raw, err := get(once(ctx), c.plain, workflows, objectName{namespace, name})
	if absent(err) {
		return auditor.Run{}, false, nil
	}
	if err == nil {
		run, err = toRun(raw)
	}
	if err != nil {
		return auditor.Run{}, false, c.explain(err, "read Workflow %s/%s", namespace, name)
	}
	return run, true, nil
}

// lifetimeOf is what the template says, read again when what is known of it is old. What cannot be read says so itself.
func (c *Client) lifetimeOf(ctx context.Context, name *templateName) *lifetime {
	if name == nil {
		return nil
	}
	c.mu.Lock()
	known, ok := c.lifetimes[*name]
	c.mu.Unlock()
	if ok && c.clock.now().Before(known.until) {
		return &known.value
	}
	l, _ := c.template(ctx, c.plain, *name)
	return &l
}

// controllerSettings are those of Argo's controller, read again when what is known of them is old.
func (c *Client) controllerSettings(ctx context.Context) controllerConfig {
	c.mu.Lock()
	known, ok := c.configs[c.argo]
	c.mu.Unlock()
	if ok && c.clock.now().Before(known.until) {
		return known.value
	}
	config, _ := c.controllerConfig(ctx, c.plain, c.argo)
	return config
}
