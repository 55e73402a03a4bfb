package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/test/exam/fake"
	"rollcall.dev/rollcall/test/exam/witness"
)

// do has something happen. What lasts ends with the time for faults at the latest.
func (p *play) do(d Do) {
	end := now().Add(time.Duration(d.For) * time.Second)
	if end.After(p.end()) {
		end = p.end()
	}
	outage := func(what, how string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.outage(what, how, end)
	}
	switch d.What {
	case ArgoDies:
		outage(witness.Argo, "killed")
		p.mu.Lock()
		p.argoBack = end
		if p.argo != nil {
			p.argo.Die()
		}
		p.mu.Unlock()
	case ArgoMakesRun:
		p.argoMakesRun(d)
	case ArgoFreezes:
		outage(witness.Argo, "frozen")
		p.mu.Lock()
		client := p.argo
		p.mu.Unlock()
		if client != nil {
			client.Freeze()
			p.later(end, client.Thaw)
		}
	case ArgoClock:
		outage(witness.Clock, "argo's jumped")
		p.jump(time.Duration(d.Which) * time.Millisecond)
		p.later(end, func() { p.jump(-time.Duration(d.Which) * time.Millisecond) })
	case RollcallDies, RollcallStops, RollcallFreezes:
		p.hit(p.replicas[d.Which%len(p.replicas)], d, end)
	case LeaderDies, LeaderFreezes, LeaderCrashes, LeaderCrashesAt, LeaderMakesRun, LeaderTells:
		p.mu.Lock()
		i := slices.IndexFunc(p.replicas, func(r *replica) bool { return r.leads && r.client != nil && !r.client.Dead() })
		p.mu.Unlock()
		if i >= 0 {
			p.hit(p.replicas[i], d, end)
		}
	case FaultBegins:
		f := *d.Fault
		f.To = end
		outage(cmp.Or(map[string]string{"": witness.APIServer, "argo": witness.WayOfArgo}[f.Who], witness.WayOfRollcall), f.How)
		p.server.Begin(&f)
		p.later(end, func() { p.server.End(&f) })
	case Compacts:
		p.server.Compact()
	default:
		p.person(d, end)
	}
}

// argoMakesRun has Argo die right after a create, before it can write to the status.
func (p *play) argoMakesRun(d Do) {
	p.mu.Lock()
	client := p.argo
	p.mu.Unlock()
	if client == nil || client.Dead() {
		return
	}
	p.goes.Go(func() { // after the time for faults it does not happen any more
		p.sleep(time.Until(p.end()))
		client.CrashAt(0, "", false, nil)
	})
	client.CrashAt(1+d.Which, "create workflows", true, func() {
		p.goes.Go(func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			back := now().Add(min(time.Duration(d.For)*time.Second, time.Until(p.end())))
			if p.argo == client {
				p.argoBack = back
			}
			p.outage(witness.Argo, "crashed after a create", back)
		})
	})
}

// outage notes one that begins now. Call it with mu.
func (p *play) outage(what, how string, end time.Time) {
	p.truth.outages = append(p.truth.outages, witness.Outage{What: what, How: how, From: now(), To: end})
}

func (p *play) jump(by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead += by
}

// later has a fault end.
func (p *play) later(at time.Time, end func()) {
	p.mu.Lock()
	p.pending++
	p.mu.Unlock()
	p.goes.Go(func() {
		p.sleep(time.Until(at))
		end()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pending--
	})
}

// hit has something happen to a replica.
func (p *play) hit(r *replica, d Do, end time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	client, stop := r.client, r.stop
	if client == nil || client.Dead() {
		return
	}
	how := ""
	die := func() {
		client.Die()
		stop()
	}
	switch d.What {
	case RollcallDies, LeaderDies:
		how = "killed"
		r.back = end
		die()
	case RollcallStops:
		how = "stopped"
		r.back = end
		stop()
	case RollcallFreezes, LeaderFreezes:
		how = "frozen"
		client.Freeze()
		p.pending++
		p.goes.Go(func() {
			p.sleep(time.Until(end))
			client.Thaw()
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.pending--; r.leads {
				p.ledUntil = time.Time{}
			}
		})
	case LeaderCrashes, LeaderCrashesAt, LeaderMakesRun, LeaderTells:
		kind := map[string]string{LeaderMakesRun: "create workflows", LeaderTells: "patch cronworkflows"}[d.What]
		away := min(time.Duration(d.For)*time.Second, time.Until(p.end()))
		p.goes.Go(func() { // after the time for faults it does not happen any more
			p.sleep(time.Until(p.end()))
			client.CrashAt(0, "", false, nil)
		})
		client.CrashAt(1+d.Which, kind, d.What != LeaderCrashes, func() {
			p.goes.Go(func() {
				p.mu.Lock()
				if r.client == client {
					r.back = now().Add(away)
				}
				p.outage(p.whatIs(r), "crashed between two requests", now().Add(away+leaseFor))
				p.mu.Unlock()
				stop()
			})
		})
	}
	if how != "" {
		p.outage(p.whatIs(r), how, end)
	}
}

