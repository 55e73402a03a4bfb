package auditor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall.dev/rollcall/schedule"
)

// MaxFirings is how many firings of one CronWorkflow are judged at the most where Options.Limit does not say less.
const MaxFirings = 100_000

// MaxNameLength is the longest name of a CronWorkflow that Argo schedules; it appends a dash and ten digits.
const MaxNameLength = 52

// Options are the thresholds of an audit. The zero value of a field stands for its default.
type Options struct {
	// Grace is how long after the scheduled time a firing is Pending; default 30 s. See EffectiveGrace for its bounds.
	Grace time.Duration
	// LateAfter is how long after the scheduled time a run may be created and still be OnTime; default 60 s.
	LateAfter time.Duration
	// ControllerZone is the local zone of Argo's controller, in which schedules without a timezone are read; default UTC.
	ControllerZone *time.Location
	// DefaultDeadline is taken for the starting deadline of CronWorkflows that have none; 0 for none.
	DefaultDeadline time.Duration
	// CatchUp is which missed firings are worth recovering where the CronWorkflow does not say; default all.
	CatchUp CatchUp
	// Limit is the most firings judged, the oldest first; default and upper bound MaxFirings.
	Limit int
}

const (
	// DefaultGrace is Options.Grace where it is not set.
	DefaultGrace = 30 * time.Second
	// DefaultLateAfter is Options.LateAfter where it is not set.
	DefaultLateAfter = time.Minute
	minGrace         = 10 * time.Second
)

func (o Options) withDefaults() Options {
	if o.Grace <= 0 {
		o.Grace = DefaultGrace
	}
	if o.LateAfter <= 0 {
		o.LateAfter = DefaultLateAfter
	}
	if o.ControllerZone == nil {
		o.ControllerZone = time.UTC
	}
	if o.CatchUp == "" {
		o.CatchUp = CatchUpAll
	}
	if o.Limit <= 0 || o.Limit > MaxFirings {
		o.Limit = MaxFirings
	}
	return o
}

// of are the options for a CronWorkflow with these annotations, complete.
func (o Options) of(settings Settings) Options {
	o = o.withDefaults()
	if settings.Grace > 0 {
		o.Grace = settings.Grace
	}
	if settings.CatchUp != "" {
		o.CatchUp = settings.CatchUp
	}
	return o
}

// EffectiveGrace is how long a firing is Pending: the configured time (0: the default), but at most half the starting
// deadline (0: none), so that there is time left to recover in, and never under 10 s, so that Argo has had its chance.
func EffectiveGrace(configured, startingDeadline time.Duration) time.Duration {
	if configured <= 0 {
		configured = DefaultGrace
	}
	if startingDeadline > 0 {
		configured = min(configured, startingDeadline/2)
	}
	return max(configured, minGrace)
}

// EffectiveDeadline is the starting deadline that counts for a recovery: the spec's own, else the annotation's, else the
// default; 0 for none.
func EffectiveDeadline(spec Spec, settings Settings, defaultDeadline time.Duration) time.Duration {
	for _, d := range []time.Duration{spec.StartingDeadline, settings.Deadline, defaultDeadline} {
		if d > 0 {
			return d
		}
	}
	return 0
}

// WorkflowName is the name that Argo gives the run of a firing.
func WorkflowName(cronWorkflow string, scheduledTime time.Time) string {
	return fmt.Sprintf("%s-%d", cronWorkflow, scheduledTime.Unix())
}

// Window is the time after From until To, To included.
type Window struct{ From, To time.Time }

// Report is the roll of one CronWorkflow.
type Report struct {
	// Findings are one per firing in the window, ascending.
	Findings []Finding
	// Totals counts the findings by verdict.
	Totals map[Verdict]int
	// Truncated says that there were more firings than Options.Limit; the oldest were judged.
	Truncated bool
	// Advice says what in the CronWorkflow itself makes its firings easy to lose.
	Advice []string
}

// Audit judges every firing of a CronWorkflow in the window. Firings after now and before the CronWorkflow was created are
// not due and not listed.
//
// An error means that nothing can be judged: a name that Argo never schedules, or a schedule that does not parse.
func Audit(in Input, window Window, now time.Time, opts Options) (Report, error) {
	r, err := newRoll(in, now, opts)
	if err != nil {
		return Report{}, err
	}
	firings, truncated := r.firings(window)
	report := Report{Findings: make([]Finding, 0, len(firings)), Totals: map[Verdict]int{}, Truncated: truncated}
	for _, f := range firings {
		finding, _ := f.judge()
		report.Findings = append(report.Findings, finding)
		report.Totals[finding.Verdict]++
	}
	report.Advice = r.advice(report)
	return report, nil
}

