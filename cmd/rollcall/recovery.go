package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/internal/report"
)

const (
	defaultMaxParallel = 10
	defaultMaxCatchUp  = 100
)

// recoveryFlags are what every recovery by hand takes.
type recoveryFlags struct {
	dryRun, yes, verbose    bool
	maxParallel, maxCatchUp int
}

func (f *recoveryFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "Show what would be recovered and change nothing")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "Do not ask before anything is created")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "Log every attempt, retry and error to stderr")
	cmd.Flags().IntVar(&f.maxParallel, "max-parallel", defaultMaxParallel, "Most recovered runs of one CronWorkflow that may be unfinished at once (concurrencyPolicy Allow)")
	cmd.Flags().IntVar(&f.maxCatchUp, "max-catch-up", defaultMaxCatchUp, "Recover at most this many firings of one CronWorkflow, the newest")
}

func (f *recoveryFlags) validate(env environment) error {
	var problems []error
	if f.maxParallel < 1 {
		problems = append(problems, fmt.Errorf("--max-parallel: %d is not 1 or more", f.maxParallel))
	}
	if !f.yes && !f.dryRun && !env.terminal(env.In) {
		problems = append(problems, errNoTerminal)
	}
	if f.maxCatchUp < 1 {
		problems = append(problems, fmt.Errorf("--max-catch-up: %d is not 1 or more", f.maxCatchUp))
	}
	return errors.Join(problems...)
}

// policy is that of a recovery by hand of these verdicts.
func (f *recoveryFlags) policy(e *evidence, verdicts ...auditor.Verdict) backfill.Policy {
	return backfill.Policy{
		By: backfill.ByCLI, MaxParallel: f.maxParallel, MaxCatchUp: f.maxCatchUp, Verdicts: verdicts,
		Grace: e.options.Grace, DefaultDeadline: e.options.DefaultDeadline, ControllerZone: e.options.ControllerZone,
	}
}

// recovery carries plans out.
type recovery struct {
	environment
	flags    recoveryFlags
	evidence *evidence
	policy   backfill.Policy
	window   auditor.Window
	style    report.Style
	// replan is backfill.Options.Replan.
	replan func(context.Context, backfill.Key) (backfill.Plan, error)
	// quiet keeps plans and outcomes off stdout, where a document is written.
	quiet bool
}

// show writes plans, or what became of them.
func (r *recovery) show(reports []*report.BackfillReport) error {
	out := r.Out
	if r.quiet {
		out = r.ErrOut
	}
	for _, b := range reports {
		if err := report.BackfillTable(harmless{out, r.style}, b, r.style); err != nil {
			return err
		}
	}
	return nil
}

func (r *recovery) planned(plans []backfill.Plan) []*report.BackfillReport {
	var reports []*report.BackfillReport
	for _, p := range plans {
		reports = append(reports, report.NewPlanReport(r.evidence.now, r.window, r.policy, p))
	}
	return reports
}

// confirm asks before anything is created.
func (r *recovery) confirm(ctx context.Context, plans []backfill.Plan) error {
	runs := 0
	for _, p := range plans {
		runs += len(p.ToRecover())
	}
	if r.flags.yes || r.flags.dryRun || runs == 0 {
		return nil
	}
	whose := fmt.Sprintf("%d CronWorkflows", len(plans))
	if len(plans) == 1 {
		whose = plans[0].CronWorkflow.String()
	}
	what := fmt.Sprintf("%d runs", runs)
	if runs == 1 {
		what = "1 run"
	}
	return ask(ctx, r.environment, fmt.Sprintf("Create %s for %s?", what, whose))
}

// carryOut does what the plans say, or asks all that there is to ask in a dry run.
func (r *recovery) carryOut(ctx context.Context, plans []backfill.Plan) ([]*report.BackfillReport, error) {
	runs := 0
	for _, p := range plans {
		runs += len(p.ToRecover())
	}
	observer := newProgress(r.environment, r.style, runs)
	executor, err := r.executor(observer)
	if err != nil {
		return nil, err
	}
	done := executor.RunAll(ctx, plans)
	observer.end()
	var reports []*report.BackfillReport
	for i, p := range plans {
		b := report.NewBackfillReport(r.present(), r.window, r.policy, p, done[i])
		b.DryRun = r.flags.dryRun
		reports = append(reports, b)
	}
	return reports, nil
}

func (r *recovery) executor(observer backfill.Observer) (*backfill.Executor, error) {
	pattern, err := transientPattern(r.getenv)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	if r.flags.verbose {
		log = slog.New(slog.NewTextHandler(r.ErrOut, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if r.flags.dryRun {
		observer = nil // there is nothing to follow
	}
	return backfill.NewExecutor(backfill.Options{
		Submitter: r.evidence.client, Policy: r.policy, Classifier: backfill.Classifier{Transient: pattern}, Log: log,
		Now: r.present, Observer: observer, DryRun: r.flags.dryRun, StopWhenBlocked: true,
		Replan: r.replan,
	})
}

// present is the time by the API server's clock; in a dry run it may be one that was asked for.
func (r *recovery) present() time.Time {
	if !r.evidence.now.Equal(r.evidence.Now) {
		return r.evidence.now
	}
	return r.evidence.client.Now()
}

// transientVariable is Argo's own: errors that match it are worth a retry.
const transientVariable = "TRANSIENT_ERROR_PATTERN"

func transientPattern(getenv func(string) string) (*regexp.Regexp, error) {
	value := getenv(transientVariable)
	if value == "" {
		return nil, nil
	}
	pattern, err := regexp.Compile(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", transientVariable, err)
	}
	return pattern, nil
}

// conclude says on stderr what went wrong, and gives the exit status.
func (r *recovery) conclude(reports []*report.BackfillReport) status {
	result := statusDone
	interrupted := false
	for _, b := range reports {
		for _, problem := range b.Problems() {
			r.warn("error: %s", problem)
		}
		switch {
		case b.Error != "" || b.Rejected():
			result = result.and(statusFailed)
		case b.Lost() > 0 || b.Interrupted:
			result = result.and(statusLost)
		}
		interrupted = interrupted || b.Interrupted
	}
	if interrupted {
		r.warn("interrupted: the same command completes the rest (with --include Unknown, should the evidence of a firing be gone by then)")
	}
	return result
}
