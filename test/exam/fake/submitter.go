package fake

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

func version(v int64) string { return strconv.FormatInt(v, 10) }

// Look is backfill.Looker's. It is two requests, and what is between them can change.
func (r *Replica) Look(ctx context.Context, key backfill.Key) (backfill.Look, error) {
	s := r.client.server
	var cw *CronWorkflow
	err := r.client.do(ctx, "get", "cronworkflows", key.Name, func() error {
		cw = s.crons[Key{key.Namespace, key.Name}]
		if cw == nil || key.UID != "" && cw.UID != key.UID {
			return apierrors.NewNotFound(cronWorkflows, key.Name)
		}
		return nil
	})
	if err != nil {
		return backfill.Look{}, fmt.Errorf("read CronWorkflow %s: %w", key, err)
	}
	look := backfill.Look{CronWorkflow: toCron(cw), ResourceVersion: version(cw.Version), Object: cw}
	err = r.client.do(ctx, "list", "workflows", "", func() error {
		look.Runs = s.ownRuns(cw)
		return nil
	})
	if err != nil {
		return backfill.Look{}, fmt.Errorf("list Workflows: %w", err)
	}
	ran := slices.ContainsFunc(look.Runs, func(run auditor.Run) bool { return ranBy(cw.UID, run) })
	look.CronWorkflow.Served = serves(cw, ran, func(name string) bool {
		return slices.ContainsFunc(look.Runs, func(run auditor.Run) bool { return run.Name == name && run.BackfilledBy != "" })
	})
	return look, nil
}

// Find is backfill.Looker's.
func (r *Replica) Find(ctx context.Context, namespace, name string) (run auditor.Run, found bool, err error) {
	err = r.client.do(ctx, "get", "workflows", name, func() error {
		if w := r.client.server.runs[Key{namespace, name}]; w != nil {
			run, found = toRun(w), true
		}
		return nil
	})
	return run, found, err
}

// MayChange is backfill.Writer's.
func (r *Replica) MayChange(ctx context.Context, look backfill.Look) error {
	err := r.client.do(ctx, "patch", "cronworkflows", look.CronWorkflow.Name, func() error { return nil })
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || err != nil && !isAnswer(err) {
		return err
	}
	return nil
}

func isAnswer(err error) bool { return apierrors.ReasonForError(err) != "" }

// Create is backfill.Writer's.
func (r *Replica) Create(ctx context.Context, look backfill.Look, run backfill.NewRun) (auditor.Run, error) {
	cw := look.Object.(*CronWorkflow)
	w := NewRun(cw, auditor.WorkflowName(cw.Name, run.ScheduledTime), run.ScheduledTime)
	w.BackfilledBy, w.Controlled = run.By, !run.Detached
	var made auditor.Run
	err := r.client.do(ctx, "create", "workflows", w.Name, func() error {
		s := r.client.server
		if s.Unrecorded != nil && run.By != backfill.ByCLI && !s.intends(cw, run.ScheduledTime) {
			s.Unrecorded(cw, run.ScheduledTime)
		}
		created, err := s.createRun(w)
		if err == nil {
			made = toRun(created)
		}
		return err
	})
	if err != nil {
		return auditor.Run{}, fmt.Errorf("create Workflow %s: %w", w.Key, err)
	}
	return made, nil
}

// intends says whether a record has it that the firing is being recovered. Call it with mu.
func (s *Server) intends(cw *CronWorkflow, scheduled time.Time) bool {
	a := s.audits[cw.Key]
	if a == nil || a.owner != cw.UID {
		return false
	}
	return slices.ContainsFunc(a.status.Open, func(f v1alpha1.Firing) bool {
		return f.ScheduledTime.Time.Equal(scheduled) && f.Recovery != nil && f.Recovery.Attempts > 0
	}) || slices.ContainsFunc(a.status.Record.Recoveries, func(r v1alpha1.Recovery) bool {
		return r.ScheduledTime.Time.Equal(scheduled) && r.Attempts.Attempts > 0
	})
}

// Change is backfill.Writer's: the merge patch that internal/argo makes (changePatch), guarded by the version looked at.
func (r *Replica) Change(ctx context.Context, look backfill.Look, change backfill.Change) error {
	seen := look.Object.(*CronWorkflow)
	var edits []func(*CronWorkflow)
	if run := change.Append; run != nil && !seen.Status.Has(run.UID) {
		active := append(slices.Clone(seen.Status.Active), Ref{run.Name, run.UID})
		edits = append(edits, func(cw *CronWorkflow) { cw.Status.Active = active })
	}
	last := seen.Status.Last
	if last.Year() < 1970 {
		last = time.Time{}
	}
	if at := change.LastScheduledTime; at.After(last) {
		edits = append(edits, func(cw *CronWorkflow) { cw.Status.Last = Second(at) })
	}
	note := func(annotation string, at time.Time) {
		if mark := at.UTC().Format(time.RFC3339); !at.IsZero() && seen.Annotations[annotation] != mark {
			edits = append(edits, func(cw *CronWorkflow) { cw.Annotations[annotation] = mark })
		}
	}
	note(Intended, change.Intend)
	note(Touched, change.Touched)
	if _, marked := seen.Annotations[Intended]; change.Fulfilled && change.Intend.IsZero() && marked {
		edits = append(edits, func(cw *CronWorkflow) { delete(cw.Annotations, Intended) })
	}
	if len(edits) == 0 {
		return nil
	}
	err := r.client.do(ctx, "patch", "cronworkflows", seen.Name, func() error {
		return r.client.server.patchCron(seen.Key, seen.Version, func(cw *CronWorkflow) {
			for _, edit := range edits {
				edit(cw)
			}
			cw.wrote("rollcall", seen)
		})
	})
	if err != nil {
		return fmt.Errorf("patch CronWorkflow %s: %w", seen.Key, err)
	}
	return nil
}

// patchCron changes a CronWorkflow, where a version is given only that. Nothing happens where that changes nothing. Call it with mu.
func (s *Server) patchCron(key Key, at int64, change func(*CronWorkflow)) error {
	old := s.crons[key]
	switch {
	case old == nil:
		return apierrors.NewNotFound(cronWorkflows, key.Name)
	case at != 0 && old.Version != at:
		return apierrors.NewConflict(cronWorkflows, key.Name, fmt.Errorf("the object has been modified"))
	}
	cw := *old
	cw.Annotations, cw.Labels = maps.Clone(old.Annotations), maps.Clone(old.Labels)
	if cw.Annotations == nil {
		cw.Annotations = map[string]string{}
	}
	if cw.Labels == nil {
		cw.Labels = map[string]string{}
	}
	change(&cw)
	if sameStatus(cw.Status, old.Status) && maps.Equal(cw.Annotations, old.Annotations) && maps.Equal(cw.Labels, old.Labels) {
		return nil
	}
	if !maps.Equal(cw.Annotations, old.Annotations) {
		cw.MetaAt = Second(now())
	}
	s.putCron(cw)
	return nil
}

func sameStatus(a, b Status) bool {
	return slices.Equal(a.Active, b.Active) && a.Last.Equal(b.Last) && a.Succeeded == b.Succeeded && a.Failed == b.Failed && a.Phase == b.Phase &&
		a.SubmissionError == b.SubmissionError
}