// whatIs says what an outage of a replica that begins now is one of: where no other one is there to see what happens, of all of Rollcall.
// Call it with mu.
func (p *play) whatIs(r *replica) string {
	if r.leads && p.ledUntil.IsZero() {
		p.ledUntil = now()
	}
	if r.leads && slices.ContainsFunc(p.replicas, func(o *replica) bool { return o != r && o.client != nil && !o.client.Dead() && !o.client.Frozen() }) {
		return witness.Leader
	}
	return witness.Rollcall
}

// leaseFor is how long it takes at the most until another one leads after a leader has crashed, and knows what there is.
const leaseFor = 20 * time.Second

// person has somebody do something to a CronWorkflow.
func (p *play) person(d Do, end time.Time) {
	key := fake.Key{Namespace: namespace, Name: d.Cron}
	cw := p.server.Cron(key)
	if cw == nil {
		return
	}
	switch d.What {
	case Edits:
		p.server.EditCron(key, func(cw *fake.CronWorkflow) { cw.Spec = *d.Spec })
	case Suspends:
		p.server.EditCron(key, func(cw *fake.CronWorkflow) { cw.Spec.Suspend = true })
		p.goes.Go(func() {
			if p.sleep(time.Until(end)) {
				p.server.EditCron(key, func(cw *fake.CronWorkflow) { cw.Spec.Suspend = false })
			}
		})
	case Deletes:
		p.server.DeleteCron(key)
		if d.For > 0 {
			p.goes.Go(func() {
				if p.sleep(time.Until(end)) && p.server.Cron(key) == nil {
					p.server.CreateCron(fake.CronWorkflow{Key: key, Spec: cw.Spec, Settings: cw.Settings})
				}
			})
		}
	case Touches:
		p.server.EditCron(key, func(cw *fake.CronWorkflow) {
			if cw.Annotations == nil {
				cw.Annotations = map[string]string{}
			}
			cw.Annotations["touched"] = now().Format(time.RFC3339)
		})
	case Resumes:
		p.server.EditCron(key, func(cw *fake.CronWorkflow) {
			cw.Spec.StopAfter = 0
			cw.Status.Phase = fake.Active
			delete(cw.Labels, fake.Completed)
		})
	case Submits:
		p.submits++
		w := fake.NewRun(cw, fmt.Sprintf("%s-x%03d", cw.Name, p.submits), now())
		p.server.CreateRun(w)
	case TakesName:
		at := now().Truncate(time.Minute).Add(time.Duration(1+d.Which) * time.Minute)
		p.server.CreateRun(fake.Workflow{Key: fake.Key{Namespace: namespace, Name: auditor.WorkflowName(cw.Name, at)}, Scheduled: at, TTL: -1})
	default:
		p.toRun(d, cw)
	}
}

// toRun has somebody do something to one of its runs.
func (p *play) toRun(d Do, cw *fake.CronWorkflow) {
	var own []*fake.Workflow
	for _, w := range p.server.Runs() {
		if w.Owner == cw.UID && (d.What != Retries || w.Phase == fake.Failed) {
			own = append(own, w)
		}
	}
	if len(own) == 0 {
		return
	}
	slices.SortFunc(own, func(a, b *fake.Workflow) int { return cmp.Compare(a.Name, b.Name) })
	w := own[d.Which%len(own)]
	switch d.What {
	case DeletesRun:
		p.server.DeleteRun(w.Key)
	case Resubmits:
		p.submits++
		again := fake.NewRun(cw, fmt.Sprintf("%s-x%03d", w.Name, p.submits), w.Scheduled)
		p.server.CreateRun(again)
	case Retries:
		p.server.RetryRun(w.Key)
	default:
		panic("nobody knows how to do " + d.What)
	}
}
