package e2e

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/test/cluster/etcd"
)

// witness sees every Workflow that ever exists in a scenario's namespace, whatever becomes of it and of the API server, by a watch
// of etcd itself. It is what Rollcall's doings are held against.
type witness struct {
	watch etcd.Watch

	mu   sync.Mutex
	seen map[string][]*sighting // by name, one for each UID
	// unread is what could not be made out.
	unread error
}

// sighting is one Workflow.
type sighting struct {
	uid, by  string // by is the label that says who backfilled it
	created  time.Time
	started  time.Time
	finished time.Time
	phase    string
	shutdown string
	deleted  bool
}

// observe begins to watch. At the scenario's end no firing may ever have had two runs.
func (s *scenario) observe() {
	s.Helper()
	w := &witness{seen: map[string][]*sighting{}}
	s.Cleanup(func() { // what is registered first comes last, when it has seen all
		for _, twice := range w.twice() {
			s.Error(twice)
		}
	})
	w.begin(s)
	s.witness = w
}

// begin watches until the scenario has ended, and expects to have seen all of it.
func (w *witness) begin(s *scenario) {
	s.Helper()
	w.watch = etcd.Watch{URL: shared.EtcdURL(), Prefix: "/registry/argoproj.io/workflows/" + s.namespace + "/", Change: w.change}
	s.must(w.watch.List(s.ctx))
	ctx, stop := context.WithCancel(context.WithoutCancel(s.ctx))
	ended := make(chan error, 1)
	go func() { ended <- w.watch.Run(ctx) }()
	s.Cleanup(func() {
		ending, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		behind := w.watch.CatchUp(ending)
		stop()
		if err := errors.Join(<-ended, behind, w.unread); err != nil {
			s.Errorf("the witness was blind for a time: %v", err)
		}
	})
}

// change notes one.
func (w *witness) change(key string, value []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := path.Base(key)
	if value == nil {
		if all := w.seen[name]; len(all) > 0 {
			all[len(all)-1].deleted = true
		}
		return
	}
	run := &unstructured.Unstructured{}
	if err := run.UnmarshalJSON(value); err != nil {
		w.unread = fmt.Errorf("%s: %w", key, err)
		return
	}
	uid := string(run.GetUID())
	i := slices.IndexFunc(w.seen[name], func(s *sighting) bool { return s.uid == uid })
	if i < 0 {
		w.seen[name] = append(w.seen[name], &sighting{uid: uid, created: run.GetCreationTimestamp().Time})
		i = len(w.seen[name]) - 1
	}
	s := w.seen[name][i]
	s.by = run.GetLabels()["rollcall.dev/backfilled-by"]
	s.phase, s.shutdown = field(run, "status", "phase"), field(run, "spec", "shutdown")
	s.started, s.finished = timeField(run, "status", "startedAt"), timeField(run, "status", "finishedAt")
}

// twice says of which names there was more than one Workflow.
func (w *witness) twice() (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, s := range w.seen {
		if len(s) > 1 {
			all = append(all, fmt.Sprintf("%s existed %d times: %+v and %+v", name, len(s), *s[0], *s[1]))
		}
	}
	return all
}

// run is the Workflow of a firing as it was seen last; ok is false where there never was one.
func (w *witness) run(cron string, at time.Time) (run sighting, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.seen[runName(cron, at)]
	if len(all) == 0 {
		return sighting{}, false
	}
	return *all[len(all)-1], true
}

// made is how many Workflows of a CronWorkflow there ever were that Rollcall made.
func (w *witness) made(cron string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, all := range w.seen {
		if strings.HasPrefix(name, cron+"-") && all[0].by != "" {
			n++
		}
	}
	return n
}

// TestTheWitnessSeesWhatCameAndWent shows that a second run of a firing does not go unseen.
func TestTheWitnessSeesWhatCameAndWent(t *testing.T) {
	s := begin(t, 3*time.Minute)
	w := &witness{seen: map[string][]*sighting{}}
	s.createRun("tick-1")
	w.begin(s)
	s.createRun("tick-2")
	s.deleteRun("tick-2")
	s.createRun("tick-2")
	s.deleteRun("tick-1")
	s.must(w.watch.CatchUp(s.ctx))
	deleted := map[string][]bool{} // by name, of one UID after the other
	for name, all := range w.seen {
		for _, run := range all {
			deleted[name] = append(deleted[name], run.deleted)
		}
	}
	if diff := cmp.Diff(map[string][]bool{"tick-1": {true}, "tick-2": {true, false}}, deleted); diff != "" {
		s.Errorf("whether what it saw was deleted (-want +got):\n%s", diff)
	}
	if twice := w.twice(); len(twice) != 1 || !strings.HasPrefix(twice[0], "tick-2 existed 2 times") {
		s.Errorf("it says %q", twice)
	}
}

// expectOneAtATime expects that no run of a CronWorkflow began while another one was under way.
func (s *scenario) expectOneAtATime(cron string) {
	s.Helper()
	s.witness.mu.Lock()
	defer s.witness.mu.Unlock()
	runs := map[string]*sighting{}
	for name, all := range s.witness.seen {
		if strings.HasPrefix(name, cron+"-") && !all[0].started.IsZero() {
			runs[name] = all[0]
		}
	}
	for a, one := range runs {
		for b, other := range runs {
			if one.started.Before(other.started) && (one.finished.IsZero() || other.started.Before(one.finished)) {
				s.Errorf("%s (%+v) began while %s (%+v) was under way", b, *other, a, *one)
			}
		}
	}
}
