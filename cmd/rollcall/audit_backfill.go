package main

import (
	"context"
	"fmt"
	"slices"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// recover recovers what the audit found Missed, and then audits once more to show the outcome.
func (a *audit) recover(ctx context.Context, e *evidence, rolls []roll, names []string, window auditor.Window) error {
	policy := a.recovery.policy(e, auditor.Missed)
	r := &recovery{
		environment: a.environment, flags: a.recovery, evidence: e, policy: policy, window: window, style: a.style(), quiet: !a.forPeople(),
	}
	// Nobody has named these firings, so what the CronWorkflow itself says of catching up counts.
	plan := func(e *evidence, cw auditor.CronWorkflow, findings []auditor.Finding) backfill.Plan {
		policy := policy
		policy.CatchUp = cw.Settings.CatchUp
		return backfill.NewPlan(cw, findings, policy, e.now)
	}
	r.replan = func(ctx context.Context, key backfill.Key) (backfill.Plan, error) {
		e, observed, err := a.readAgain(ctx, e, key)
		if err != nil {
			return backfill.Plan{}, err
		}
		again := a.judgeOne(ctx, e, observed, window, auditor.MaxFirings)
		return plan(e, again.CronWorkflow, again.report.Findings), again.err
	}
	var plans []backfill.Plan
	result := statusDone
	for _, roll := range rolls {
		// What was backfilled is in the plan too: a status write that a crash left out is made up for.
		concerned := slices.DeleteFunc(slices.Clone(roll.report.Findings), func(f auditor.Finding) bool {
			return f.Verdict != auditor.Missed && f.Verdict != auditor.Backfilled
		})
		plan := plan(e, roll.CronWorkflow, concerned)
		if missed := roll.report.Totals[auditor.Missed]; missed == 0 && (a.recovery.dryRun || !plan.OwesStatus()) {
			continue
		}
		if refused := r.planned([]backfill.Plan{plan})[0].Refused(); refused != "" {
			a.warn("error: %s", refused)
			result = statusFailed
			continue
		}
		plans = append(plans, plan)
	}
	if len(plans) > 0 {
		recovered, err := a.carryOut(ctx, r, plans)
		if err != nil {
			return err
		}
		result = result.and(recovered)
	}
	if len(plans) > 0 && !a.recovery.dryRun {
		var err error
		if e, rolls, err = a.again(context.WithoutCancel(ctx), names, window); err != nil {
			return err
		}
	}
	report := a.report(e, rolls, window)
	if err := a.write(report); err != nil {
		return err
	}
	return result.and(a.conclude(report)).asError()
}

// carryOut shows the plans, asks, and carries them out.
func (a *audit) carryOut(ctx context.Context, r *recovery, plans []backfill.Plan) (status, error) {
	if !a.recovery.dryRun {
		if err := r.show(r.planned(plans)); err != nil {
			return statusFailed, err
		}
		if err := r.confirm(ctx, plans); err != nil {
			return statusFailed, err
		}
	}
	reports, err := r.carryOut(ctx, plans)
	if err != nil {
		return statusFailed, err
	}
	if a.recovery.dryRun {
		if err := r.show(reports); err != nil {
			return statusFailed, err
		}
	}
	if a.forPeople() {
		if _, err := fmt.Fprintln(r.Out); err != nil {
			return statusFailed, err
		}
	}
	return r.conclude(reports), nil
}

// again reads and judges once more, after something was changed.
func (a *audit) again(ctx context.Context, names []string, window auditor.Window) (*evidence, []roll, error) {
	e, err := a.read(ctx, names, a.allNamespaces)
	if err != nil {
		return nil, nil, err
	}
	rolls, err := a.judgeAll(ctx, e, names, window)
	return e, rolls, err
}
