package fake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
)

// Read is what the command line reads of one CronWorkflow: the CronWorkflows, the Workflows and Argo's lease, one after the other, as
// internal/argo does (Client.Snapshot).
func (r *Replica) Read(ctx context.Context, key Key) (auditor.Input, error) {
	var in auditor.Input
	var writes []time.Time
	var cw *CronWorkflow
	_, err := r.client.List(ctx, "cronworkflows", func(e Event) {
		writes = append(writes, e.CronWorkflow.ArgoAt)
		if e.CronWorkflow.Key == key {
			cw = e.CronWorkflow
		}
	})
	if err != nil {
		return in, fmt.Errorf("list CronWorkflows: %w", err)
	}
	if cw == nil {
		return in, apierrors.NewNotFound(cronWorkflows, key.Name)
	}
	_, err = r.client.List(ctx, "workflows", func(e Event) {
		run := toRun(e.Workflow)
		writes = append(writes, e.Workflow.ArgoAt)
		cron, native := nativeOf(run.Name)
		if native && run.Controlled && run.BackfilledBy == "" {
			writes = append(writes, run.CreatedAt)
		}
		if run.CronLabel == key.Name || run.Owner == cw.UID || native && cron == key.Name {
			in.Runs = append(in.Runs, run)
		}
	})
	if err != nil {
		return in, fmt.Errorf("list Workflows: %w", err)
	}
	if lease, err := r.client.readLease(ctx, ArgosLease); err == nil {
		in.Controller.Lease = &auditor.Lease{Holder: lease.Holder, AcquiredAt: lease.Acquired, RenewedAt: lease.Renewed, Duration: lease.Duration}
	}
	slices.SortFunc(in.Runs, func(a, b auditor.Run) int { return strings.Compare(a.Name, b.Name) })
	writes = slices.DeleteFunc(writes, time.Time.IsZero)
	slices.SortFunc(writes, time.Time.Compare)
	in.Controller.Writes = slices.CompactFunc(writes, time.Time.Equal)
	in.CronWorkflow = toCron(cw)
	in.CronWorkflow.Served = serves(cw, slices.ContainsFunc(in.Runs, func(run auditor.Run) bool { return ranBy(cw.UID, run) }), func(name string) bool {
		return slices.ContainsFunc(in.Runs, func(run auditor.Run) bool { return run.Name == name && run.BackfilledBy != "" })
	})
	return in, nil
}
