package operator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/internal/alert"
	"rollcall.dev/rollcall/internal/argo"
	"rollcall.dev/rollcall/internal/events"
	"rollcall.dev/rollcall/internal/metrics"
	"rollcall.dev/rollcall/internal/record"
)

// world is a cluster in which things happen when the test says so, the record in it, and what was done to both, in order.
type world struct {
	mu    sync.Mutex
	crons map[auditor.Key]auditor.CronWorkflow
	runs  map[string]map[string]auditor.Run // by namespace and name
	// watches are those who watch; silent says that they are told nothing.
	watches map[*watch]bool
	silent  bool
	version int
	// done are the requests that were made, "create default/tick-60" and such.
	done []string
	// refuse says for each kind of request with what error it is answered; nil for none.
	refuse map[string]func() error
	// records are what is on record, with its revision.
	records map[auditor.Key]auditor.State
	revised map[auditor.Key]int
	told    []string
	// messages are those of the Events there were.
	messages []string
	ringing  map[auditor.Key][]string
}

// watch are the news for one who watches.
type watch struct {
	news []func(argo.Handler)
	more chan struct{}
}

func newWorld() *world {
	time.Sleep(time.Until(midnight))
	return &world{
		crons: map[auditor.Key]auditor.CronWorkflow{}, runs: map[string]map[string]auditor.Run{}, watches: map[*watch]bool{},
		refuse: map[string]func() error{}, records: map[auditor.Key]auditor.State{}, revised: map[auditor.Key]int{}, ringing: map[auditor.Key][]string{},
	}
}

func key(name string) auditor.Key { return auditor.Key{Namespace: "default", Name: name} }

// everyMinute is a CronWorkflow that Argo looks after, with a deadline of ten minutes.
func everyMinute(name string, changes ...func(*auditor.CronWorkflow)) auditor.CronWorkflow {
	cw := auditor.CronWorkflow{
		Namespace: "default", Name: name, UID: "uid-" + name, CreatedAt: time.Now().UTC().Truncate(time.Second), Served: true,
		Retention: auditor.Retention{Successful: 10, Failed: 10, TTL: -1},
	}
	cw.Epochs = []auditor.Epoch{{From: cw.CreatedAt, Spec: auditor.Spec{Schedules: []string{"* * * * *"}, Policy: auditor.Allow, StartingDeadline: 10 * time.Minute}}}
	for _, change := range changes {
		change(&cw)
	}
	return cw
}

func spec(change func(*auditor.Spec)) func(*auditor.CronWorkflow) {
	return func(cw *auditor.CronWorkflow) { change(&cw.Epochs[len(cw.Epochs)-1].Spec) }
}

// happens tells everybody who watches. Call it with mu.
func (w *world) happens(what func(argo.Handler)) {
	if w.silent {
		return
	}
	for watch := range w.watches {
		watch.news = append(watch.news, what)
		select {
		case watch.more <- struct{}{}:
		default:
		}
	}
}

func (w *world) put(cw auditor.CronWorkflow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.putLocked(cw)
}

func (w *world) putLocked(cw auditor.CronWorkflow) {
	w.version++
	w.crons[auditor.Key{Namespace: cw.Namespace, Name: cw.Name}] = cw
	w.happens(func(h argo.Handler) { h.CronWorkflow(cw) })
}

// change changes what is there.
func (w *world) change(name string, change func(*auditor.CronWorkflow)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	cw := w.crons[key(name)]
	cw.Epochs = slices.Clone(cw.Epochs)
	change(&cw)
	w.putLocked(cw)
}

func (w *world) remove(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.crons, key(name))
	w.happens(func(h argo.Handler) { h.CronWorkflowGone(key(name)) })
}

// runs has Argo run a firing of a CronWorkflow now.
func (w *world) run(name string, scheduled time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	cw := w.crons[key(name)]
	w.putRun(auditor.Run{
		Name: auditor.WorkflowName(name, scheduled), UID: fmt.Sprint("run-", w.version), Owner: cw.UID, Controlled: true, CronLabel: name,
		CreatedAt: time.Now().UTC(), StartedAt: time.Now().UTC(),
	})
	cw.Status.LastScheduledTime = scheduled
	cw.Status.WrittenAt = time.Now().UTC()
	w.putLocked(cw)
}

func (w *world) putRun(run auditor.Run) {
	w.version++
	run.ResourceVersion = fmt.Sprint(w.version)
	if w.runs["default"] == nil {
		w.runs["default"] = map[string]auditor.Run{}
	}
	w.runs["default"][run.Name] = run
	w.happens(func(h argo.Handler) { h.Run("default", run) })
}

// delete deletes a run.
func (w *world) delete(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	run := w.runs["default"][name]
	delete(w.runs["default"], name)
	w.happens(func(h argo.Handler) { h.RunGone("default", run) })
}

// finish ends all runs.
func (w *world) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, run := range w.runs["default"] {
		if !run.Finished() {
			run.FinishedAt, run.Succeeded = time.Now().UTC(), true
			w.putRun(run)
		}
	}
}

