package fake

import (
	"cmp"
	"context"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// The requests that Argo's controller makes.

// PatchCron changes a CronWorkflow as a merge patch without a resourceVersion does, and returns it as it is then.
func (c *Client) PatchCron(ctx context.Context, key Key, change func(*CronWorkflow)) (patched *CronWorkflow, err error) {
	err = c.do(ctx, "patch", "cronworkflows", key.Name, func() error {
		err := c.server.patchCron(key, 0, func(cw *CronWorkflow) {
			change(cw)
			if !c.server.Singly || !cw.less(c.server.crons[key]) {
				cw.wrote("argo", c.server.crons[key])
			}
		})
		patched = c.server.crons[key]
		return err
	})
	return patched, err
}

// wrote notes in managedFields that somebody wrote.
func (cw *CronWorkflow) wrote(who string, old *CronWorkflow) {
	at := Second(now())
	if who == "argo" {
		cw.ArgoAt = at
	}
	if !slices.Equal(cw.Status.Active, old.Status.Active) {
		cw.ActiveBy = who
	}
	if cw.ActiveBy == who {
		cw.ActiveAt = at
	}
}

// less says whether what Argo writes is what it was but for fields that are empty now, and so not there any more.
func (cw *CronWorkflow) less(old *CronWorkflow) bool {
	s := cw.Status
	if len(s.Active) == 0 {
		s.Active = old.Status.Active
	}
	s.SubmissionError = cmp.Or(s.SubmissionError, old.Status.SubmissionError)
	return sameStatus(s, old.Status) && maps.Equal(cw.Annotations, old.Annotations) && maps.Equal(cw.Labels, old.Labels)
}

// CreateRun makes a Workflow.
func (c *Client) CreateRun(ctx context.Context, w Workflow) (made *Workflow, err error) {
	err = c.do(ctx, "create", "workflows", w.Name, func() error {
		w.ArgoAt = Second(now())
		made, err = c.server.createRun(w)
		return err
	})
	return made, err
}

// Run reads a Workflow.
func (c *Client) Run(ctx context.Context, key Key) (found *Workflow, err error) {
	err = c.do(ctx, "get", "workflows", key.Name, func() error {
		if found = c.server.runs[key]; found == nil {
			return apierrors.NewNotFound(workflows, key.Name)
		}
		return nil
	})
	return found, err
}

// UpdateRun changes the Workflow of that UID; nothing happens where that changes nothing.
func (c *Client) UpdateRun(ctx context.Context, key Key, uid string, change func(*Workflow)) error {
	return c.do(ctx, "patch", "workflows", key.Name, func() error {
		old := c.server.runs[key]
		if old == nil || old.UID != uid {
			return apierrors.NewNotFound(workflows, key.Name)
		}
		w := *old
		if change(&w); w == *old {
			return nil
		}
		w.ArgoAt = Second(now())
		c.server.putRun(w)
		return nil
	})
}

// DeleteRun deletes a Workflow.
func (c *Client) DeleteRun(ctx context.Context, key Key) error {
	return c.do(ctx, "delete", "workflows", key.Name, func() error {
		w := c.server.runs[key]
		if w == nil {
			return apierrors.NewNotFound(workflows, key.Name)
		}
		c.server.dropRun(w)
		return nil
	})
}
