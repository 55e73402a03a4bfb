package argo

import (
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// Scope says which CronWorkflows to read. The zero value means all of the default Argo installation.
type Scope struct {
	// Namespaces are those to read; empty means all.
	Namespaces []string
	// Names are the CronWorkflows to read; empty means all. A name that none of the namespaces has is an error.
	Names []string
	// InstanceID is the instanceID of the Argo installation; CronWorkflows of another one are left out and counted.
	InstanceID string
	// ArgoNamespace is where Argo's controller keeps its lease and its settings; empty means "argo".
	ArgoNamespace string
}

// Watched are the namespaces that Watch watches, each once; "" alone stands for all.
func (s Scope) Watched() []string {
	in := slices.Compact(slices.Sorted(slices.Values(s.Namespaces)))
	if len(in) == 0 || in[0] == "" {
		return []string{""}
	}
	return in
}

// Snapshot is what was read at one time.
type Snapshot struct {
	// CronWorkflows are sorted by namespace and name.
	CronWorkflows []Observed
	// Records are the CronAudits of a dump, one of each name; a cluster's are not read here.
	Records []Record
	// Now is the present time by the API server's clock; for a dump the newest time in it, zero when there is none.
	Now time.Time
	// ClockOffset is how far the API server's clock is ahead of the local one; 0 for a dump.
	ClockOffset time.Duration
	// Notes are sentences for people: what could not be read or understood, and what is assumed instead.
	Notes []string
	// OutsideInstance is how many CronWorkflows were left out because they belong to another Argo installation.
	OutsideInstance int
}

// Observed is one CronWorkflow as read.
type Observed struct {
	auditor.Input
	// Err says why the CronWorkflow cannot be judged; Input then holds its namespace and name, and little else.
	Err error
}
