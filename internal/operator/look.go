package operator

import (
	"context"
	"reflect"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// question is what a last look is to find out about one CronWorkflow: whether there are runs of firings that seem lost.
type question struct {
	cron   *cron
	absent []auditor.Finding
}

// doubt is what a look leaves that found a CronWorkflow other than it is here.
type doubt struct {
	since time.Time
	found auditor.CronWorkflow
	// newest is the newest firing that was asked for; told says that the watch has come to what was found.
	newest time.Time
	told   bool
}

// silence is that a watch does not tell of a CronWorkflow what a look found.
type silence struct {
	key auditor.Key
	doubt
}

// broken says whether what the watch tells now is what was found, or happened after that.
func (s silence) broken(key auditor.Key, cw auditor.CronWorkflow) bool {
	if key == s.key {
		if cw.UID != s.found.UID {
			return true
		}
		s.hear(cw)
	}
	return s.told || newest(cw.Status).After(s.since)
}

// doubtFor is for how long such a look counts: the next one, some 10 s later, decides.
const doubtFor = time.Minute

// hear takes in what the watch tells. It may have come past what was found before that was known here.
func (d *doubt) hear(cw auditor.CronWorkflow) {
	d.told = d.told || !d.since.IsZero() && (alike(cw, d.found) || newest(cw.Status).After(newest(d.found.Status)))
}

// askForLost has the names of what seems lost read from the API server, all those of a namespace at once.
func (r *roll) askForLost(judged []auditor.Judgement) {
	asked := map[string][]question{}
	for _, j := range judged {
		c := r.crons[j.Key]
		if len(j.Confirm) == 0 || c == nil || c.looking {
			continue
		}
		c.looking = true
		asked[j.Key.Namespace] = append(asked[j.Key.Namespace], question{c, j.Confirm})
	}
	now := r.now()
	for namespace, questions := range asked {
		term := r.term
		term.tasks.Go(func() { r.lastLook(term.ctx, namespace, questions, now) })
	}
}

// lastLook reads and has the roll hear the answers. Where the API server does not answer, the Watcher will ask again.
func (r *roll) lastLook(ctx context.Context, namespace string, questions []question, began time.Time) {
	var runs []auditor.Run
	var crons []auditor.CronWorkflow
	var err error
	select {
	case r.looks <- struct{}{}:
		runs, crons, err = r.readLost(ctx, namespace, questions)
		<-r.looks
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	r.ask(func() {
		for _, q := range questions {
			q.cron.looking = false
		}
		if err != nil {
			if ctx.Err() == nil {
				r.Log.Warn("last look failed, to be tried again", "namespace", namespace, "cronworkflows", len(questions), "error", err)
			}
			return
		}
		now := r.now()
		for _, run := range runs {
			r.seeRun(namespace, run)
		}
		for _, q := range questions {
			for _, cw := range crons {
				if cw.Name == q.cron.key.Name {
					r.answer(q, cw, runs, began, now)
				}
			}
		}
	})
}

func (r *roll) readLost(ctx context.Context, namespace string, questions []question) ([]auditor.Run, []auditor.CronWorkflow, error) {
	var names, workflows []string
	for _, q := range questions {
		names = append(names, q.cron.key.Name)
		for _, f := range q.absent {
			workflows = append(workflows, f.Workflow)
		}
	}
	runs, err := r.Cluster.LastLook(ctx, namespace, workflows)
	if err != nil {
		return nil, nil, err
	}
	crons, err := r.Cluster.Present(ctx, namespace, names)
	return runs, crons, err
}

// answer confirms what does not exist. Where the CronWorkflow itself is not what it is here, the watch is given the time to tell, which it
// does in order; what it does not tell in that time is taken from the look, and what else came and went since it last told something, and
// comes and goes until it tells again, is not known. Where it has told what the look before found, it is not silent, though there may be
// newer changes by now, as where Argo writes its error many times a second.
func (r *roll) answer(q question, live auditor.CronWorkflow, runs []auditor.Run, began, now time.Time) {
	c := q.cron
	if r.crons[c.key] != c || live.UID != c.cw.UID {
		return
	}
	d := c.doubt
	c.doubt = doubt{}
	same, recent := alike(live, c.cw), now.Sub(d.since) <= doubtFor
	if !same && (!recent || !d.told) {
		if !recent {
			c.doubt = doubt{since: now, found: live, newest: q.absent[len(q.absent)-1].ScheduledTime}
			return
		}
		r.Log.Warn("the watch does not tell what the API server says: what came and went unseen is not known", "cronworkflow", c.key.String(), "from", c.heard)
		r.watcher.Gap(r.reallySince(c.heard), now)
		r.watcher.Silent(c.key.Namespace, now)
		r.silent[c.key.Namespace] = silence{key: c.key, doubt: doubt{since: now, found: live}}
		live.Retention, live.Served = c.cw.Retention, c.cw.Served
		r.seeCronWorkflow(live)
	}
	if same {
		r.watcher.Unchanged(c.key, began)
	}
	found := map[string]bool{}
	for _, run := range runs {
		found[run.Name] = true
	}
	var absent []time.Time
	for _, f := range q.absent {
		if !found[f.Workflow] && (same || !d.told || !f.ScheduledTime.After(d.newest)) {
			absent = append(absent, f.ScheduledTime)
		}
	}
	r.watcher.Confirm(c.key, absent, now)
}

// alike says whether two looks at a CronWorkflow show the same spec and status, whatever else was written to it.
func alike(a, b auditor.CronWorkflow) bool {
	a.Status.ChangedAt, b.Status.ChangedAt = time.Time{}, time.Time{}
	return reflect.DeepEqual(presentSpec(a), presentSpec(b)) && reflect.DeepEqual(a.Status, b.Status)
}

func presentSpec(cw auditor.CronWorkflow) auditor.Spec {
	if n := len(cw.Epochs); n > 0 {
		return cw.Epochs[n-1].Spec
	}
	return auditor.Spec{}
}
