package witness

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// world is the truth, by CronWorkflow.
type world struct {
	Truth
	rules Rules
	crons []*cronWorkflow
	byUID map[string]*cronWorkflow
	// blind are the outages in which Rollcall could not see; troubled those in which it could not act; argoDown those in which Argo
	// could not; dead those in which no process of Rollcall ran, so that it knew no more than its record; any are all of them.
	// clock those in which somebody's clock was wrong.
	blind, troubled, argoDown, dead, any, clock stretches
}

// cronWorkflow is one CronWorkflow and all that happened to it.
type cronWorkflow struct {
	*world
	CronWorkflow
	schedules [][]cron.Schedule // of each spec
	firings   []firing
	due       map[int64]int // index in firings by unix time
	// runs are the Workflows of its firings by unix time, in the order of creation; counted are all that Argo counts as its own,
	// in the order of creation.
	runs    map[int64][]*Workflow
	of      map[*Workflow]time.Time // the firing that a Workflow is the run of
	counted []*Workflow
	// taken are Workflows of others under the names of its firings.
	taken   map[int64][]*Workflow
	verdict map[int64][]Verdict
}

// stretch is the time from from to to.
type stretch struct{ from, to time.Time }

type stretches []stretch

// overlap says whether one of them touches [from, to].
func (s stretches) overlap(from, to time.Time) bool {
	return slices.ContainsFunc(s, func(o stretch) bool { return !o.from.After(to) && !o.to.Before(from) })
}

// lastEnd is the end of the last one that touches [from, to]; zero where none does.
func (s stretches) lastEnd(from, to time.Time) (end time.Time) {
	for _, o := range s {
		if !o.from.After(to) && !o.to.Before(from) && o.to.After(end) {
			end = o.to
		}
	}
	return end
}

const (
	// zeroTimeName ends the name of a run whose scheduled time Argo took for the zero time.
	zeroTimeName = "--62135596800"
	// lag is how long after its end a run may still be active to Argo, which looks every 10 s, and pauses between.
	lag = 15 * time.Second
	// latency is how far the seconds of two clocks, and of what was seen when, may lie apart.
	latency = 2 * time.Second
	// recordLag is how old what a record says may be when it is written: it is written once a minute at the most.
	recordLag = 75 * time.Second
	// inFlight is how long a request may be on its way between Rollcall's look and its effect: its timeout.
	inFlight = 12 * time.Second
)

func newWorld(truth Truth, rules Rules) (*world, error) {
	w := &world{Truth: truth, rules: rules, byUID: map[string]*cronWorkflow{}}
	for _, o := range truth.Outages {
		s := stretch{o.From, o.To}
		w.any = append(w.any, s)
		switch o.What {
		case APIServer, Etcd:
			w.blind, w.troubled, w.argoDown = append(w.blind, s), append(w.troubled, s), append(w.argoDown, s)
		case Rollcall:
			w.blind, w.troubled, w.dead = append(w.blind, s), append(w.troubled, s), append(w.dead, s)
		case WayOfRollcall:
			w.blind, w.troubled = append(w.blind, s), append(w.troubled, s)
		case Leader:
			w.troubled = append(w.troubled, s)
		case Argo, WayOfArgo:
			w.argoDown = append(w.argoDown, s)
		case Clock:
			w.clock = append(w.clock, s)
			w.blind, w.troubled, w.argoDown = append(w.blind, s), append(w.troubled, s), append(w.argoDown, s)
		default:
			return nil, fmt.Errorf("witness: no piece is called %q", o.What)
		}
	}
	for _, cw := range truth.CronWorkflows {
		c := &cronWorkflow{
			world: w, CronWorkflow: cw, due: map[int64]int{}, runs: map[int64][]*Workflow{}, of: map[*Workflow]time.Time{},
			taken: map[int64][]*Workflow{}, verdict: map[int64][]Verdict{},
		}
		if err := c.findFirings(); err != nil {
			return nil, fmt.Errorf("witness: CronWorkflow %s/%s: %w", cw.Namespace, cw.Name, err)
		}
		w.crons = append(w.crons, c)
		w.byUID[cw.UID] = c
	}
	byName := map[string][]*cronWorkflow{}
	for _, c := range w.crons {
		byName[c.Namespace+"/"+c.Name] = append(byName[c.Namespace+"/"+c.Name], c)
	}
	for i := range truth.Workflows {
		r := &truth.Workflows[i]
		if c := w.byUID[r.OwnerUID]; c != nil {
			c.counted = append(c.counted, r)
		}
		dash := max(strings.LastIndexByte(r.Name, '-'), 0)
		for _, c := range byName[r.Namespace+"/"+r.Name[:dash]] {
			if unix, err := strconv.ParseInt(r.Name[dash+1:], 10, 64); err == nil && c.UID != r.OwnerUID {
				c.taken[unix] = append(c.taken[unix], r)
			}
		}
	}
	for _, c := range w.crons {
		slices.SortFunc(c.counted, func(a, b *Workflow) int { return a.Created.Compare(b.Created) })
		c.sortRuns()
	}
	return w, nil
}

// findFirings works out all scheduled times of the CronWorkflow's life.
func (c *cronWorkflow) findFirings() error {
	for i := range c.Specs {
		spec := &c.Specs[i]
		schedules, err := expressions(spec)
		if err != nil {
			return err
		}
		c.schedules = append(c.schedules, schedules)
		from, to := later(spec.From, c.From), c.end(c.To)
		next := to
		if i+1 < len(c.Specs) {
			next = earlier(to, c.Specs[i+1].From)
		}
		for _, t := range firingsBetween(schedules, from.Add(-time.Nanosecond), next) {
			if i+1 < len(c.Specs) && !t.Before(c.Specs[i+1].From) {
				continue // it is the next spec's
			}
			if !t.After(c.From) || !t.After(c.Created) { // it was created in that second, or later
				continue
			}
			grace := c.grace(spec)
			settled := t.Sub(spec.From) > grace+latency && (i+1 == len(c.Specs) || c.Specs[i+1].From.Sub(t) > grace)
			if _, twice := c.due[t.Unix()]; !twice {
				c.due[t.Unix()] = len(c.firings)
				c.firings = append(c.firings, firing{t, spec, settled})
			}
		}
	}
	return nil
}

