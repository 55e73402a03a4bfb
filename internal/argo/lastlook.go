package argo

import (
	"context"
	"encoding/json"
	"slices"

	"rollcall.dev/rollcall/auditor"
)

// maxSingle is up to how many names are read one by one; more than these cost less as one list of names.
const maxSingle = 20

// LastLook returns those of the named Workflows that exist now, sorted by name, whatever their labels say: read from the API
// server, not from a cache. Before an audit says that a run is missing it asks here.
func (c *Client) LastLook(ctx context.Context, namespace string, names []string) ([]auditor.Run, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) > maxSingle {
		var err error
		if names, err = c.existing(ctx, namespace, names); err != nil {
			return nil, err
		}
	}
	var runs []auditor.Run
	for _, name := range names {
		raw, err := get(ctx, c.audit, workflows, objectName{namespace, name})
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, c.explain(err, "read Workflow %s/%s", namespace, name)
		}
		run, err := toRun(raw)
		if err != nil {
			return nil, c.explain(err, "read Workflow %s/%s", namespace, name)
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// existing returns those of the sorted names under which there is a Workflow.
func (c *Client) existing(ctx context.Context, namespace string, names []string) ([]string, error) {
	var hits []string
	_, err := list(ctx, c.audit, listing{resource: workflows, namespace: namespace, accept: metadataOnly},
		func() { hits = nil },
		func(w *wireName, _ error) {
			if _, ok := slices.BinarySearch(names, w.Metadata.Name); ok {
				hits = append(hits, w.Metadata.Name)
			}
		})
	if err != nil {
		return nil, c.explain(err, "list the names of Workflows in namespace %s", namespace)
	}
	slices.Sort(hits)
	return hits, nil
}

type wireName struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
}

// toRun converts a Workflow; fields of the wrong type are left out.
func toRun(raw json.RawMessage) (auditor.Run, error) {
	var w wireWorkflow
	if err := json.Unmarshal(raw, &w); err != nil && !wrongType(err) {
		return auditor.Run{}, err
	}
	return toWorkflow(&w, nil).run, nil
}