// roll holds what is the same for all firings of one CronWorkflow.
type roll struct {
	in     Input
	now    time.Time
	opts   Options
	epochs []epoch
	// runs by name, those of this CronWorkflow first, then by creation.
	runs map[string][]Run
	// archived by name.
	archived map[string][]Run
	// byCreation are the runs that Argo counts, oldest first.
	byCreation []Run
	// writes are the controller's, ascending.
	writes  []time.Time
	horizon horizon
	// newestRun is the newest scheduled time known to have run, by whoever's hand; newestArgo by Argo's.
	newestRun, newestArgo time.Time
	contradictions        contradictions
}

// epoch is a stretch of time with its parsed schedule.
type epoch struct {
	from, until time.Time // (from, until]; until is zero for the last
	spec        Spec
	schedule    schedule.Schedule
	// known is false before the first known epoch, where the spec that follows is only assumed.
	known bool
	// traceless and tracelessUntil are Epoch's.
	traceless      bool
	tracelessUntil time.Time
}

func newRoll(in Input, now time.Time, opts Options) (*roll, error) {
	cw := in.CronWorkflow
	if err := checkName(cw); err != nil {
		return nil, err
	}
	opts = opts.of(cw.Settings)
	epochs, err := readEpochs(cw, opts.ControllerZone)
	if err != nil {
		return nil, fmt.Errorf("CronWorkflow %s/%s: %w", cw.Namespace, cw.Name, err)
	}
	return rollOf(in, epochs, now, opts), nil
}

func checkName(cw CronWorkflow) error {
	if n := len(cw.Name); n > MaxNameLength {
		return fmt.Errorf("CronWorkflow %s/%s: its name has %d characters and Argo schedules none over %d: give it a shorter name",
			cw.Namespace, cw.Name, n, MaxNameLength)
	}
	return nil
}

// rollOf is the roll of a CronWorkflow whose schedules have been parsed, under options that are complete.
func rollOf(in Input, epochs []epoch, now time.Time, opts Options) *roll {
	r := &roll{in: in, now: now, opts: opts, epochs: epochs, runs: map[string][]Run{}, archived: map[string][]Run{}}
	for _, run := range in.Runs {
		r.runs[run.Name] = append(r.runs[run.Name], run)
	}
	for _, run := range in.Archived {
		r.archived[run.Name] = append(r.archived[run.Name], run)
	}
	for _, byName := range []map[string][]Run{r.runs, r.archived} {
		for _, runs := range byName {
			slices.SortFunc(runs, r.ownFirst)
		}
	}
	for _, run := range in.Runs {
		if r.counts(run) {
			r.byCreation = append(r.byCreation, run)
		}
	}
	slices.SortFunc(r.byCreation, func(a, b Run) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.Name+a.UID, b.Name+b.UID)
	})
	r.writes = in.Controller.Writes
	if !slices.IsSortedFunc(r.writes, time.Time.Compare) {
		r.writes = slices.SortedFunc(slices.Values(r.writes), time.Time.Compare)
	}
	r.horizon = r.retentionHorizon()
	r.findNewest()
	r.contradictions = r.findContradictions()
	return r
}

// ownFirst orders Workflows of one name: those of this CronWorkflow, then the oldest, then by UID so that input order does not matter.
func (r *roll) ownFirst(a, b Run) int {
	if own := r.owns(a); own != r.owns(b) {
		if own {
			return -1
		}
		return 1
	}
	if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(a.UID, b.UID)
}

func (r *roll) owns(run Run) bool { return run.Owner != "" && run.Owner == r.in.CronWorkflow.UID }

// counts says whether Argo counts the run for its history limits and its concurrency policy.
func (r *roll) counts(run Run) bool {
	return r.owns(run) && run.Controlled && run.CronLabel != "" && run.InstanceID == r.in.CronWorkflow.InstanceID
}

// readEpochs parses the schedules of a CronWorkflow's epochs.
func readEpochs(cw CronWorkflow, controllerZone *time.Location) ([]epoch, error) {
	if len(cw.Epochs) == 0 {
		return nil, fmt.Errorf("its spec is not known for any time")
	}
	given := slices.SortedStableFunc(slices.Values(cw.Epochs), func(a, b Epoch) int { return a.From.Compare(b.From) })
	if given[0].From.After(cw.CreatedAt) {
		given = slices.Insert(given, 0, Epoch{From: cw.CreatedAt, Unknown: true})
	}
	var epochs []epoch
	for i, e := range given {
		read := epoch{from: later(e.From, cw.CreatedAt), known: !e.Unknown, traceless: e.Traceless, tracelessUntil: e.TracelessUntil}
		// What followed is the best guess at what is not known; but what was due by what went before may have been due still.
		if k := slices.IndexFunc(given[i:], func(e Epoch) bool { return !e.Unknown }); k >= 0 {
			read.spec = given[i+k].Spec
			parsed, err := schedule.Parse(read.spec.Schedules, read.spec.Timezone, controllerZone)
			if err != nil {
				return nil, err
			}
			read.schedule = parsed
			if n := len(epochs); e.Unknown && n > 0 {
				read.schedule = parsed.Or(epochs[n-1].schedule)
			}
		}
		epochs = append(epochs, read)
		if i > 0 {
			epochs[i-1].until = epochs[i].from
		}
	}
	return epochs, nil
}

