package auditor

import (
	"slices"
	"strings"
	"time"
)

// Key names a CronWorkflow.
type Key struct{ Namespace, Name string }

func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Compare orders by namespace, then by name.
func (k Key) Compare(other Key) int {
	if c := strings.Compare(k.Namespace, other.Namespace); c != 0 {
		return c
	}
	return strings.Compare(k.Name, other.Name)
}

// Watcher calls the roll of many CronWorkflows continuously: it is told what is seen of the cluster, with the time of seeing it,
// and says when it is worth asking for verdicts (Wake) and which there are (Judge). Its work is per observation and per firing
// that is due; a CronWorkflow to which neither happens costs nothing.
//
// It gives the verdicts that Audit would give over everything seen so far, but remembers only what a verdict that is not final
// rests on. A verdict is final once the firing has run, or Argo can start it no more; a run that shows up nevertheless still
// changes it.
//
// Times are those of one clock, the API server's. Its methods are not safe for concurrent use.
type Watcher struct {
	opts Options
	now  time.Time // the latest it was told
	all  map[Key]*watched
	// owners are the CronWorkflows by UID, strangers the runs by the UID of an owner that has not been seen, and their own name.
	owners      map[string]*watched
	strangers   map[string]map[Key]Run
	resumed     map[Key]State
	controllers map[string]*Controller
	// coverage are the stretches in which this Watcher saw everything; the last one has no end. It is empty before Begin.
	coverage []Stretch
	// blind are the namespaces of which news may be late ("" for all), and since when.
	blind map[string]time.Time
	// silent are the namespaces whose watch was found not to tell, and since when.
	silent map[string]time.Time
	// told is until when all that happened in a namespace ("" for all) has been told for certain.
	told  map[string]time.Time
	queue queue
}

// Judgement is what Judge found out about one CronWorkflow.
type Judgement struct {
	Key Key
	UID string
	// Decided are the verdicts that are new or have changed, ascending.
	Decided []Finding
	// Tally are the verdicts of those of them that had another one before, or none: what changed of the others is what it rests on.
	Tally []Verdict
	// Confirm are firings that would be Missed or Expired for the first time: read their exact names from the API server, then say
	// SeeRun or Confirm. Until then they are asked for again every 10 s.
	Confirm []Finding
	// Stuck says in a sentence that Argo's controller is alive and does nothing for the schedule; empty when that is not so.
	Stuck string
	// Err says why none of its firings can be judged; nil when they can.
	Err error
	// Changed says that there is a new State to be recorded, and Urgent that a firing was lost, or that one that was called so has run
	// after all: nothing should be done about it before that is on record, and whoever dies must not leave it accused.
	Changed, Urgent bool
}

// NewWatcher returns a Watcher that has seen nothing.
func NewWatcher(opts Options) *Watcher {
	return &Watcher{
		opts: opts.withDefaults(), all: map[Key]*watched{}, owners: map[string]*watched{}, strangers: map[string]map[Key]Run{},
		resumed: map[Key]State{}, controllers: map[string]*Controller{}, silent: map[string]time.Time{}, told: map[string]time.Time{},
	}
}

// Begin says that everything there is has been shown: from now on nothing comes or goes unseen.
func (w *Watcher) Begin(now time.Time) {
	w.at(now)
	if w.begun() {
		return
	}
	w.coverage = []Stretch{{From: now}}
	for _, h := range w.all {
		if h.present {
			h.enter(h.cw, now)
			w.queue.put(h)
		}
	}
}

func (w *Watcher) begun() bool { return len(w.coverage) > 0 }

// Blind says of which namespaces ("" for all) news may be late from now on, instead of those of the last call: a watch broke off.
// Nothing is judged there, since what was not seen to run may have run, until it is said of none; a Gap, where there was one, is
// said before that.
func (w *Watcher) Blind(namespaces []string, now time.Time) {
	w.at(now)
	before := w.blind
	w.blind = map[string]time.Time{}
	for _, namespace := range namespaces {
		w.blind[namespace] = now
		if since, ok := before[namespace]; ok {
			w.blind[namespace] = since
		}
	}
	for _, h := range w.all {
		w.queue.put(h)
	}
}

// blindSince is since when news of a namespace may be late; zero when it is not.
func (w *Watcher) blindSince(namespace string) time.Time {
	if len(w.blind) == 0 {
		return time.Time{}
	}
	here, everywhere := w.blind[namespace], w.blind[""]
	if here.IsZero() || !everywhere.IsZero() && everywhere.Before(here) {
		return everywhere
	}
	return here
}

// IsBlind says whether news of a namespace may be late.
func (w *Watcher) IsBlind(namespace string) bool { return !w.blindSince(namespace).IsZero() }

// Told says that all that happened in a namespace ("" for all) until a time has been told: the watches gave a sign of life then. What happened
// since may be on its way still, and a State claims to have seen no more than that. Where it is never said, a State claims all.
func (w *Watcher) Told(namespace string, until time.Time) {
	w.told[namespace] = later(w.told[namespace], until)
}

