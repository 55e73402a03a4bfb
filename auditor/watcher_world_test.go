package auditor_test

import (
	"iter"
	"maps"
	"math/rand"
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/schedule"
)

// event is one thing that is seen of the cluster.
type event struct {
	at   time.Time
	cron *auditor.CronWorkflow
	run  *auditor.Run
	gone bool // of the run
}

// tale is what happens to one CronWorkflow between two times, in the order of it.
type tale struct {
	first  auditor.CronWorkflow // as it is at the start
	events []event
	from   time.Time
	to     time.Time
}

// teller makes up a tale second by second: Argo starts, skips, fails to start and forgets runs by its own rules, is away for
// minutes at a time, and people edit, suspend and resume.
type teller struct {
	*rand.Rand
	cw     auditor.CronWorkflow
	events []event
	runs   []auditor.Run // that exist
	ends   map[string]time.Time
	active []string
	down   bool
	spec   auditor.Spec
	parsed schedule.Schedule
	now    time.Time
	// uncounted are finished runs that Argo has not counted yet.
	uncounted []auditor.Run
}

func tell(seed int64, name string, schedules []string, from, to time.Time) tale {
	g := &teller{Rand: rand.New(rand.NewSource(seed)), ends: map[string]time.Time{}, now: from}
	pick := func(of ...time.Duration) time.Duration { return of[g.Intn(len(of))] }
	g.spec = auditor.Spec{
		Schedules: schedules, Timezone: "UTC", Policy: []auditor.Policy{auditor.Allow, auditor.Forbid, auditor.Replace}[g.Intn(3)],
		StartingDeadline: pick(0, 40*time.Second, 5*time.Minute, 20*time.Minute),
	}
	g.cw = auditor.CronWorkflow{
		Namespace: "default", Name: name, UID: "uid-" + name, CreatedAt: from, Served: true,
		Epochs:    []auditor.Epoch{{From: from, Spec: g.spec}},
		Retention: auditor.Retention{Successful: g.Intn(4), Failed: g.Intn(2), TTL: -1},
	}
	g.reparse()
	t := tale{first: g.cw, from: from, to: to}
	longest := int(pick(20*time.Second, 150*time.Second) / time.Second)
	turns := map[time.Time]bool{}
	for at := from; at.Before(to); at = at.Add(time.Duration(3+g.Intn(40)) * time.Minute) {
		turns[at.Add(time.Duration(1+g.Intn(120))*time.Second)] = true
	}
	for ; g.now.Before(to); g.now = g.now.Add(time.Second) {
		if turns[g.now] {
			g.turn()
		}
		g.finish()
		if g.down {
			continue
		}
		if g.now.Second() == 0 && g.parsed.Contains(g.now) {
			g.tick(longest)
		}
		if g.now.Unix()%10 == 5 {
			g.reconcile()
		}
	}
	t.events = g.events
	return t
}

func (g *teller) reparse() {
	parsed, err := schedule.Parse(g.spec.Schedules, g.spec.Timezone, time.UTC)
	if err != nil {
		panic(err)
	}
	g.parsed = parsed
}

// turn changes something that stays so for a while.
func (g *teller) turn() {
	switch g.Intn(4) {
	case 0, 1:
		if g.down = !g.down; !g.down {
			g.comeBack()
		}
		return
	case 2:
		g.spec.Suspend = !g.spec.Suspend
	case 3:
		if d := []time.Duration{0, 60 * time.Second, 10 * time.Minute}[g.Intn(3)]; d != g.spec.StartingDeadline {
			g.spec.StartingDeadline = d
		} else {
			return
		}
	}
	g.cw.Epochs = []auditor.Epoch{{From: g.now, Spec: g.spec}}
	g.show()
}

func (g *teller) show() {
	cw := g.cw
	cw.Status.Active = slices.Clone(g.active)
	g.events = append(g.events, event{at: g.now, cron: &cw})
}

func (g *teller) tick(longest int) {
	switch {
	case g.spec.Suspend, g.spec.Policy == auditor.Forbid && len(g.active) > 0, g.Intn(9) == 0: // the last is a schedule that is stuck
	case g.Intn(8) == 0:
		g.cw.Status.SubmissionError, g.cw.Status.WrittenAt = "etcdserver: leader changed "+g.now.Format("15:04"), g.now
		g.cw.Status.Failed++
		g.show()
	default:
		g.create(g.now, longest)
	}
}

