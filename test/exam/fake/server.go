package fake

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A Server is the API server and its etcd. Its clock is the present time; everybody else's may be off.
type Server struct {
	// Wrote, if not nil, is told of every change, in order, while the Server is locked.
	Wrote func(Event)
	// Unrecorded, if not nil, is told of a run that Rollcall makes without having it on record that it would, while the Server is
	// locked.
	Unrecorded func(cw *CronWorkflow, scheduled time.Time)

	// Singly says that managedFields tell of single fields of spec and status, as with Argo's full CRDs: what only takes fields away then
	// moves no time.
	Singly bool

	mu      sync.Mutex
	rand    *rand.Rand
	version int64
	crons   map[Key]*CronWorkflow
	runs    map[Key]*Workflow
	audits  map[Key]*audit
	leases  map[string]Lease
	// log are the changes since the version first, which is the oldest one that a watch can resume from.
	log     []Event
	first   int64
	watches map[*watch]bool
	faults  []*Fault
	uids    int
}

// keepLog is how many changes a watch may be behind without a compaction.
const keepLog = 5000

// An Event is one change: one of CronWorkflow and Workflow is set, to the object as it is, or as it was when Gone.
type Event struct {
	Version      int64
	CronWorkflow *CronWorkflow
	Workflow     *Workflow
	Gone         bool
}

// A Lease is a leader election lease.
type Lease struct {
	Holder            string
	Acquired, Renewed time.Time
	Duration          time.Duration
}

// NewServer has nothing in it. Whatever it does at random follows the seed.
func NewServer(seed uint64) *Server {
	return &Server{
		rand:  rand.New(rand.NewPCG(seed, 0x726f6c6c63616c6c)),
		crons: map[Key]*CronWorkflow{}, runs: map[Key]*Workflow{}, audits: map[Key]*audit{}, leases: map[string]Lease{},
		watches: map[*watch]bool{},
	}
}

func now() time.Time { return time.Now().UTC() }

// Rand is a number from 0 to n-1.
func (s *Server) Rand(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rand.IntN(n)
}

var (
	cronWorkflows = schema.GroupResource{Group: "argoproj.io", Resource: "cronworkflows"}
	workflows     = schema.GroupResource{Group: "argoproj.io", Resource: "workflows"}
	leases        = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}
)

// happened notes a change and wakes who watches. Call it with mu.
func (s *Server) happened(e Event) {
	e.Version = s.version
	s.log = append(s.log, e)
	if len(s.log) > 2*keepLog {
		s.compact(keepLog)
	}
	if s.Wrote != nil {
		s.Wrote(e)
	}
	for w := range s.watches {
		w.wake(e)
	}
}

// compact keeps the last n changes. Call it with mu.
func (s *Server) compact(n int) {
	if cut := len(s.log) - n; cut > 0 {
		s.forget(cut, s.log[cut-1].Version)
	}
}

// Compact forgets all changes, so that whoever resumes a watch has to list again.
func (s *Server) Compact() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(len(s.log), s.version)
}

// forget forgets the first changes, which are those up to a version. Nothing is lost on a watch that was told of all that concerns it.
// Call it with mu.
func (s *Server) forget(n int, version int64) {
	for w := range s.watches {
		if s.toldAll(w, version) {
			w.version = max(w.version, version)
		}
	}
	s.first = version
	s.log = append([]Event(nil), s.log[n:]...)
}

func (s *Server) uid() string {
	s.uids++
	return "uid-" + strconv.Itoa(s.uids)
}

// putCron stores a version of a CronWorkflow. Call it with mu.
func (s *Server) putCron(cw CronWorkflow) *CronWorkflow {
	s.version++
	cw.Version, cw.ChangedAt, cw.Singly = s.version, Second(now()), s.Singly
	s.crons[cw.Key] = &cw
	s.happened(Event{CronWorkflow: &cw})
	return &cw
}

func (s *Server) putRun(w Workflow) *Workflow {
	s.version++
	w.Version = s.version
	s.runs[w.Key] = &w
	s.happened(Event{Workflow: &w})
	return &w
}

// CreateCron makes a CronWorkflow, as a person does.
func (s *Server) CreateCron(cw CronWorkflow) *CronWorkflow {
	s.mu.Lock()
	defer s.mu.Unlock()
	cw.UID, cw.Created = s.uid(), Second(now())
	cw.SpecAt, cw.MetaAt = cw.Created, cw.Created
	return s.putCron(cw)
}

