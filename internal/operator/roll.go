package operator

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/metrics"
)

// roll is what is kept by CronWorkflow. All of it belongs to one goroutine, that of serve.
type roll struct {
	*Operator
	watcher *auditor.Watcher
	crons   map[auditor.Key]*cron
	owners  map[string]*cron // by UID
	// term is that of this process as leader; nil while it is not.
	term *term
	// due are those whose recovery is to be looked after at some time, next the earliest of these times.
	due  map[auditor.Key]*cron
	next time.Time
	// clockOff says that it was told that the clocks differ.
	clockOff bool
	// busy is how many recoveries are under way in each namespace.
	busy map[string]int
	// silent are the namespaces whose watch does not tell what a look found.
	silent map[string]silence
	// turned is when the goroutine last went on, stood from when until when this process last stood still.
	turned time.Time
	stood  auditor.Stretch
	// expected is when the goroutine was to go on at the latest, as it said when it last did; zero at first. Until the time hold
	// nothing is judged: this process had stood still.
	expected, hold time.Time
	// late is when news was late first, of a while; until settled there may be more of it.
	late, settled time.Time
}

// cron is what is kept of one CronWorkflow beside what the Watcher keeps.
type cron struct {
	key auditor.Key
	cw  auditor.CronWorkflow
	// backfilled is the newest firing that Rollcall has run.
	backfilled time.Time
	gauges     metrics.Gauges
	recovery
	told
	// looking says that a last look is under way.
	looking bool
	doubt   doubt
	// heard is when the watch last told of it.
	heard time.Time
}

// mode is what to do about missed firings of a CronWorkflow.
func (r *roll) mode(cw auditor.CronWorkflow) auditor.Backfill {
	return cmp.Or(cw.Settings.Backfill, r.Backfill)
}

func newRoll(o *Operator) *roll {
	return &roll{Operator: o, watcher: auditor.NewWatcher(o.Judging), crons: map[auditor.Key]*cron{}, owners: map[string]*cron{}, due: map[auditor.Key]*cron{},
		busy: map[string]int{}, silent: map[string]silence{}}
}

// maxClockOffset is how far the clocks may differ before it is said.
const maxClockOffset = 5 * time.Second

// most is how many observations are taken in before it is looked at what they come to.
const most = 200

// serve is the goroutine of the roll.
func (r *roll) serve(ctx context.Context) {
	defer close(r.ended)
	heartbeat := time.NewTicker(r.Timing.Heartbeat)
	defer heartbeat.Stop()
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-r.do:
			r.awake()
			f()
			r.more()
		case <-heartbeat.C:
			r.awake()
			r.beat()
		case <-alarm.C:
			r.awake()
		}
		alarm.Stop()
		now := r.awake() // and no other look at the clock: this process may stand still at any
		wake, ok := r.turn(now)
		r.turned, r.expected = now, now.Add(r.Timing.Heartbeat)
		if ok {
			alarm.Reset(max(wake.Sub(r.now()), time.Millisecond))
			r.expected = later(earlier(wake, r.expected), now)
		}
	}
}

const (
	// stoodStill is how much later than it had to this process goes on that was stopped, or starved, for a while.
	stoodStill = 5 * time.Second
	// stoodLately is until how long after that a watch that breaks off may not have told what happened meanwhile.
	stoodLately = time.Minute
	// catchUp is how long nothing is judged then: what happened meanwhile has to be heard of first, and whether it still leads.
	catchUp = 10 * time.Second
)

const (
	// lateNews is how old news is that is late: a watch that was silent tells of one thing after the other then, and a verdict in
	// between would rest on what was so only for a while. settleLate is how long to wait for more, mostLate how long in all where one
	// comes after the other.
	lateNews   = 5 * time.Second
	settleLate = 2 * time.Second
	mostLate   = 10 * time.Second
)

// hear notices that news of something that happened at a time is late.
func (r *roll) hear(happened time.Time) {
	now := r.now()
	if happened.IsZero() || now.Sub(happened) <= lateNews {
		return
	}
	if now.Sub(r.settled) > lateNews {
		r.late = now
	}
	r.settled = earlier(now.Add(settleLate), r.late.Add(mostLate))
}

// awake notices that this process stood still. It says what time it is.
func (r *roll) awake() (now time.Time) {
	now = r.now()
	if r.expected.IsZero() || now.Sub(r.expected) <= stoodStill {
		return now
	}
	r.stood = auditor.Stretch{From: r.reallySince(r.turned), To: now}
	if r.hold = now.Add(catchUp); r.term != nil {
		r.Log.Warn("this process stood still: what happened meanwhile has to be heard of before anything is judged", "from", r.expected, "until", now)
	}
	r.expected = now
	return now
}