// request notes a request, and is the error that it is answered with.
func (w *world) request(kind, of string) error {
	w.done = append(w.done, kind+" "+of)
	if refuse := w.refuse[kind]; refuse != nil {
		return refuse()
	}
	return nil
}

// fails answers requests of this kind with an error; nil lets them pass again.
func (w *world) fails(kind string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse[kind] = func() error { return err }
	if err == nil {
		delete(w.refuse, kind)
	}
}

// did are the requests of these kinds that were made since the last time it was asked.
func (w *world) did(kinds ...string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var did []string
	for _, request := range w.done {
		if kind, _, _ := strings.Cut(request, " "); slices.Contains(kinds, kind) {
			did = append(did, request)
		}
	}
	w.done = nil
	return did
}

// Watch is Cluster's.
func (w *world) Watch(ctx context.Context, _ argo.Scope, h argo.Handler) error {
	mine := &watch{more: make(chan struct{}, 1)}
	w.mu.Lock()
	for _, cw := range w.crons {
		mine.news = append(mine.news, func(h argo.Handler) { h.CronWorkflow(cw) })
	}
	for _, run := range w.runs["default"] {
		mine.news = append(mine.news, func(h argo.Handler) { h.Run("default", run) })
	}
	mine.news = append(mine.news, func(h argo.Handler) { h.Controller(auditor.Controller{}) }, argo.Handler.Synced)
	w.watches[mine] = true
	w.mu.Unlock()
	for {
		w.mu.Lock()
		news := mine.news
		mine.news = nil
		w.mu.Unlock()
		for _, tell := range news {
			tell(h)
		}
		if len(news) > 0 {
			continue
		}
		select {
		case <-mine.more:
		case <-ctx.Done():
			w.mu.Lock()
			delete(w.watches, mine)
			w.mu.Unlock()
			return nil
		}
	}
}

func (w *world) LastLook(_ context.Context, namespace string, names []string) (runs []auditor.Run, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.request("lastlook", strings.Join(names, " ")); err != nil {
		return nil, err
	}
	for _, name := range names {
		if run, ok := w.runs[namespace][name]; ok {
			runs = append(runs, run)
		}
	}
	return runs, nil
}

func (w *world) Present(_ context.Context, namespace string, names []string) (crons []auditor.CronWorkflow, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.request("present", strings.Join(names, " ")); err != nil {
		return nil, err
	}
	for _, name := range names {
		if cw, ok := w.crons[auditor.Key{Namespace: namespace, Name: name}]; ok {
			crons = append(crons, cw)
		}
	}
	return crons, nil
}

func (w *world) Now() time.Time             { return time.Now().UTC() }
func (w *world) ClockOffset() time.Duration { return 0 }
func (w *world) Ping(context.Context) error { return nil }

func (w *world) Look(_ context.Context, id backfill.Key) (backfill.Look, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.request("look", id.Name); err != nil {
		return backfill.Look{}, err
	}
	cw, ok := w.crons[auditor.Key{Namespace: id.Namespace, Name: id.Name}]
	if !ok || cw.UID != id.UID {
		return backfill.Look{}, apierrors.NewNotFound(schema.GroupResource{Resource: "cronworkflows"}, id.Name)
	}
	look := backfill.Look{CronWorkflow: cw, ResourceVersion: fmt.Sprint(w.version)}
	for _, run := range w.runs[id.Namespace] {
		if run.Owner == cw.UID {
			look.Runs = append(look.Runs, run)
		}
	}
	return look, nil
}

func (w *world) Find(_ context.Context, namespace, name string) (auditor.Run, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.request("find", name)
	run, ok := w.runs[namespace][name]
	return run, ok, err
}

func (w *world) Create(_ context.Context, look backfill.Look, n backfill.NewRun) (auditor.Run, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	cw := look.CronWorkflow
	name := auditor.WorkflowName(cw.Name, n.ScheduledTime)
	if err := w.request("create", name); err != nil {
		return auditor.Run{}, err
	}
	if _, ok := w.runs[cw.Namespace][name]; ok {
		return auditor.Run{}, apierrors.NewAlreadyExists(schema.GroupResource{Resource: "workflows"}, name)
	}
	run := auditor.Run{
		Name: name, UID: fmt.Sprint("run-", w.version), Owner: cw.UID, Controlled: true, CronLabel: cw.Name, BackfilledBy: n.By,
		CreatedAt: time.Now().UTC(), StartedAt: time.Now().UTC(),
	}
	w.putRun(run)
	return run, nil
}

func (w *world) MayChange(context.Context, backfill.Look) error { return nil }

func (w *world) Change(_ context.Context, look backfill.Look, change backfill.Change) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	what := ""
	cw := w.crons[auditor.Key{Namespace: look.CronWorkflow.Namespace, Name: look.CronWorkflow.Name}]
	if t := change.LastScheduledTime; t.After(cw.Status.LastScheduledTime) {
		cw.Status.LastScheduledTime = t
		what += " last=" + t.Format("15:04")
	}
	if change.Append != nil {
		cw.Status.Active = append(slices.Clone(cw.Status.Active), change.Append.Name)
		what += " active"
	}
	if !change.Touched.IsZero() {
		what += " touched"
	}
	if !change.Intend.IsZero() {
		cw.Status.Intended = change.Intend
		what += " intended"
	}
	if change.Fulfilled {
		cw.Status.Intended = time.Time{}
	}
	if err := w.request("change", cw.Name+what); err != nil {
		return err
	}
	w.putLocked(cw)
	return nil
}