// comeBack starts the latest firing that is still inside its deadline.
func (g *teller) comeBack() {
	last := g.cw.Status.LastScheduledTime
	if d := g.spec.StartingDeadline; d > 0 && !last.IsZero() && !g.spec.Suspend && (g.spec.Policy != auditor.Forbid || len(g.active) == 0) {
		missed := g.parsed.Last(g.now.Add(-time.Second), 1, last.Add(time.Second))
		if len(missed) == 1 && g.now.Before(missed[0].Add(d)) {
			g.create(missed[0], 30)
		}
	}
}

func (g *teller) create(at time.Time, longest int) {
	run := auditor.Run{
		Name: auditor.WorkflowName(g.cw.Name, at), UID: "of-" + at.Format(time.TimeOnly), Owner: g.cw.UID, Controlled: true, CronLabel: g.cw.Name,
		ScheduledTime: at.Format(time.RFC3339), CreatedAt: g.now, StartedAt: g.now,
	}
	g.runs = append(g.runs, run)
	g.ends[run.Name] = g.now.Add(time.Duration(2+g.Intn(longest)) * time.Second)
	g.active = append(g.active, run.Name)
	g.cw.Status.LastScheduledTime, g.cw.Status.WrittenAt, g.cw.Status.SubmissionError = at, g.now, ""
	g.events = append(g.events, event{at: g.now, run: &run})
	g.show()
}

func (g *teller) finish() {
	for i := range g.runs {
		run := &g.runs[i]
		if run.Finished() || g.now.Before(g.ends[run.Name]) || g.down {
			continue
		}
		run.FinishedAt, run.Succeeded = g.now, g.Intn(4) > 0
		ended := *run
		g.events = append(g.events, event{at: g.now, run: &ended})
		g.uncounted = append(g.uncounted, ended)
	}
}

// reconcile is Argo's pass over a CronWorkflow: it counts what ended and deletes what is over the history limits.
func (g *teller) reconcile() {
	if len(g.uncounted) == 0 {
		return
	}
	for _, run := range g.uncounted {
		if run.Succeeded {
			g.cw.Status.Succeeded++
		} else {
			g.cw.Status.Failed++
		}
		g.active = slices.DeleteFunc(g.active, func(name string) bool { return name == run.Name })
	}
	g.uncounted = nil
	g.cw.Status.WrittenAt = g.now
	g.show()
	for _, kind := range []struct {
		succeeded bool
		keep      int
	}{{true, g.cw.Retention.Successful}, {false, g.cw.Retention.Failed}} {
		var ended []auditor.Run
		for _, run := range g.runs {
			if run.Finished() && run.Succeeded == kind.succeeded {
				ended = append(ended, run)
			}
		}
		slices.SortStableFunc(ended, func(a, b auditor.Run) int { return a.FinishedAt.Compare(b.FinishedAt) })
		for _, run := range ended[:max(0, len(ended)-kind.keep)] {
			g.events = append(g.events, event{at: g.now, run: &run, gone: true})
			g.runs = slices.DeleteFunc(g.runs, func(r auditor.Run) bool { return r.Name == run.Name })
		}
	}
}

// cluster is what there is at some time of the tales of a few CronWorkflows.
type cluster struct {
	crons map[auditor.Key]auditor.CronWorkflow
	runs  map[string]auditor.Run
}

func (c *cluster) happen(e event) {
	switch {
	case e.cron != nil:
		c.crons[auditor.Key{Namespace: e.cron.Namespace, Name: e.cron.Name}] = *e.cron
	case e.gone:
		delete(c.runs, e.run.Name)
	default:
		c.runs[e.run.Name] = *e.run
	}
}

func show(w *auditor.Watcher, e event) {
	switch {
	case e.cron != nil:
		w.SeeCronWorkflow(*e.cron, e.at)
	case e.gone:
		w.LoseRun("default", *e.run, e.at)
	default:
		w.SeeRun("default", *e.run, e.at)
	}
}

// failer is a test or a property.
type failer interface {
	Helper()
	Fatal(...any)
}

