package argo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"rollcall.dev/rollcall/auditor"
)

// Present returns those of the named CronWorkflows that exist and can be read now, sorted by name: read from the API server, not
// from a cache. They are as Watch tells of them, but for Retention and Served, which only the objects beside them tell. Before
// a run is said to be missing, this tells of one that came and went meanwhile.
func (c *Client) Present(ctx context.Context, namespace string, names []string) ([]auditor.CronWorkflow, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	var present []auditor.CronWorkflow
	if len(names) > maxSingle {
		all, err := c.cronWorkflows(ctx, namespace)
		if err != nil {
			return nil, err
		}
		for _, cron := range all {
			if _, asked := slices.BinarySearch(names, cron.Name); asked && cron.err == nil {
				present = append(present, cron.CronWorkflow)
			}
		}
		return present, nil
	}
	for _, name := range names {
		raw, err := get(ctx, c.audit, cronWorkflows, objectName{namespace, name})
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, c.explain(err, "read CronWorkflow %s/%s", namespace, name)
		}
		var w wireCronWorkflow
		err = json.Unmarshal(raw, &w)
		if cron := toCronWorkflow(&w, err); cron.err == nil {
			present = append(present, cron.CronWorkflow)
		}
	}
	return present, nil
}

// Ping is nil when the API server answers.
func (c *Client) Ping(ctx context.Context) error {
	if err := c.plain.Get().AbsPath("/version").Do(ctx).Error(); err != nil {
		return fmt.Errorf("ask the API server for its version: %w", err)
	}
	return nil
}
