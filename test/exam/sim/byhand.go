package sim

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/test/exam/fake"
)

// A ByHand is somebody who has lost runs of a CronWorkflow brought back by the command line: those that are certain. What is likely is
// lost unless somebody deleted a run, as people in these worlds do.
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
		By: backfill.ByCLI, MaxParallel: 10, MaxCatchUp: 100, IgnoreDeadline: h.IgnoreDeadline, CertainOnly: true,
		Verdicts: []auditor.Verdict{auditor.Missed, auditor.Expired, auditor.GaveUp},
	}
}

// plan reads, audits and plans.
func (h *hand) plan(ctx context.Context) (backfill.Plan, error) {
	cw, roll, now, err := h.audit(ctx, auditor.Window{From: h.from, To: h.to})
	if err != nil {
		return backfill.Plan{}, err
	}
	plan := backfill.NewPlan(cw, roll.Findings, h.policy(), now)
	for _, step := range plan.ToRecover() {
		f := step.Finding
		h.log.Debug("planned", "cronworkflow", cw.Name, "firing", f.ScheduledTime, "verdict", f.Verdict, "certainty", f.Certainty, "evidence", f.Evidence, "recordless", h.Recordless)
	}
	return plan, nil
}

// audit reads and judges, as cmd/rollcall does (source.readCluster, evidence.recall, evidence.judge).
func (h *hand) audit(ctx context.Context, window auditor.Window) (cw auditor.CronWorkflow, roll auditor.Report, now time.Time, err error) {
	key := fake.Key{Namespace: namespace, Name: h.Cron}
	in, err := h.cluster.Read(ctx, key)
	if err != nil {
		return cw, roll, now, err
	}
	states := map[auditor.Key]auditor.State{}
	if !h.Recordless {
		if states, err = fake.NewRecords(h.client).Load(ctx); ctx.Err() != nil {
			return cw, roll, now, err
		}
	}
	now = h.cluster.Now()
	var opts auditor.Options
	if state, ok := states[auditor.Key(key)]; ok {
		in = auditor.WithState(in, state, now, opts)
	}
	if roll, err = auditor.Audit(in, window, now, opts); err != nil {
		return cw, roll, now, err
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
			return cw, roll, now, err
		}
		in.Runs = append(in.Runs, runs...)
		if roll, err = auditor.Audit(in, window, now, opts); err != nil {
			return cw, roll, now, err
		}
	}
	return in.CronWorkflow, roll, now, nil
}

// auditAll has the command line audit the last hour in the end, but for the last moments: a record may be a minute old. Of what is older it
// may have forgotten much. What it says is the last that is said.
func (p *play) auditAll() {
	client := p.server.NewClient("rollcall-audit")
	defer client.Die()
	ears := slog.New(ear{p.said, client})
	for _, c := range p.Crons {
		h := &hand{ByHand: ByHand{Cron: c.Name}, client: client, cluster: fake.NewReplica(client, func() time.Duration { return 0 })}
		cw, roll, _, err := h.audit(p.ctx, auditor.Window{From: now().Add(-time.Hour), To: now().Add(-90 * time.Second)})
		if err != nil {
			continue // it is gone, or cannot be judged
		}
		for _, f := range roll.Findings {
			if f.Verdict != auditor.Pending {
				ears.Info("verdict", "cronworkflow", namespace+"/"+c.Name, "uid", cw.UID, "firing", f.ScheduledTime.UTC().Format(time.RFC3339),
					"verdict", string(f.Verdict), "reason", string(f.Reason), "certainty", string(f.Certainty), "cause", string(f.Cause))
			}
		}
	}
}