// store is the record as one process has it.
type store struct {
	*world
	known  map[auditor.Key]int
	failed map[auditor.Key]error
}

func (s *store) Load(context.Context) (map[auditor.Key]auditor.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.request("load", ""); err != nil {
		return nil, err
	}
	s.known = maps.Clone(s.revised)
	clear(s.failed)
	return maps.Clone(s.records), nil
}

func (s *store) Reload(_ context.Context, k auditor.Key) (auditor.State, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.request("reload", k.Name); err != nil {
		return auditor.State{}, false, err
	}
	s.known[k] = s.revised[k]
	delete(s.failed, k)
	state, ok := s.records[k]
	return state, ok, nil
}

func (s *store) Save(_ context.Context, k auditor.Key, state auditor.State, urgent bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := "save"
	if urgent {
		kind = "urgent"
	}
	if s.failed[k] != nil {
		return s.failed[k]
	}
	what := k.Name
	for _, f := range state.Open {
		what += " " + f.ScheduledTime.Format("15:04")
	}
	for _, r := range state.Record.Recoveries {
		what += fmt.Sprintf(" tried %s %d", r.ScheduledTime.Format("15:04"), r.Attempts)
	}
	if err := s.request(kind, what); err != nil {
		return err
	}
	if s.known[k] != s.revised[k] {
		s.failed[k] = record.ErrSuperseded
		return record.ErrSuperseded
	}
	s.revised[k]++
	s.known[k]++
	s.records[k] = state
	return nil
}

func (s *store) Forget(k auditor.Key)        { s.mu.Lock(); defer s.mu.Unlock(); delete(s.known, k) }
func (s *store) Run(ctx context.Context)     { <-ctx.Done() }
func (s *store) Flush(context.Context) error { return nil }

// Record is Events'.
func (w *world) Record(o events.Object, reason events.Reason, warning bool, message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, fmt.Sprintf("%s %s %t", reason, o.Name, warning))
	w.messages = append(w.messages, message)
}

// events are those since the last time.
func (w *world) events() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.told
	w.told = nil
	return told
}

type alerts struct{ *world }

func (a alerts) Set(k auditor.Key, all []alert.Alert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for _, one := range all {
		names = append(names, one.Name)
	}
	a.ringing[k] = names
}

func (a alerts) Forget(k auditor.Key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.ringing, k)
}
func (a alerts) Clear() {}

// election lets the test say who leads.
type election struct{ leads chan bool }

func (e *election) Run(ctx context.Context, lead func(context.Context)) {
	term, end := context.WithCancel(ctx)
	var led sync.WaitGroup
	defer func() { end(); led.Wait() }()
	for {
		select {
		case leads := <-e.leads:
			end()
			led.Wait()
			if term, end = context.WithCancel(ctx); leads {
				led.Go(func() { lead(term) })
			}
		case <-ctx.Done():
			end()
			return
		}
	}
}

// process is one Rollcall.
type process struct {
	*Operator
	*election
	registry *prometheus.Registry
	stop     func()
}

// starts a Rollcall in the world; it does not lead before it is told to.
func (w *world) starts(t *testing.T, changes ...func(*Options)) *process {
	t.Helper()
	p := &process{election: &election{make(chan bool)}, registry: prometheus.NewRegistry()}
	m, err := metrics.New(p.registry, "test", "test")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Cluster: w, Submitter: w, Records: &store{world: w, known: map[auditor.Key]int{}, failed: map[auditor.Key]error{}}, Leadership: p.election,
		Metrics: m, Registerer: p.registry, Events: w, Alerts: alerts{w}, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
		Judging: auditor.Options{Grace: 10 * time.Second}, Backfill: auditor.BackfillOn, MaxParallel: 10, MaxCatchUp: 100,
	}
	for _, change := range changes {
		change(&o)
	}
	if p.Operator, err = New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Operator.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(p.stop)
	return p
}

// blind has the watches break off in these namespaces, and resume in all others.
func (w *world) blind(namespaces ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.happens(func(h argo.Handler) { h.Blind(namespaces, nil) })
}

func forbidden(resource, name, why string) error {
	return apierrors.NewForbidden(schema.GroupResource{Group: "argoproj.io", Resource: resource}, name, errors.New(why))
}

// lives has Argo's controller renew its lease.
func (w *world) lives() {
	w.mu.Lock()
	defer w.mu.Unlock()
	lease := &auditor.Lease{Holder: "argo", AcquiredAt: midnight, RenewedAt: time.Now().UTC(), Duration: 15 * time.Second}
	w.happens(func(h argo.Handler) {
		h.Controller(auditor.Controller{Lease: lease, Writes: []time.Time{time.Now().UTC()}})
	})
}