// Unchanged says that at a time a CronWorkflow was, by a look, as it was last seen: until then nothing happened to it unseen.
func (w *Watcher) Unchanged(key Key, at time.Time) {
	if h := w.all[key]; h != nil && h.live {
		h.unchanged = later(h.unchanged, at)
	}
}

// Silent says that the watch of a namespace was found not to tell what there is: from now on things may come and go unseen, until it tells
// again. Verdicts go on meanwhile, and rest on what is shown and confirmed.
func (w *Watcher) Silent(namespace string, now time.Time) {
	w.at(now)
	if w.silent[namespace].IsZero() {
		w.silent[namespace] = now
	}
}

// Tells says that a watch that was silent tells again.
func (w *Watcher) Tells(namespace string, now time.Time) {
	since := w.silent[namespace]
	if delete(w.silent, namespace); !since.IsZero() {
		w.Gap(since, now)
	}
}

// Gap says that things may have come and gone unseen from a time on until now, and that what there is now, and what is gone, has
// been shown, or is about to be before the next Judge. What was judged in the gap, without knowing of it, is judged again.
func (w *Watcher) Gap(from, now time.Time) {
	w.at(now)
	if !w.begun() {
		return
	}
	n := len(w.coverage)
	for n > 0 && !from.After(w.coverage[n-1].From) {
		n--
	}
	if w.coverage = w.coverage[:n]; n > 0 && (w.coverage[n-1].To.IsZero() || w.coverage[n-1].To.After(from)) {
		w.coverage[n-1].To = from
	}
	w.coverage = append(w.coverage, Stretch{From: now})
	if n := len(w.coverage); n > MaxStretches {
		w.coverage = slices.Clone(w.coverage[n-MaxStretches:])
	}
	for _, h := range w.all {
		if h.live {
			h.missed(from)
			w.queue.put(h)
		}
	}
}

// SeeCronWorkflow says what a CronWorkflow is now. Of its Epochs only the last one is looked at: the present spec, and since
// when the object says that it has been so.
func (w *Watcher) SeeCronWorkflow(cw CronWorkflow, now time.Time) {
	w.at(now)
	key := Key{cw.Namespace, cw.Name}
	h := w.watchedAt(key)
	if h.present && h.cw.UID != cw.UID {
		w.LoseCronWorkflow(key, now)
		h = w.watchedAt(key)
	}
	w.trace(cw.InstanceID, cw.Status.WrittenAt)
	if !h.present {
		h.present = true
		w.owners[cw.UID] = h
		for _, run := range w.strangers[cw.UID] {
			h.runs[run.Name] = &seenRun{Run: run}
		}
		delete(w.strangers, cw.UID)
	}
	switch {
	case !w.begun():
		h.cw = cw
		return
	case h.live:
		h.see(cw, now)
	default:
		h.enter(cw, now)
	}
	w.queue.put(h)
}

// LoseCronWorkflow says that a CronWorkflow is gone. Its state is forgotten: one of the same name that comes later is another.
func (w *Watcher) LoseCronWorkflow(key Key, now time.Time) {
	w.at(now)
	h := w.all[key]
	if h == nil || !h.present {
		return
	}
	w.queue.remove(h)
	delete(w.owners, h.cw.UID)
	delete(w.all, key)
	next := w.watchedAt(key)
	for name, run := range h.runs {
		if _, ok := ScheduledTimeOf(key.Name, name); ok {
			next.runs[name] = &seenRun{Run: run.Run}
		}
	}
	w.tidy(next)
}

// SeeRun says what a Workflow is now. FinishedAt is when it was seen to have ended where the Workflow does not tell; the
// earliest that was said stays.
func (w *Watcher) SeeRun(namespace string, run Run, now time.Time) {
	w.at(now)
	if run.Finished() && run.StartedAt.IsZero() {
		run.StartedAt = run.CreatedAt // metadata does not say, and Argo starts them at once
	}
	byName, byOwner := w.concerned(namespace, run)
	if byName == nil && nameOfCron(run.Name) != "" {
		byName = w.watchedAt(Key{namespace, nameOfCron(run.Name)})
	}
	if byOwner == nil && run.Owner != "" {
		if w.strangers[run.Owner] == nil {
			w.strangers[run.Owner] = map[Key]Run{}
		}
		w.strangers[run.Owner][Key{namespace, run.Name}] = run
	}
	if native := nameOfCron(run.Name) != ""; native && run.Controlled && run.BackfilledBy == "" {
		w.trace(run.InstanceID, run.CreatedAt)
	}
	for _, h := range distinct(byName, byOwner) {
		h.seeRun(run, now)
		w.queue.put(h)
	}
}

// LoseRun says that a Workflow is gone, and what it was when last seen.
func (w *Watcher) LoseRun(namespace string, run Run, now time.Time) {
	w.at(now)
	if of := w.strangers[run.Owner]; of != nil {
		delete(of, Key{namespace, run.Name})
		if len(of) == 0 {
			delete(w.strangers, run.Owner)
		}
	}
	for _, h := range distinct(w.concerned(namespace, run)) {
		h.loseRun(run, now)
		w.queue.put(h)
		w.tidy(h)
	}
}