// EditCron changes a CronWorkflow, as a person does; false where there is none.
func (s *Server) EditCron(key Key, change func(*CronWorkflow)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.crons[key]
	if !ok {
		return false
	}
	cw := *old
	cw.Annotations, cw.Labels = maps.Clone(cw.Annotations), maps.Clone(cw.Labels)
	change(&cw)
	switch removed := s.Singly && cw.Spec.less(old.Spec); {
	case sameSpec(cw.Spec, old.Spec):
	case !removed:
		cw.Former, cw.FormerAt, cw.SpecAt = old.Spec, old.SpecAt, Second(now())
	case !old.FormerAt.IsZero() && sameSpec(cw.Spec, old.Former):
		cw.SpecAt = old.FormerAt // who owns nothing any more is not listed any more
	}
	if !maps.Equal(cw.Annotations, old.Annotations) || cw.Settings != old.Settings {
		cw.MetaAt = Second(now())
	}
	s.putCron(cw)
	return true
}

func sameSpec(a, b Spec) bool { return fmt.Sprintf("%+v", a.deref()) == fmt.Sprintf("%+v", b.deref()) }

// deref is a text of all that a spec says.
func (s Spec) deref() [5]any {
	at := func(p *int) int {
		if p == nil {
			return -1
		}
		return *p
	}
	a, b, c := at(s.Successful), at(s.Failed), at(s.TTL)
	s.Successful, s.Failed, s.TTL = nil, nil, nil
	return [5]any{s, a, b, c, len(s.Schedules)}
}

// less says whether a spec is what it was but for fields that it does not have any more.
func (s Spec) less(old Spec) bool {
	s.Timezone, s.Policy, s.When = cmp.Or(s.Timezone, old.Timezone), cmp.Or(s.Policy, old.Policy), cmp.Or(s.When, old.When)
	s.Suspend, s.Deadline, s.StopAfter = cmp.Or(s.Suspend, old.Suspend), cmp.Or(s.Deadline, old.Deadline), cmp.Or(s.StopAfter, old.StopAfter)
	s.Successful, s.Failed, s.TTL = cmp.Or(s.Successful, old.Successful), cmp.Or(s.Failed, old.Failed), cmp.Or(s.TTL, old.TTL)
	return sameSpec(s, old)
}

// DeleteCron deletes a CronWorkflow; what it owns goes with it a moment later.
func (s *Server) DeleteCron(key Key) {
	s.mu.Lock()
	cw, ok := s.crons[key]
	if ok {
		delete(s.crons, key)
		s.version++
		s.happened(Event{CronWorkflow: cw, Gone: true})
	}
	s.mu.Unlock()
	if ok {
		time.AfterFunc(time.Duration(1+s.Rand(3000))*time.Millisecond, func() { s.collect(cw) })
	}
}

// collect is the garbage collector.
func (s *Server) collect(cw *CronWorkflow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.runs {
		if w.Owner == cw.UID {
			s.dropRun(w)
		}
	}
	if a, ok := s.audits[cw.Key]; ok && a.owner == cw.UID {
		delete(s.audits, cw.Key)
	}
}

func (s *Server) dropRun(w *Workflow) {
	delete(s.runs, w.Key)
	s.version++
	s.happened(Event{Workflow: w, Gone: true})
}

// DeleteRun deletes a Workflow, as a person does; false where there is none.
func (s *Server) DeleteRun(key Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.runs[key]
	if !ok {
		return false
	}
	w := *old
	w.ByHand = true
	s.dropRun(&w)
	return true
}

// CreateRun makes a Workflow, as a person does; false where there is one of its name.
func (s *Server) CreateRun(w Workflow) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.createRun(w)
	return err == nil
}

func (s *Server) createRun(w Workflow) (*Workflow, error) {
	if _, ok := s.runs[w.Key]; ok {
		return nil, apierrors.NewAlreadyExists(workflows, w.Name)
	}
	w.UID, w.Created, w.Scheduled = s.uid(), Second(now()), Second(w.Scheduled)
	return s.putRun(w), nil
}

// Crons are the CronWorkflows that exist, Runs the Workflows.
func (s *Server) Crons() []*CronWorkflow {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*CronWorkflow, 0, len(s.crons))
	for _, cw := range s.crons {
		all = append(all, cw)
	}
	return all
}

// Cron is a CronWorkflow as it is; nil where there is none.
func (s *Server) Cron(key Key) *CronWorkflow {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crons[key]
}

// Runs are the Workflows that exist.
func (s *Server) Runs() []*Workflow {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Workflow, 0, len(s.runs))
	for _, w := range s.runs {
		all = append(all, w)
	}
	return all
}

// RetryRun has a failed Workflow begin anew, as argo retry does.
func (s *Server) RetryRun(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.runs[key]; old != nil && old.Phase == Failed {
		w := *old
		w.Phase, w.Started, w.Finished, w.Shutdown, w.Fails = Running, now(), time.Time{}, false, false // FormulateRetryWorkflow (workflow/util) sets startedAt anew
		s.putRun(w)
	}
}

// Held says whether somebody holds a lease.
func (s *Server) Held(lease string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.leases[lease]
	return l.Holder != "" && now().Before(l.Renewed.Add(l.Duration))
}