// current is the epoch in force now.
func (r *roll) current() epoch { return r.epochs[len(r.epochs)-1] }

// epochAt is the epoch in effect at t; ok is false before the CronWorkflow was created.
func (r *roll) epochAt(t time.Time) (e epoch, ok bool) {
	for _, e := range r.epochs {
		if t.After(e.from) && (e.until.IsZero() || !t.After(e.until)) {
			return e, true
		}
	}
	return epoch{}, false
}

func (r *roll) grace(spec Spec) time.Duration { return EffectiveGrace(r.opts.Grace, r.deadline(spec)) }

func (r *roll) deadline(spec Spec) time.Duration {
	return EffectiveDeadline(spec, r.in.CronWorkflow.Settings, r.opts.DefaultDeadline)
}

// firings lists what was due in the window, oldest first.
func (r *roll) firings(window Window) (due []*firing, truncated bool) {
	to := earlier(window.To, r.now)
	for _, e := range r.epochs {
		after, until := later(window.From, e.from), to
		if !e.until.IsZero() {
			until = earlier(until, e.until)
		}
		if !after.Before(until) {
			continue
		}
		times, more := e.schedule.Firings(after, until, r.opts.Limit-len(due)+1)
		// A run whose schedule is not known, or has no fixed phase, is still a firing that ran.
		if !e.known || len(e.schedule.Every()) > 0 {
			times = merge(times, r.runTimes(after, until))
		}
		for _, t := range times {
			due = append(due, r.firing(e, t))
		}
		if more || len(due) > r.opts.Limit {
			return due[:min(len(due), r.opts.Limit)], true
		}
	}
	return due, false
}

// runTimes are the scheduled times in (after, until] that the names of this CronWorkflow's runs tell.
func (r *roll) runTimes(after, until time.Time) []time.Time {
	var times []time.Time
	for _, byName := range []map[string][]Run{r.runs, r.archived} {
		for name, runs := range byName {
			t, ok := ScheduledTimeOf(r.in.CronWorkflow.Name, name)
			if ok && r.owns(runs[0]) && t.After(after) && !t.After(until) {
				times = append(times, t)
			}
		}
	}
	return times
}

// ScheduledTimeOf reads the scheduled time from the name of a run of the CronWorkflow; ok is false for names that its schedule
// does not give.
func ScheduledTimeOf(cronWorkflow, workflow string) (scheduled time.Time, ok bool) {
	digits, found := strings.CutPrefix(workflow, cronWorkflow+"-")
	if !found || digits == "" || len(digits) > 11 || strings.Trim(digits, "0123456789") != "" {
		return time.Time{}, false
	}
	var seconds int64
	for _, d := range digits {
		seconds = seconds*10 + int64(d-'0')
	}
	scheduled = time.Unix(seconds, 0).UTC()
	return scheduled, WorkflowName(cronWorkflow, scheduled) == workflow
}

func (r *roll) findNewest() {
	note := func(t time.Time, byArgo bool) {
		r.newestRun = later(r.newestRun, t)
		if byArgo {
			r.newestArgo = later(r.newestArgo, t)
		}
	}
	for _, byName := range []map[string][]Run{r.runs, r.archived} {
		for name, runs := range byName {
			if t, ok := ScheduledTimeOf(r.in.CronWorkflow.Name, name); ok && r.owns(runs[0]) {
				note(t, runs[0].BackfilledBy == "")
			}
		}
	}
	if record := r.in.Record; record != nil {
		for _, run := range record.Runs {
			note(run.ScheduledTime, run.Verdict != Backfilled)
		}
	}
	if last := r.in.CronWorkflow.Status.LastScheduledTime; !last.IsZero() && !r.wroteLastScheduled(last) {
		note(last, true)
	}
}

// wroteLastScheduled says whether status.lastScheduledTime was t by Rollcall's hand and not because a run of t was seen.
func (r *roll) wroteLastScheduled(t time.Time) bool {
	if r.in.CronWorkflow.Status.Intended.Equal(t) {
		return true
	}
	return r.in.Record != nil && slices.ContainsFunc(r.in.Record.Moved, t.Equal)
}

func merge(a, b []time.Time) []time.Time {
	all := slices.Concat(a, b)
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