// SeeController says what an Argo controller has left behind so far: its lease as it is now, and writes in addition to those that
// were said before.
func (w *Watcher) SeeController(instanceID string, c Controller, now time.Time) {
	w.at(now)
	before := w.controller(instanceID).Lease
	if w.controller(instanceID).Lease = c.Lease; before != nil && !before.ranOut(now) && c.Lease != nil && c.Lease.ranOut(now) {
		for _, h := range w.all {
			if h.cw.InstanceID == instanceID && h.reconsiderCauses(now) {
				w.queue.put(h)
			}
		}
	}
	for _, t := range c.Writes {
		w.trace(instanceID, t)
	}
}

// Resume gives back the state of a CronWorkflow as it was recorded: by the process before this one, by the leader up to now, or by
// another that takes itself for the leader. What this Watcher saw itself is added to it; what was judged since is judged anew. A state
// of another UID waits: the one that is seen now may be gone already.
func (w *Watcher) Resume(key Key, s State) {
	s = s.clone()
	h := w.all[key]
	if h == nil || !h.live || h.cw.UID != s.UID {
		w.resumed[key] = s
		return
	}
	h.resume(s)
	w.queue.put(h)
}

// NoteRecovery says how the recovery of a firing stands.
func (w *Watcher) NoteRecovery(key Key, r Recovery, now time.Time) {
	w.at(now)
	if h := w.all[key]; h != nil && h.live {
		h.noteRecovery(r)
		w.queue.put(h)
	}
}

// NoteRan says that a firing has a run, which the watch may be late to show, or too late. Only what makes it a run of that firing and
// of that kind is looked at: CreatedAt, and BackfilledBy.
func (w *Watcher) NoteRan(key Key, scheduled time.Time, run Run, now time.Time) {
	w.at(now)
	if h := w.all[key]; h != nil && h.live {
		h.noteRan(h.recordOf(scheduled, run))
		h.changed, h.dirty = true, true
		w.queue.put(h)
	}
}

// NoteMoved says that Rollcall wrote a scheduled time to status.lastScheduledTime.
func (w *Watcher) NoteMoved(key Key, t, now time.Time) {
	w.at(now)
	if h := w.all[key]; h != nil && h.live {
		h.noteMoved(t)
		w.queue.put(h)
	}
}

// Confirm says that the exact names of these firings were read from the API server now, and do not exist.
func (w *Watcher) Confirm(key Key, scheduled []time.Time, now time.Time) {
	w.at(now)
	h := w.all[key]
	if h == nil || !h.live {
		return
	}
	for _, t := range scheduled {
		if o := h.openAt(t); o != nil && o.asking {
			o.asking, o.confirmed, o.again = false, now, true
		}
	}
	w.queue.put(h)
}

// Wake is when Judge is next worth calling; false when nothing is ever due. It changes with every observation.
func (w *Watcher) Wake() (time.Time, bool) {
	if len(w.queue) == 0 {
		return time.Time{}, false
	}
	return w.queue[0].wake, true
}

// Judge says what is new about the CronWorkflows that are due, in the order of their keys.
func (w *Watcher) Judge(now time.Time) []Judgement {
	w.at(now)
	now = w.now // what was seen already was seen before
	var judged []Judgement
	for len(w.queue) > 0 && !w.queue[0].wake.After(now) {
		h := w.queue[0]
		if j, ok := h.look(now); ok {
			judged = append(judged, j)
		}
		h.dirty = false
		w.queue.putAfter(h, now)
	}
	slices.SortFunc(judged, func(a, b Judgement) int { return a.Key.Compare(b.Key) })
	return judged
}

// State is what must not be forgotten of a CronWorkflow; false when it is not watched.
func (w *Watcher) State(key Key) (State, bool) {
	h := w.all[key]
	if h == nil || !h.live {
		return State{}, false
	}
	return h.state(), true
}

// Input is all that is known of a CronWorkflow; false when it is not watched.
func (w *Watcher) Input(key Key) (Input, bool) {
	h := w.all[key]
	if h == nil || !h.live {
		return Input{}, false
	}
	in := h.input(w.now, false)
	record := h.record.clone()
	in.Record = &record
	in.CronWorkflow.Epochs = slices.Clone(in.CronWorkflow.Epochs)
	in.Controller.Writes = slices.Clone(in.Controller.Writes)
	slices.SortFunc(in.Runs, func(a, b Run) int { return strings.Compare(a.Name, b.Name) })
	return in, true
}

// Keys are the CronWorkflows that are watched, sorted.
func (w *Watcher) Keys() []Key {
	return slices.SortedFunc(func(yield func(Key) bool) {
		for key, h := range w.all {
			if h.present && !yield(key) {
				return
			}
		}
	}, Key.Compare)
}

// Next is the first firing that has not been judged yet, which may be in its grace; false when there is none.
func (w *Watcher) Next(key Key) (time.Time, bool) {
	h := w.all[key]
	if h == nil || !h.live || h.next.IsZero() {
		return time.Time{}, false
	}
	return h.next, true
}