// sortRuns finds out which Workflow is whose firing's.
func (c *cronWorkflow) sortRuns() {
	var nameless []*Workflow
	for _, w := range c.counted {
		if w.Name == c.Name+zeroTimeName {
			nameless = append(nameless, w)
			continue
		}
		var unix int64
		if n, err := fmt.Sscanf(w.Name, c.Name+"-%d", &unix); n == 1 && err == nil && w.Name == fmt.Sprintf("%s-%d", c.Name, unix) {
			c.isRunOf(w, unix)
		}
	}
	for _, w := range nameless { // it is the run of the newest firing before it
		i, _ := slices.BinarySearchFunc(c.firings, w.Created, func(f firing, t time.Time) int {
			if f.at.After(t) {
				return 1
			}
			return -1
		})
		if i > 0 && !w.Created.After(c.firings[i-1].at.Add(c.grace(c.firings[i-1].spec))) {
			c.isRunOf(w, c.firings[i-1].at.Unix())
		}
	}
}

func (c *cronWorkflow) isRunOf(w *Workflow, unix int64) {
	c.runs[unix] = append(c.runs[unix], w)
	c.of[w] = time.Unix(unix, 0).UTC()
}

// end is its deletion, or t where that is earlier.
func (c *cronWorkflow) end(t time.Time) time.Time {
	if !c.Deleted.IsZero() && c.Deleted.Before(t) {
		return c.Deleted
	}
	return t
}

// specAt is the index of the spec that held at t; -1 before its creation.
func (c *cronWorkflow) specAt(t time.Time) int {
	at := -1
	for i := range c.Specs {
		if !c.Specs[i].From.After(t) {
			at = i
		}
	}
	return at
}

// anySpec says whether one of the specs of [from, to] is so.
func (c *cronWorkflow) anySpec(from, to time.Time, holds func(*Spec) bool) bool {
	for i := max(c.specAt(from), 0); i < len(c.Specs); i++ {
		if c.Specs[i].From.After(to) {
			break
		}
		if holds(&c.Specs[i]) {
			return true
		}
	}
	return false
}

// statusesOf are what status held at from, and what it became in the time until to.
func (c *cronWorkflow) statusesOf(from, to time.Time) []Status {
	first, _ := slices.BinarySearchFunc(c.Statuses, from, func(s Status, t time.Time) int {
		if s.At.After(t) {
			return 1
		}
		return -1
	})
	first = max(first-1, 0)
	last := first
	for last < len(c.Statuses) && !c.Statuses[last].At.After(to) {
		last++
	}
	return c.Statuses[first:last]
}

func (c *cronWorkflow) statusAt(t time.Time) Status {
	all := c.statusesOf(t, t)
	if len(all) == 0 {
		return Status{}
	}
	return all[len(all)-1]
}

// grace is how long a firing is Pending: at most half its deadline, and never under 10 s.
func (c *cronWorkflow) grace(s *Spec) time.Duration {
	grace := c.rules.Grace
	if s.Grace > 0 {
		grace = s.Grace
	}
	if s.StartingDeadline > 0 {
		grace = min(grace, s.StartingDeadline/2)
	}
	return max(grace, 10*time.Second)
}

// deadline is how late its runs may be; zero where nothing may be late.
func (s *Spec) deadline() time.Duration {
	if s.StartingDeadline > 0 {
		return s.StartingDeadline
	}
	return s.Deadline
}

func (s *Spec) policy() string {
	if s.Policy == "" {
		return "Allow"
	}
	return s.Policy
}

// whenFalse says that the expression was plainly false at t, whenUnclear that it cannot be told.
func (s *Spec) whenFalse(t time.Time) bool { return s.WhenAt != nil && !s.WhenAt(t) }
func (s *Spec) whenUnclear() bool          { return s.When != "" && s.WhenAt == nil }

// alive says whether the Workflow was there and not ended at any time of [from, to].
func (w *Workflow) alive(from, to time.Time) bool {
	if w.Created.After(to) {
		return false
	}
	return !w.over(from)
}

// over says whether it had ended, or was gone, before t.
func (w *Workflow) over(t time.Time) bool {
	return !w.Ended.IsZero() && w.Ended.Before(t) || !w.Deleted.IsZero() && w.Deleted.Before(t)
}

// active says whether a run that Argo counts, other than that of the firing at, was under way at any time of [from, to].
func (c *cronWorkflow) active(at, from, to time.Time) *Workflow {
	own := c.runs[at.Unix()]
	for _, w := range c.counted {
		if w.alive(from, to) && !slices.Contains(own, w) {
			return w
		}
	}
	return nil
}

// nameTaken says whether a Workflow of somebody else bore the firing's name at any time of [from, to].
func (c *cronWorkflow) nameTaken(at, from, to time.Time) bool {
	return slices.ContainsFunc(c.taken[at.Unix()], func(w *Workflow) bool {
		return !w.Created.After(to) && (w.Deleted.IsZero() || !w.Deleted.Before(from))
	})
}

// ran is the first run of a firing that was made until t; nil where there was none.
func (c *cronWorkflow) ran(at, until time.Time) *Workflow {
	for _, w := range c.runs[at.Unix()] {
		if !w.Created.After(until) {
			return w
		}
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("15:04:05.0")
}