// follower drives a Watcher through tales as the controller does, and keeps the last verdict on every firing.
type follower struct {
	t        failer
	opts     auditor.Options
	w        *auditor.Watcher
	cluster  cluster
	verdicts map[string]auditor.Finding // by the run's name
	wakes    int
	// watching is false while Rollcall is away, or sees nothing since cut, when these runs had been shown.
	watching bool
	away     bool // there is no process
	cut      time.Time
	shown    map[string]auditor.Run
	// resumed are given to each new Watcher.
	resumed map[auditor.Key]auditor.State
}

func follow(t failer, opts auditor.Options, tales ...tale) *follower {
	f := &follower{t: t, opts: opts, verdicts: map[string]auditor.Finding{}}
	f.cluster = cluster{crons: map[auditor.Key]auditor.CronWorkflow{}, runs: map[string]auditor.Run{}}
	for _, tale := range tales {
		f.cluster.happen(event{at: tale.from, cron: &tale.first})
	}
	f.start(tales[0].from)
	return f
}

// start begins to watch, with what the last process left.
func (f *follower) start(now time.Time) {
	f.w, f.watching, f.away = auditor.NewWatcher(f.opts), true, false
	for _, cw := range f.cluster.crons {
		f.w.SeeCronWorkflow(cw, now)
	}
	for _, run := range f.cluster.runs {
		f.w.SeeRun("default", run, now)
	}
	for key, s := range f.resumed {
		f.w.Resume(key, s)
	}
	f.w.Begin(now)
}

// stop ends the process.
func (f *follower) stop() {
	f.watching, f.away, f.resumed = false, true, map[auditor.Key]auditor.State{}
	for _, key := range f.w.Keys() {
		f.resumed[key], _ = f.w.State(key)
	}
}

// disconnect lets nothing be seen from now on; where that is not noticed, it is judged on.
func (f *follower) disconnect(now time.Time, noticed bool) {
	f.watching, f.cut = false, now
	if noticed {
		f.w.Blind([]string{"default"}, now)
	}
	f.shown = maps.Clone(f.cluster.runs)
}

// reconnect shows what there is now, and tells of the gap before or after it.
func (f *follower) reconnect(now time.Time, gapFirst bool) {
	f.watching = true
	if gapFirst {
		f.w.Gap(f.cut, now)
	}
	for name, run := range f.shown {
		if f.cluster.runs[name].UID == "" {
			f.w.LoseRun("default", run, now)
		}
	}
	for _, cw := range f.cluster.crons {
		f.w.SeeCronWorkflow(cw, now)
	}
	for _, run := range f.cluster.runs {
		f.w.SeeRun("default", run, now)
	}
	if !gapFirst {
		f.w.Gap(f.cut, now)
	}
	f.w.Blind(nil, now)
}

// happen lets all events of one time happen.
func (f *follower) happen(now time.Time, events ...event) {
	f.until(now.Add(-time.Nanosecond))
	for _, e := range events {
		f.cluster.happen(e)
		if f.watching {
			show(f.w, e)
		}
	}
	f.until(now)
}

// until judges whatever becomes due.
func (f *follower) until(now time.Time) {
	for range 100_000 {
		at, ok := f.w.Wake()
		if f.away || !ok || at.After(now) {
			return
		}
		f.wakes++
		for _, j := range f.w.Judge(at) {
			f.answer(j, at)
		}
	}
	f.t.Fatal("it wakes again and again")
}

func (f *follower) answer(j auditor.Judgement, now time.Time) {
	for _, found := range j.Decided {
		f.verdicts[found.Workflow] = found
	}
	var absent []time.Time
	for _, found := range j.Confirm {
		if run, ok := f.cluster.runs[found.Workflow]; ok {
			f.w.SeeRun("default", run, now)
		} else {
			absent = append(absent, found.ScheduledTime)
		}
	}
	f.w.Confirm(j.Key, absent, now)
}

// through lets all events of the tales happen.
func (f *follower) through(events []event, to time.Time) {
	for now, at := range moments(events) {
		f.happen(now, at...)
	}
	f.until(to)
}

// moments are the events by time.
func moments(events []event) iter.Seq2[time.Time, []event] {
	return func(yield func(time.Time, []event) bool) {
		slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
		for len(events) > 0 {
			n := slices.IndexFunc(events, func(e event) bool { return e.at.After(events[0].at) })
			if n < 0 {
				n = len(events)
			}
			if !yield(events[0].at, events[:n]) {
				return
			}
			events = events[n:]
		}
	}
}
