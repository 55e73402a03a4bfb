package sim

import (
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/test/exam/fake"
)

// A World is all that happens but for what Argo and Rollcall make of it. It is written as YAML.
type World struct {
	// Seed is of the latencies and of what is hit by chance.
	Seed uint64 `json:"seed"`
	// Start is when it begins, UTC; Minutes for how long something may go wrong. After that come Quiet minutes without faults.
	Start   time.Time `json:"start"`
	Minutes int       `json:"minutes"`
	// Replicas of Rollcall; at least 1.
	Replicas int `json:"replicas"`
	// ArgoAhead is how many ms Argo's clock is ahead of the API server's, RollcallAhead by how many Rollcall is wrong about that.
	ArgoAhead     int `json:"argoAhead,omitempty"`
	RollcallAhead int `json:"rollcallAhead,omitempty"`
	// Singly says that managedFields tell of single fields, as with Argo's full CRDs.
	Singly bool   `json:"singly,omitempty"`
	Crons  []Cron `json:"crons"`
	Events []Do   `json:"events,omitempty"`
	// ByHand are recoveries by the command line.
	ByHand []ByHand `json:"byHand,omitempty"`
}

// Quiet is how long after the last fault a world goes on.
const Quiet = 9 * time.Minute

// A Cron is a CronWorkflow that is there from the start.
type Cron struct {
	Name string    `json:"name"`
	Spec fake.Spec `json:"spec"`
	// Grace, CatchUp, Backfill and Deadline are its annotations; empty for none.
	Grace    string `json:"grace,omitempty"`
	CatchUp  string `json:"catchUp,omitempty"`
	Backfill string `json:"backfill,omitempty"`
	Deadline string `json:"deadline,omitempty"`
}

// What can be done.
const (
	ArgoDies        = "argo dies"                    // and comes back after For
	ArgoMakesRun    = "argo makes a run and crashes" // right after the create, the Which-th from then on; comes back after For
	ArgoFreezes     = "argo freezes"                 // for For
	RollcallDies    = "rollcall dies"                // replica Which, and comes back after For
	RollcallStops   = "rollcall stops"               // in order, and comes back after For
	RollcallFreezes = "rollcall freezes"             // for For
	LeaderDies      = "leader dies"
	LeaderFreezes   = "leader freezes"
	LeaderCrashes   = "leader crashes"                    // at its Which-th request from then on, before it is carried out; comes back after For
	LeaderCrashesAt = "leader crashes *"                  // … after it was carried out
	LeaderMakesRun  = "leader makes a run and crashes"    // right after the create, the Which-th from then on; comes back after For
	LeaderTells     = "leader tells of a run and crashes" // right after the patch
	FaultBegins     = "fault"                             // for For
	Compacts        = "compacts"
	ArgoClock       = "argo clock" // jumps by Which ms for For
	Edits           = "edits"      // Cron gets Spec
	Suspends        = "suspends"   // for For
	Deletes         = "deletes"    // and, unless For is 0, makes it anew after For
	Touches         = "touches"    // an annotation
	Submits         = "submits"    // a run by hand
	TakesName       = "takes name" // of the firing that is due Which minutes later, for a Workflow of no CronWorkflow
	Resubmits       = "resubmits"  // a run of it
	DeletesRun      = "deletes run"
	Retries         = "retries" // a failed run
	Resumes         = "resumes" // a schedule that its stopStrategy ended
)

// A Do is something that happens At a second of the world.
type Do struct {
	At   int    `json:"at"`
	What string `json:"what"`
	// For how many seconds it lasts.
	For int `json:"for,omitempty"`
	// Which replica, request, run or ms.
	Which int         `json:"which,omitempty"`
	Cron  string      `json:"cron,omitempty"`
	Spec  *fake.Spec  `json:"spec,omitempty"`
	Fault *fake.Fault `json:"fault,omitempty"`
}

// end is when the last thing may be wrong.
func (w World) end() time.Time { return w.Start.Add(time.Duration(w.Minutes) * time.Minute) }

// String is the world in YAML.
func (w World) String() string {
	text, err := yaml.Marshal(w)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Read reads a world from YAML.
func Read(text []byte) (World, error) {
	var w World
	if err := yaml.UnmarshalStrict(text, &w); err != nil {
		return w, err
	}
	if w.Minutes < 1 || w.Replicas < 1 || len(w.Crons) == 0 {
		return w, fmt.Errorf("a world has minutes, replicas and crons")
	}
	return w, nil
}

// inOrder are the events as they follow each other.
func (w World) inOrder() []Do {
	events := slices.Clone(w.Events)
	slices.SortStableFunc(events, func(a, b Do) int { return a.At - b.At })
	return events
}
