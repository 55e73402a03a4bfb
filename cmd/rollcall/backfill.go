package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/internal/argo"
	"rollcall.dev/rollcall/internal/report"
	"rollcall.dev/rollcall/schedule"
)

// recoverOne is one "rollcall backfill".
type recoverOne struct {
	*output
	*source
	recovery       recoveryFlags
	from, to       string
	at             []string
	order          string
	include        []string
	ignoreDeadline bool
	detached       bool
}

func newBackfill(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backfill NAME (--from TIME --to TIME | --at TIME...)",
		Short: "Bring back lost runs of a CronWorkflow, each once",
		Long: `Bring back lost runs of a CronWorkflow: what is Missed, Expired or GaveUp in the window, each once, exactly as Argo would
have created it. The window is what lies after --from, until --to. The plan is shown, and nothing is created before you agree.

A firing whose starting deadline has passed is recovered only with --ignore-deadline, one that is Skipped or Unknown only with
--include. It is safe to interrupt and to repeat: what has a run is left alone. So is what ran while the plan was being looked at:
it is audited anew where it is more than a few seconds old.

Exit status: 0 all that was lost is recovered (with --dry-run: would be); 2 some is not; 1 it could not be done.`,
		Example: `  # See what an outage cost and what would be recovered, then recover it
  rollcall backfill tick --from 2026-11-23T04:00:00Z --to 2026-11-23T06:00:00Z --dry-run
  rollcall backfill tick --from 2026-11-23T04:00:00Z --to 2026-11-23T06:00:00Z

  # Two firings by their times, past their deadline, without asking
  rollcall backfill tick --at 2026-11-23T04:40:00Z --at 2026-11-23T04:41:00Z --ignore-deadline --yes

  # October of a job that runs at midnight, newest first, out of the way of history limits and concurrencyPolicy; --from itself is
  # not in the window, --to is
  rollcall backfill report -n etl --from 2026-09-30T23:59:59Z --to 2026-10-31T23:59:59Z \
    --ignore-deadline --include Unknown --order newest --detached`,
		Args: oneName,
	}
	b := &recoverOne{output: newOutput(env, cmd, formatTable, formatJSON, formatYAML)}
	b.source = newSource(env, cmd)
	b.connection.dumpless = true
	cmd.Flags().StringVar(&b.from, "from", "", "Recover firings after this time (RFC 3339 with zone)")
	cmd.Flags().StringVar(&b.to, "to", "", "Recover firings until this time (RFC 3339 with zone; default: now)")
	cmd.Flags().StringArrayVar(&b.at, "at", nil, "Recover the firing of this scheduled time (RFC 3339 with zone); may be repeated")
	cmd.Flags().StringVar(&b.order, "order", string(backfill.OldestFirst), "Which to create first under concurrencyPolicy Allow: oldest or newest")
	cmd.Flags().StringSliceVar(&b.include, "include", nil, "Recover these verdicts too: Skipped, Unknown")
	cmd.Flags().BoolVar(&b.ignoreDeadline, "ignore-deadline", false, "Recover past the starting deadline too")
	cmd.Flags().BoolVar(&b.detached, "detached", false, "Make runs that history limits and the concurrency policy do not see")
	b.recovery.add(cmd)
	completeFlag(cmd, "order", fixed(string(backfill.OldestFirst), string(backfill.NewestFirst)))
	completeFlag(cmd, "include", fixed(string(auditor.Skipped), string(auditor.Unknown)))
	cmd.ValidArgsFunction = b.connection.completeNames(1)
	cmd.RunE = func(cmd *cobra.Command, names []string) error { return b.run(cmd.Context(), names[0]) }
	return cmd
}

// recoverWhat are the values of the flags that say what to recover.
type recoverWhat struct {
	window  auditor.Window
	at      []time.Time
	include []auditor.Verdict
}

func (b *recoverOne) run(ctx context.Context, name string) error {
	what, err := b.parse()
	if err := errors.Join(err, b.validate(), b.recovery.validate(b.environment)); err != nil {
		return err
	}
	e, err := b.read(ctx, []string{name}, false)
	if err != nil {
		return err
	}
	observed, err := only(e.CronWorkflows, name)
	if err != nil {
		return err
	}
	if observed.Err != nil {
		return observed.Err
	}
	if len(what.at) == 0 && what.window.To.IsZero() {
		what.window.To = e.now
	}
	policy := b.policy(e, what)
	plan, err := b.plan(ctx, e, observed, what, policy)
	if err != nil {
		return err
	}
	if len(what.at) == 0 {
		b.sayEdge(observed.Input, e, what.window.From)
	}
	r := &recovery{
		environment: b.environment, flags: b.recovery, evidence: e, policy: policy, window: what.window, style: b.style(), quiet: !b.forPeople(),
		replan: func(ctx context.Context, key backfill.Key) (backfill.Plan, error) {
			e, observed, err := b.readAgain(ctx, e, key)
			if err != nil {
				return backfill.Plan{}, err
			}
			return b.plan(ctx, e, observed, what, policy)
		},
	}
	return b.recover(ctx, r, plan)
}

func (b *recoverOne) plan(ctx context.Context, e *evidence, observed argo.Observed, what recoverWhat, policy backfill.Policy) (backfill.Plan, error) {
	findings, err := b.findings(ctx, e, observed.Input, what)
	return backfill.NewPlan(observed.CronWorkflow, findings, policy, e.now), err
}

