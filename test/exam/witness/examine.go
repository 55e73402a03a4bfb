package witness

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Examine holds what was said and done against what happened. Its report's Mistakes are in the order of kind, CronWorkflow and
// time. An error is about facts that cannot be, such as a schedule that does not parse.
func Examine(truth Truth, said Said, rules Rules) (Report, error) {
	w, err := newWorld(truth, rules)
	if err != nil {
		return Report{}, err
	}
	e := &exam{world: w, report: Report{
		Unknown: map[string]int{}, Verdicts: map[string]int{}, Faults: map[string]int{},
	}}
	for _, o := range truth.Outages {
		if o.How != "" {
			e.report.Faults[o.What+" "+o.How]++
		}
	}
	e.hear(said)
	for _, c := range w.crons {
		for _, f := range c.firings {
			e.firing(c, f)
		}
		e.unscheduled(c)
		for _, r := range c.counted {
			e.run(c, r)
		}
	}
	if share := float64(e.unknown()); share > rules.UnknownShare*float64(e.report.Evidenced) {
		e.report.Mistakes = append(e.report.Mistakes, Mistake{Kind: UnknownTooOften, Why: fmt.Sprintf(
			"%d of the %d firings for which evidence existed are Unknown: %v", e.unknown(), e.report.Evidenced, e.report.Unknown)})
	}
	slices.SortStableFunc(e.report.Mistakes, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name),
			a.ScheduledTime.Compare(b.ScheduledTime))
	})
	return e.report, nil
}

// exam is one in progress.
type exam struct {
	*world
	report Report
}

func (e *exam) unknown() (n int) {
	for _, of := range e.report.Unknown {
		n += of
	}
	return n
}

func (e *exam) mistake(kind Kind, c *cronWorkflow, at time.Time, why string, args ...any) {
	e.report.Mistakes = append(e.report.Mistakes, Mistake{
		Kind: kind, Namespace: c.Namespace, Name: c.Name, UID: c.UID, ScheduledTime: at, Why: fmt.Sprintf(why, args...),
	})
}

// hear sorts what was said by firing. What was said of no firing that there is, is looked at at once.
func (e *exam) hear(said Said) {
	strangers := map[string]bool{}
	for _, v := range said.Verdicts {
		c := e.byUID[v.UID]
		if c == nil {
			continue // not of a CronWorkflow that is examined
		}
		if _, due := c.due[v.ScheduledTime.Unix()]; due {
			c.verdict[v.ScheduledTime.Unix()] = append(c.verdict[v.ScheduledTime.Unix()], v)
			continue
		}
		key := fmt.Sprint(v.UID, v.ScheduledTime.Unix())
		if lost(v.Verdict) && v.ScheduledTime.After(e.From) && v.ScheduledTime.Before(e.To) && !strangers[key] && !c.nearlyDue(v.ScheduledTime) {
			strangers[key] = true
			e.mistake(FalseMiss, c, v.ScheduledTime, "%s: nothing was due then by any spec that it had around that time", v.text())
		}
		if ran(v.Verdict) && v.ScheduledTime.After(e.From) && !strangers[key] && c.ran(v.ScheduledTime, v.SaidAt.Add(latency)) == nil &&
			!c.formersRun(v.ScheduledTime, v) && !c.ranNameless(v) {
			strangers[key] = true
			e.mistake(FalseRun, c, v.ScheduledTime, "%s: no run of that time was there by then", v.text())
		}
	}
	for _, c := range e.crons {
		for _, all := range c.verdict {
			slices.SortStableFunc(all, func(a, b Verdict) int { return a.SaidAt.Compare(b.SaidAt) })
		}
	}
}

// ranNameless says whether a run under the name of the zero time, which tells no firing, may be the one that is claimed.
func (c *cronWorkflow) ranNameless(v Verdict) bool {
	return v.Reason == "ZeroTimeName" && slices.ContainsFunc(c.counted, func(w *Workflow) bool {
		return w.Name == c.Name+zeroTimeName && !w.Created.Before(v.ScheduledTime) && !w.Created.After(v.SaidAt)
	})
}

// nearlyDue says whether a spec names t that held shortly before or after.
func (c *cronWorkflow) nearlyDue(t time.Time) bool {
	for i := range c.Specs {
		to := c.end(c.To)
		if i+1 < len(c.Specs) {
			to = c.Specs[i+1].From
		}
		margin := c.grace(&c.Specs[i]) + latency
		if t.Before(c.Specs[i].From.Add(-latency)) || t.After(to.Add(margin)) {
			continue
		}
		if next := nextFiring(c.schedules[i], t.Add(-time.Second)); next.Equal(t) {
			return true
		}
	}
	return false
}

// firing examines one firing.
func (e *exam) firing(c *cronWorkflow, f firing) {
	if c.audited(f) {
		e.verdicts(c, f)
	}
	runs := c.runs[f.at.Unix()]
	if len(runs) > 1 {
		e.doubled(c, f, runs)
	}
	if len(runs) == 0 || runs[0].Created.Sub(f.at) > c.grace(f.spec) {
		e.notRecovered(c, f)
	}
	e.liveLost(c, f)
}

// audited says whether a verdict is due on the firing: it is of the examined time, and its grace was over well before the end.
func (c *cronWorkflow) audited(f firing) bool {
	return f.at.After(c.From) && !f.spec.AuditOff && !f.at.Add(c.grace(f.spec)+lag).After(c.end(c.To))
}
