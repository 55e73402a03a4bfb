package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/test/exam/fake"
)

// A ByHand is somebody who has lost runs of a CronWorkflow brought back by the command line.
type ByHand struct {
	// At is the second of the world in which it is read what was lost in the Back seconds before.
	At   int    `json:"at"`
	Back int    `json:"back"`
	Cron string `json:"cron"`
	// Thinks is how many seconds the plan is looked at.
	Thinks int `json:"thinks,omitempty"`
	// IgnoreDeadline is --ignore-deadline. Recordless says that the add-on's records cannot be read.
	IgnoreDeadline bool `json:"ignoreDeadline,omitempty"`
	Recordless     bool `json:"recordless,omitempty"`
	// Interrupted is after how many seconds of carrying it out it is interrupted; 0 for never. Dies is at which request from then on the
	// process dies once that was carried out; 0 for never.
	Interrupted int `json:"interrupted,omitempty"`
	Dies        int `json:"dies,omitempty"`
}

// hand is the process of a ByHand.
type hand struct {
	ByHand
	client  *fake.Client
	cluster *fake.Replica
	log     *slog.Logger
	from    time.Time
	to      time.Time
}

// recover does what "rollcall backfill" does.
func (p *play) recover(b ByHand) {
	p.mu.Lock()
	p.hands++
	client := p.server.NewClient(fmt.Sprintf("rollcall-by-hand-%d", p.hands))
	p.mu.Unlock()
	wrong := time.Duration(p.RollcallAhead) * time.Millisecond
	h := &hand{ByHand: b, client: client, cluster: fake.NewReplica(client, func() time.Duration { return wrong }), log: slog.New(ear{p.said, client})}
	p.goes.Go(func() {
		defer client.Die()
		h.to = h.cluster.Now()
		h.from = h.to.Add(-time.Duration(b.Back) * time.Second)
		plan, err := h.plan(p.ctx)
		if err != nil || !p.sleep(time.Duration(b.Thinks)*time.Second) || len(plan.ToRecover()) == 0 {
			return
		}
		ctx, cancel := context.WithCancel(p.ctx)
		defer cancel()
		if b.Interrupted > 0 {
			stop := time.AfterFunc(time.Duration(b.Interrupted)*time.Second, cancel)
			defer stop.Stop()
		}
		if b.Dies > 0 {
			client.CrashAt(b.Dies, "", true, cancel)
		}
		executor, err := backfill.NewExecutor(backfill.Options{
			Submitter: h.cluster, Policy: h.policy(), Log: h.log, Now: h.cluster.Now, StopWhenBlocked: true,
			Replan: func(ctx context.Context, key backfill.Key) (backfill.Plan, error) { return h.plan(ctx) },
		})
		if err != nil {
			panic(err)
		}
		executor.Run(ctx, plan)
	})
}

func (h *hand) policy() backfill.Policy {
	return backfill.Policy{
		By: backfill.ByCLI, MaxParallel: 10, MaxCatchUp: 100, IgnoreDeadline: h.IgnoreDeadline,
		Verdicts: []auditor.Verdict{auditor.Missed, auditor.Expired, auditor.GaveUp},
	}
}

// plan reads, audits and plans, as cmd/rollcall does (source.readCluster, evidence.recall, evidence.judge).
func (h *hand) plan(ctx context.Context) (backfill.Plan, error) {
	key := fake.Key{Namespace: namespace, Name: h.Cron}
	in, err := h.cluster.Read(ctx, key)
	if err != nil {
		return backfill.Plan{}, err
	}
	states := map[auditor.Key]auditor.State{}
	if !h.Recordless {
		states, err = fake.NewRecords(h.client).Load(ctx)
		if errors.Is(err, context.Canceled) {
			return backfill.Plan{}, err
		}
	}
	now := h.cluster.Now()
	var opts auditor.Options
	if state, ok := states[auditor.Key(key)]; ok && state.UID == in.CronWorkflow.UID {
		in = auditor.WithState(in, state, now, opts)
	}
	window := auditor.Window{From: h.from, To: h.to}
	roll, err := auditor.Audit(in, window, now, opts)
	if err != nil {
		return backfill.Plan{}, err
	}
	var lost []string
	for _, f := range roll.Findings {
		if f.Verdict == auditor.Missed || f.Verdict == auditor.Expired {
			lost = append(lost, f.Workflow)
		}
	}
	if len(lost) > 0 {
		runs, err := h.cluster.LastLook(ctx, namespace, lost)
		if err != nil {
			return backfill.Plan{}, err
		}
		in.Runs = append(in.Runs, runs...)
		if roll, err = auditor.Audit(in, window, now, opts); err != nil {
			return backfill.Plan{}, err
		}
	}
	return backfill.NewPlan(in.CronWorkflow, roll.Findings, h.policy(), now), nil
}