// reallySince is since when things may have come and gone unseen where a watch says since when it was silent. What a process that stood
// still hears first may be news from before that, and tells nothing of the time until then.
func (r *roll) reallySince(silent time.Time) time.Time {
	if silent.After(r.stood.From) && silent.Before(r.stood.To.Add(stoodLately)) {
		return r.stood.From
	}
	return silent
}

// more does what else there is to do already.
func (r *roll) more() {
	for range most {
		select {
		case f := <-r.do:
			f()
		default:
			return
		}
	}
}

// turn judges what is due and looks after recoveries. It says when the next turn is due, unless something happens before.
func (r *roll) turn(now time.Time) (wake time.Time, ok bool) {
	if r.term == nil {
		return time.Time{}, false
	}
	if until := later(r.hold, r.settled); now.Before(until) {
		return until, true
	}
	r.heed(r.watcher.Judge(now), now)
	r.recover(now)
	wake, ok = r.watcher.Wake()
	if !r.next.IsZero() && (!ok || r.next.Before(wake)) {
		wake, ok = r.next, true
	}
	return wake, ok
}

// beat says that the roll is being called, and lets alerts end that are old.
func (r *roll) beat() {
	r.Metrics.ClockOffset(r.Cluster.ClockOffset())
	r.sayClock()
	if r.term == nil {
		return
	}
	now := r.now()
	if !r.blind.Load() {
		r.Metrics.Audited(now)
	}
	for _, c := range r.crons {
		if c.alerting {
			r.alert(c, now)
		}
	}
}

// sayClock says when the API server's clock and that of this machine begin, or cease, to differ by more than is usual.
func (r *roll) sayClock() {
	offset := r.Cluster.ClockOffset()
	off := offset.Abs() > maxClockOffset
	if off != r.clockOff {
		r.clockOff = off
		r.Log.Warn("the API server's clock, by which firings are judged, differs from this machine's", "offset", offset.Round(time.Millisecond).String(), "too_much", off)
	}
}

func (r *roll) seeCronWorkflow(cw auditor.CronWorkflow) {
	now := r.now()
	key := auditor.Key{Namespace: cw.Namespace, Name: cw.Name}
	c := r.crons[key]
	if c != nil && c.cw.UID != cw.UID {
		r.loseCronWorkflow(key)
		c = nil
	}
	if c == nil {
		c = &cron{key: key}
		r.crons[key], r.owners[cw.UID] = c, c
	}
	before := c.cw
	c.cw = cw
	r.watcher.SeeCronWorkflow(cw, now)
	if r.term == nil {
		return
	}
	switch {
	case before.UID == "":
		r.expect(c)
	case before.Settings != cw.Settings || !slices.EqualFunc(before.Epochs, cw.Epochs, sameEpoch):
		r.tellSettings(c, before.Settings)
		r.attend(c, now) // somebody acted
	default:
		r.stir(c, now)
	}
}

func sameEpoch(a, b auditor.Epoch) bool {
	return a.From.Equal(b.From) && reflect.DeepEqual(a.Spec, b.Spec)
}

func (r *roll) loseCronWorkflow(key auditor.Key) {
	r.watcher.LoseCronWorkflow(key, r.now())
	c := r.crons[key]
	if c == nil {
		return
	}
	r.abandon(c)
	delete(r.crons, key)
	delete(r.owners, c.cw.UID)
	r.Metrics.Forget(key)
	r.executor.Forget(c.id())
	r.Records.Forget(key)
	if r.Alerts != nil {
		r.Alerts.Forget(key)
	}
}

func (r *roll) seeRun(namespace string, run auditor.Run) {
	now := r.now()
	r.watcher.SeeRun(namespace, run, now)
	c := r.owners[run.Owner]
	if c == nil {
		return
	}
	news := now.Sub(run.CreatedAt) < justCreated || run.Finished() || run.Deleting
	if t, ok := auditor.ScheduledTimeOf(c.key.Name, run.Name); ok && run.BackfilledBy != "" && t.After(c.backfilled) {
		c.backfilled, news = t, true
	}
	// Each step of a Workflow changes it, and none but the first and the last makes room for anything.
	if news {
		r.stir(c, now)
	}
}

// justCreated is how long after its creation a run is news.
const justCreated = 10 * time.Second

func (r *roll) loseRun(namespace string, run auditor.Run) {
	now := r.now()
	r.watcher.LoseRun(namespace, run, now)
	if c := r.owners[run.Owner]; c != nil {
		r.stir(c, now)
	}
}
