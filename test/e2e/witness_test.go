package e2e

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"rollcall.dev/rollcall/test/cluster"
)

// witness sees every Workflow that ever exists in a scenario's namespace, whatever becomes of it, by a watch of its own straight
// from the API server. It is what Rollcall's doings are held against.
type witness struct {
	mu   sync.Mutex
	seen map[string][]*sighting // by name, one for each UID
	lost error
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
	workflows := shared.Dynamic().Resource(cluster.Workflows).Namespace(s.namespace)
	from, err := w.list(s.ctx, workflows)
	s.must(err)
	ctx, stop := context.WithCancel(s.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			events, err := workflows.Watch(ctx, metav1.ListOptions{ResourceVersion: from})
			if err == nil {
				from, err = w.follow(events, from)
			}
			if apierrors.IsResourceExpired(err) && w.sawNone() { // the API server has only just begun to serve them
				from, err = w.list(ctx, workflows)
			}
			if err != nil && ctx.Err() == nil {
				w.lose(err)
				return
			}
		}
	}()
	s.witness = w
	s.Cleanup(func() {
		stop()
		<-done
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.lost != nil {
			s.Errorf("the witness was blind for a time: %v", w.lost)
		}
		for name, all := range w.seen {
			if len(all) > 1 {
				s.Errorf("%s existed %d times: %+v and %+v", name, len(all), *all[0], *all[1])
			}
		}
	})
}

// follow notes what one watch tells until it ends, and says from where to go on.
func (w *witness) follow(events watch.Interface, from string) (string, error) {
	defer events.Stop()
	for e := range events.ResultChan() {
		run, ok := e.Object.(*unstructured.Unstructured)
		if !ok || e.Type == watch.Error {
			return from, apierrors.FromObject(e.Object)
		}
		from = run.GetResourceVersion()
		w.see(run, e.Type == watch.Deleted)
	}
	return from, nil
}

// list notes what there is, and says from where to watch.
func (w *witness) list(ctx context.Context, workflows dynamic.ResourceInterface) (from string, err error) {
	list, err := workflows.List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	for i := range list.Items {
		w.see(&list.Items[i], false)
	}
	return list.GetResourceVersion(), nil
}

func (w *witness) sawNone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen) == 0
}

func (w *witness) lose(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = err
}

func (w *witness) see(run *unstructured.Unstructured, deleted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name, uid := run.GetName(), string(run.GetUID())
	i := slices.IndexFunc(w.seen[name], func(s *sighting) bool { return s.uid == uid })
	if i < 0 {
		w.seen[name] = append(w.seen[name], &sighting{uid: uid, created: run.GetCreationTimestamp().Time})
		i = len(w.seen[name]) - 1
	}
	s := w.seen[name][i]
	s.by, s.deleted = run.GetLabels()["rollcall.dev/backfilled-by"], deleted
	s.phase, s.shutdown = field(run, "status", "phase"), field(run, "spec", "shutdown")
	s.started, s.finished = timeField(run, "status", "startedAt"), timeField(run, "status", "finishedAt")
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
