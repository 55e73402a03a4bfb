package fake

import (
	"context"
	"slices"
	"strings"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/internal/operator"
)

// A Replica is how one process of Rollcall sees the Server.
type Replica struct {
	client *Client
	// Offset is how far the process is wrong about the API server's clock: it knows it from headers that are cut to seconds.
	offset func() time.Duration
}

var (
	_ operator.Cluster   = (*Replica)(nil)
	_ backfill.Submitter = (*Replica)(nil)
)

// NewReplica is the way of a process to the cluster. Offset is by how much it is wrong about the API server's clock at the moment.
func NewReplica(client *Client, offset func() time.Duration) *Replica {
	return &Replica{client: client, offset: offset}
}

// Now is operator.Cluster's. A process that is frozen stands still here.
func (r *Replica) Now() time.Time {
	r.client.Pass()
	return now().Add(r.offset())
}

// ClockOffset is operator.Cluster's.
func (r *Replica) ClockOffset() time.Duration { return 0 }

// Ping is operator.Cluster's.
func (r *Replica) Ping(ctx context.Context) error {
	return r.client.do(ctx, "get", "version", "", func() error { return nil })
}

// maxSingle is up to how many names are read one by one (internal/argo/lastlook.go).
const maxSingle = 20

// LastLook is operator.Cluster's: one request for each name where there are few.
func (r *Replica) LastLook(ctx context.Context, namespace string, names []string) (runs []auditor.Run, err error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) > maxSingle {
		var hits []string
		err := r.client.do(ctx, "list", "workflows", "", func() error {
			for _, name := range names {
				if r.client.server.runs[Key{namespace, name}] != nil {
					hits = append(hits, name)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		names = hits
	}
	for _, name := range names {
		run, found, err := r.Find(ctx, namespace, name)
		if err != nil {
			return nil, err
		}
		if found {
			runs = append(runs, run)
		}
	}
	return runs, nil
}

// Present is operator.Cluster's.
func (r *Replica) Present(ctx context.Context, namespace string, names []string) (present []auditor.CronWorkflow, err error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	for _, name := range names {
		err := r.client.do(ctx, "get", "cronworkflows", name, func() error {
			if cw := r.client.server.crons[Key{namespace, name}]; cw != nil {
				present = append(present, toCron(cw))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(present, func(a, b auditor.CronWorkflow) int { return strings.Compare(a.Name, b.Name) })
	return present, nil
}