// parse reads the flags that say which firings are meant.
func (b *recoverOne) parse() (recoverWhat, error) {
	var what recoverWhat
	var problems []error
	read := func(flag, value string) time.Time {
		t, err := parseTime(flag, value)
		if err != nil {
			problems = append(problems, err)
		}
		return t
	}
	switch {
	case len(b.at) > 0 && (b.from != "" || b.to != ""):
		problems = append(problems, errors.New("--at and --from/--to both say what to recover: give one of them"))
	case len(b.at) == 0 && b.from == "":
		problems = append(problems, errors.New("what to recover is missing: give --from and --to, or --at for single firings"))
	case b.from != "":
		what.window.From = read("--from", b.from)
		if b.to != "" {
			what.window.To = read("--to", b.to)
		}
		if len(problems) == 0 {
			problems = append(problems, ordered(what.window.From, what.window.To))
		}
	}
	for _, at := range b.at {
		what.at = append(what.at, read("--at", at))
	}
	if !slices.Contains([]string{string(backfill.OldestFirst), string(backfill.NewestFirst)}, b.order) {
		problems = append(problems, fmt.Errorf("--order: %q is neither oldest nor newest", b.order))
	}
	for _, verdict := range b.include {
		switch v := auditor.Verdict(verdict); v {
		case auditor.Skipped, auditor.Unknown:
			what.include = append(what.include, v)
		default:
			problems = append(problems, fmt.Errorf("--include: %q is neither Skipped nor Unknown", verdict))
		}
	}
	return what, errors.Join(problems...)
}

func (b *recoverOne) policy(e *evidence, what recoverWhat) backfill.Policy {
	p := b.recovery.policy(e, auditor.Missed, auditor.Expired, auditor.GaveUp)
	p.Order, p.Include, p.IgnoreDeadline, p.Detached = backfill.Order(b.order), what.include, b.ignoreDeadline, b.detached
	return p
}

// findings judges the firings that are meant. A time of --at that is no firing is an error that names the nearest ones.
func (b *recoverOne) findings(ctx context.Context, e *evidence, in auditor.Input, what recoverWhat) ([]auditor.Finding, error) {
	if len(what.at) == 0 {
		if !what.window.From.Before(what.window.To) {
			return nil, fmt.Errorf("--from %s is not before the present time %s", stamp(what.window.From), stamp(what.window.To))
		}
		if tooMany(in.CronWorkflow, what.window, e.options.ControllerZone) {
			return nil, fmt.Errorf("more than %d firings from %s to %s: ask for a smaller range with --from and --to", auditor.MaxFirings, stamp(what.window.From), stamp(what.window.To))
		}
		_, roll, err := e.judge(ctx, in, what.window, e.options)
		return roll.Findings, err
	}
	var found []auditor.Finding
	var problems []error
	slices.SortFunc(what.at, time.Time.Compare)
	for _, at := range slices.CompactFunc(what.at, time.Time.Equal) {
		judged, roll, err := e.judge(ctx, in, auditor.Window{From: at.Add(-time.Second), To: at}, e.options)
		if err != nil {
			return nil, err
		}
		if len(roll.Findings) == 0 {
			_, err := auditor.Explain(judged, at, e.now, e.options)
			problems = append(problems, fmt.Errorf("--at: %w", err))
		}
		found = append(found, roll.Findings...)
	}
	return found, errors.Join(problems...)
}

// tooMany says whether the present schedule names more times in the window than one recovery may look at, whether or not the
// CronWorkflow existed then: somebody who asks for a million firings has mistaken the range.
func tooMany(cw auditor.CronWorkflow, window auditor.Window, zone *time.Location) bool {
	if len(cw.Epochs) == 0 {
		return false
	}
	spec := slices.MaxFunc(cw.Epochs, func(a, b auditor.Epoch) int { return a.From.Compare(b.From) }).Spec
	parsed, err := schedule.Parse(spec.Schedules, spec.Timezone, zone)
	if err != nil {
		return false // the audit says so
	}
	_, more := parsed.Firings(window.From, window.To, auditor.MaxFirings)
	return more
}

// sayEdge mentions a firing at the very begin of the window, which is not in it.
func (b *recoverOne) sayEdge(in auditor.Input, e *evidence, from time.Time) {
	roll, err := auditor.Audit(in, auditor.Window{From: from.Add(-time.Second), To: from}, e.now, e.options)
	if err == nil && len(roll.Findings) > 0 {
		b.warn("note: the firing at %s is at --from itself and so not meant: the window begins after it", stamp(from))
	}
}

func (b *recoverOne) recover(ctx context.Context, r *recovery, plan backfill.Plan) error {
	plans := []backfill.Plan{plan}
	planned := r.planned(plans)
	if refused := planned[0].Refused(); refused != "" {
		return errors.New(strings.TrimSuffix(refused, "."))
	}
	planned[0].DryRun = b.recovery.dryRun
	if len(plan.ToRecover()) == 0 && (b.recovery.dryRun || !plan.OwesStatus()) {
		return b.finish(r, planned)
	}
	if !b.recovery.dryRun && len(plan.ToRecover()) > 0 {
		if err := r.show(planned); err != nil {
			return err
		}
		if err := r.confirm(ctx, plans); err != nil {
			return err
		}
	}
	reports, err := r.carryOut(ctx, plans)
	if err != nil {
		return err
	}
	return b.finish(r, reports)
}

// finish writes what became of it and gives the exit status.
func (b *recoverOne) finish(r *recovery, reports []*report.BackfillReport) error {
	for _, report := range reports {
		report.Named = len(b.at) > 0
	}
	var err error
	if b.forPeople() {
		err = r.show(reports)
	} else {
		err = b.document(reports[0])
	}
	if err != nil {
		return err
	}
	return r.conclude(reports).asError()
}
