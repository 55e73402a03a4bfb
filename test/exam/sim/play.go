package sim

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/metrics"
	"rollcall.dev/rollcall/internal/operator"
	"rollcall.dev/rollcall/test/exam/fake"
	"rollcall.dev/rollcall/test/exam/model"
	"rollcall.dev/rollcall/test/exam/witness"
)

const namespace = "default"

// play is a world that happens. It is to be called in a bubble of testing/synctest.
type play struct {
	World
	server *fake.Server
	truth  *truth
	said   *said
	ctx    context.Context
	goes   sync.WaitGroup

	mu sync.Mutex
	// argo and replicas are the processes that live; a nil one is to come back.
	argo     *fake.Client
	argoBack time.Time
	ahead    time.Duration // of Argo's clock
	replicas []*replica
	pending  int // faults that have not ended
	// ledUntil is since when there has been no leader, or a frozen one; zero while one leads.
	ledUntil time.Time
	submits  int
	hands    int
}

type replica struct {
	number, life int
	client       *fake.Client
	stop         context.CancelFunc // in order
	started      time.Time
	back         time.Time
	leads        bool
}

// Play lets a world happen. What is logged goes to log, if that is not nil.
func Play(w World, rules witness.Rules, log slog.Handler) (witness.Report, error) {
	time.Sleep(time.Until(w.Start))
	p := &play{World: w, server: fake.NewServer(w.Seed), truth: newTruth(), said: &said{log: log}, ahead: time.Duration(w.ArgoAhead) * time.Millisecond}
	p.server.Singly = w.Singly
	p.server.Wrote, p.server.Unrecorded = p.truth.saw, p.truth.madeUnrecorded
	if log != nil {
		writes := slog.New(log)
		p.server.Wrote = func(e fake.Event) {
			p.truth.saw(e)
			show(writes, e)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p.ctx = ctx
	for _, c := range w.Crons {
		p.create(c)
	}
	p.goes.Go(p.runArgo)
	for n := range w.Replicas {
		r := &replica{number: n + 1}
		p.replicas = append(p.replicas, r)
		p.goes.Go(func() { p.runReplica(r) })
	}
	for _, b := range w.ByHand {
		p.goes.Go(func() {
			if at := time.Until(w.Start.Add(time.Duration(b.At) * time.Second)); p.sleep(at) {
				p.recover(b)
			}
		})
	}
	for _, d := range w.inOrder() {
		at := w.Start.Add(time.Duration(d.At) * time.Second)
		if !at.Before(w.end()) {
			break
		}
		time.Sleep(time.Until(at))
		p.do(d)
	}
	time.Sleep(time.Until(w.end()))
	faultsEnd := p.awaitHealth()
	time.Sleep(Quiet)
	if len(w.ByHand) > 0 {
		p.auditAll()
	}
	to := now()
	p.mu.Lock()
	for _, r := range p.replicas {
		if r.client != nil {
			r.client.Die()
			r.stop()
		}
	}
	if p.argo != nil {
		p.argo.Die()
	}
	p.mu.Unlock()
	cancel()
	p.goes.Wait()

	told := p.truth.told()
	told.Traceless = w.Singly
	told.From, told.To, told.FaultsEnd = w.Start.Add(time.Minute), to, faultsEnd
	report, err := witness.Examine(told, p.said.told(), rules)
	report.Mistakes = append(report.Mistakes, p.truth.unrecorded...)
	return report, err
}

// show logs a change of an object.
func show(log *slog.Logger, e fake.Event) {
	if cw := e.CronWorkflow; cw != nil {
		log.Info("stored", "cronworkflow", namespace+"/"+cw.Name, "gone", e.Gone, "last", cw.Status.Last.Format(time.TimeOnly), "active", cw.Status.Active,
			"phase", cw.Status.Phase, "failed", cw.Status.Failed, "suspend", cw.Spec.Suspend, "error", cw.Status.SubmissionError, "annotations", cw.Annotations, "labels", cw.Labels)
		return
	}
	w := e.Workflow
	log.Info("stored", "workflow", w.Name, "gone", e.Gone, "phase", w.Phase, "by", w.BackfilledBy, "scheduled", w.Scheduled.Format(time.TimeOnly), "shutdown", w.Shutdown)
}

// awaitHealth waits until every piece is up, and Argo and one Rollcall lead.
func (p *play) awaitHealth() time.Time {
	for {
		p.mu.Lock()
		well := p.pending == 0 && p.argo != nil && !p.argo.Dead()
		leads := false
		for _, r := range p.replicas {
			well = well && r.client != nil && !r.client.Dead()
			leads = leads || r.leads
		}
		p.mu.Unlock()
		if well && leads && p.server.Held(fake.ArgosLease) {
			return now()
		}
		time.Sleep(time.Second)
	}
}

func (p *play) create(c Cron) {
	cw := fake.CronWorkflow{Key: fake.Key{Namespace: namespace, Name: c.Name}, Spec: c.Spec, Settings: auditor.Settings{
		CatchUp: auditor.CatchUp(c.CatchUp), Backfill: auditor.Backfill(c.Backfill),
	}}
	for text, field := range map[string]*time.Duration{c.Grace: &cw.Settings.Grace, c.Deadline: &cw.Settings.Deadline} {
		if text != "" {
			*field, _ = time.ParseDuration(text)
		}
	}
	p.server.CreateCron(cw)
}

// runArgo has the kubelet's part: a controller that ended comes back.
func (p *play) runArgo() {
	for life := 1; p.ctx.Err() == nil; life++ {
		p.mu.Lock()
		wait := time.Until(p.argoBack)
		p.mu.Unlock()
		if !p.sleep(wait) {
			return
		}
		client := p.server.NewClient(fmt.Sprintf("argo.%d", life))
		p.mu.Lock()
		p.argo, p.argoBack = client, time.Time{}
		p.mu.Unlock()
		ctx, cancel := context.WithCancel(p.ctx)
		ended := make(chan struct{})
		go func() { // it dies when its client does
			for !client.Dead() {
				if !p.sleepIn(ctx, time.Second) {
					break
				}
			}
			cancel()
			close(ended)
		}()
		model.New(p.server, client, p.argoAhead).Run(ctx)
		cancel()
		<-ended
		p.mu.Lock()
		if p.argoBack.IsZero() {
			p.argoBack = now().Add(2 * time.Second)
		}
		p.mu.Unlock()
	}
}

func (p *play) argoAhead() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ahead
}

func (p *play) runReplica(r *replica) {
	for p.ctx.Err() == nil {
		p.mu.Lock()
		wait := time.Until(r.back)
		p.mu.Unlock()
		if !p.sleep(wait) {
			return
		}
		ctx, cancel := context.WithCancel(p.ctx)
		p.mu.Lock()
		r.life++
		client := p.server.NewClient(fmt.Sprintf("rollcall-%d.%d", r.number, r.life))
		r.client, r.stop, r.started, r.back, r.leads = client, cancel, now(), time.Time{}, false
		p.mu.Unlock()
		o, err := p.operator(r, client)
		if err != nil {
			panic(err)
		}
		if err := o.Run(ctx); err != nil {
			panic(err)
		}
		client.Die()
		cancel()
		p.mu.Lock()
		p.lead(r, false)
		if r.back.IsZero() {
			r.back = now().Add(2 * time.Second)
		}
		p.mu.Unlock()
	}
}

func (p *play) operator(r *replica, client *fake.Client) (*operator.Operator, error) {
	m, err := metrics.New(prometheus.NewRegistry(), "exam", "exam")
	if err != nil {
		return nil, err
	}
	wrong := time.Duration(p.RollcallAhead) * time.Millisecond
	cluster := fake.NewReplica(client, func() time.Duration { return wrong })
	return operator.New(operator.Options{
		Cluster: cluster, Submitter: cluster, Records: fake.NewRecords(client), Metrics: m, Log: slog.New(ear{p.said, client}),
		Leadership: fake.NewElection(client, func(leads bool) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if r.client == client {
				p.lead(r, leads)
			}
		}),
		Backfill: auditor.BackfillOn, MaxParallel: 10, MaxCatchUp: 100,
	})
}

const (
	// toRead is how long it may take one that begins to lead to have read what there is.
	toRead = 5 * time.Second
	// recorded is how old a record may be.
	recorded = 75 * time.Second
)

// lead takes in that a replica begins to lead, or does not lead any more. One that was not there yet when the last one put on record what
// it saw does not know what that saw after it, whoever else was there. Call it with mu.
func (p *play) lead(r *replica, leads bool) {
	switch {
	case leads:
		if known := p.ledUntil.Add(-recorded); !p.ledUntil.IsZero() && r.started.After(known) {
			p.truth.outages = append(p.truth.outages, witness.Outage{What: witness.Rollcall, From: known, To: now().Add(toRead)})
		}
		p.ledUntil = time.Time{}
	case r.leads && p.ledUntil.IsZero():
		p.ledUntil = now()
	}
	r.leads = leads
}

// sleep waits; false when the world has ended.
func (p *play) sleep(d time.Duration) bool { return p.sleepIn(p.ctx, d) }

func (p *play) sleepIn(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func cut(key string) (namespace, name string, ok bool) { return strings.Cut(key, "/") }
