package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/argo"
	"rollcall.dev/rollcall/internal/report"
)

// audit is one "rollcall audit".
type audit struct {
	*output
	*source
	window        windowFlags
	allNamespaces bool
	limit         int
	backfill      bool
	recovery      recoveryFlags
}

func newAudit(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit [NAME...]",
		Short: "Say for each firing of a window what happened, and why",
		Long: `Say for each firing in a window of time what became of it: OnTime, Late, Backfilled, Pending, Skipped, Missed, Expired,
GaveUp or Unknown. The window is what lies after its begin, until its end.

Missed is what did not run and still may, since its starting deadline is ahead; Expired is what it is too late for. Only
what is certain or likely is called either: where Argo may have deleted a run, the verdict is Unknown. Where Rollcall runs in the
cluster, what it has recorded (CronAudits) counts too: it knows of runs that are gone.

-o name lists the CronWorkflows that lost something, one a line; -o wide every firing.

Exit status: 0 nothing was lost; 2 something is Missed, Expired or GaveUp; 1 at least one CronWorkflow could not be judged, also
where another one lost something.`,
		Example: `  # The last 24 hours of a namespace, or of all
  rollcall audit
  rollcall audit -A

  # One CronWorkflow, every firing of two hours
  rollcall audit tick --from 2026-11-23T04:00:00Z --to 2026-11-23T06:00:00Z -o wide

  # Without a cluster, from a dump of one (of one where Rollcall runs: lease,cwf,wf,cronaudit)
  kubectl get lease,cwf,wf -A -o yaml --show-managed-fields > dump.yaml
  rollcall audit -f dump.yaml --since 7d

  # Recover what is Missed, after a look at the plan
  rollcall audit -A --backfill --dry-run
  rollcall audit -A --backfill

  # What was lost, for a script
  rollcall audit -A -o json | jq '.cronWorkflows[].firings[]? | select(.verdict | IN("Missed", "Expired", "GaveUp"))'`,
	}
	a := &audit{output: newOutput(env, cmd, formatTable, formatWide, formatJSON, formatYAML, formatName)}
	a.source = newSource(env, cmd)
	a.addDump(cmd)
	a.window.add(cmd)
	cmd.Flags().BoolVarP(&a.allNamespaces, "all-namespaces", "A", false, "All namespaces")
	cmd.Flags().IntVar(&a.limit, "limit", 0, fmt.Sprintf("Judge at most this many firings of each CronWorkflow, the oldest first (default: all, if together they are no more than %d)", auditor.MaxFirings))
	cmd.Flags().BoolVar(&a.backfill, "backfill", false, "Recover what is Missed, after showing the plan and asking")
	a.recovery.add(cmd)
	cmd.ValidArgsFunction = a.connection.completeNames(0)
	cmd.RunE = func(cmd *cobra.Command, names []string) error { return a.run(cmd, names) }
	return cmd
}

func (a *audit) run(cmd *cobra.Command, names []string) error {
	times, err := a.window.parse(cmd)
	if err := errors.Join(err, a.output.validate(), a.validate(cmd), validateLimit(cmd, a.limit)); err != nil {
		return err
	}
	ctx := cmd.Context()
	e, err := a.read(ctx, names, a.allNamespaces)
	if err != nil {
		return err
	}
	window, err := times.window(e.now)
	if err != nil {
		return err
	}
	if times.to.After(window.To) {
		a.note(e, "The window ends at %s: what comes after that is not due yet, or not in the dump.", stamp(window.To))
	}
	rolls, err := a.judgeAll(ctx, e, names, window)
	if err != nil {
		return err
	}
	if a.backfill {
		return a.recover(ctx, e, rolls, names, window)
	}
	r := a.report(e, rolls, window)
	if err := a.write(r); err != nil {
		return err
	}
	return a.conclude(r).asError()
}

// validateLimit checks --limit, which where it is not given is 0 for none.
func validateLimit(cmd *cobra.Command, limit int) error {
	if limit < 0 || limit > auditor.MaxFirings || limit == 0 && cmd.Flags().Changed("limit") {
		return fmt.Errorf("--limit: %d is not between 1 and %d", limit, auditor.MaxFirings)
	}
	return nil
}

// validate checks the flags that do not go together.
func (a *audit) validate(cmd *cobra.Command) error {
	var problems []error
	if a.fromDump() && a.backfill {
		problems = append(problems, errors.New("--backfill needs a cluster, and -f reads a dump: leave out one of them"))
	}
	for _, flag := range []string{"dry-run", "yes", "max-parallel", "max-catch-up"} {
		if !a.backfill && cmd.Flags().Changed(flag) {
			problems = append(problems, fmt.Errorf("--%s is about --backfill: add it", flag))
		}
	}
	if a.backfill && !a.fromDump() {
		problems = append(problems, a.recovery.validate(a.environment))
	}
	if a.backfill && a.limit > 0 {
		problems = append(problems, errors.New("--backfill and --limit: choose a smaller window instead (--since, --from, --to)"))
	}
	if a.asOf != "" && !a.fromDump() && (!a.backfill || !a.recovery.dryRun) {
		problems = append(problems, errors.New("--now: a cluster is judged by its own clock; --now goes with -f, or with --backfill --dry-run"))
	}
	return errors.Join(problems...)
}

// roll is one CronWorkflow with its verdicts, or with why it has none.
type roll struct {
	auditor.Input
	report auditor.Report
	err    error
}

// judgeAll judges all CronWorkflows that were read. Without --limit it stops where the firings are too many for one report.
func (a *audit) judgeAll(ctx context.Context, e *evidence, names []string, window auditor.Window) ([]roll, error) {
	var rolls []roll
	left := auditor.MaxFirings
	for _, observed := range e.CronWorkflows {
		cw := observed.CronWorkflow
		if cw.Settings.Off {
			if slices.Contains(names, cw.Name) {
				a.warn("note: CronWorkflow %s/%s is left out: its annotation rollcall.dev/audit is off", cw.Namespace, cw.Name)
			}
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, errors.New("interrupted")
		}
		rolls = append(rolls, a.judgeOne(ctx, e, observed, window, left))
		judged := rolls[len(rolls)-1].report
		left -= len(judged.Findings)
		if a.limit == 0 && judged.Truncated {
			return nil, fmt.Errorf("more than %d firings from %s to %s: ask for a smaller window (--since, --from, --to), for fewer CronWorkflows, or for the first of each with --limit",
				auditor.MaxFirings, stamp(window.From), stamp(window.To))
		}
	}
	return rolls, nil
}

func (a *audit) judgeOne(ctx context.Context, e *evidence, observed argo.Observed, window auditor.Window, left int) roll {
	r := roll{Input: observed.Input, err: observed.Err}
	if r.err != nil {
		return r
	}
	options := e.options
	options.Limit = a.limit
	if a.limit == 0 {
		// 0 would stand for the default; one firing more than is left shows that there are too many.
		options.Limit = max(left, 1)
	}
	r.Input, r.report, r.err = e.judge(ctx, observed.Input, window, options)
	return r
}

func (a *audit) report(e *evidence, rolls []roll, window auditor.Window) *report.AuditReport {
	r := report.NewAuditReport(e.now, window)
	r.Notes = e.Notes
	for _, roll := range rolls {
		if roll.err != nil {
			r.AddError(roll.CronWorkflow, roll.err, e.judging.ControllerZone)
			continue
		}
		r.Add(roll.CronWorkflow, roll.report, e.judging.ControllerZone)
	}
	return r
}

func (a *audit) write(r *report.AuditReport) error {
	switch a.format {
	case formatTable:
		return report.AuditTable(a.toPeople(), r, a.style(), a.recoverAll())
	case formatWide:
		return report.AuditWide(a.toPeople(), r, a.style())
	case formatName:
		return report.AuditNames(a.Out, r)
	}
	return a.document(r)
}

// recoverAll is the command that recovers what this audit finds Missed.
func (a *audit) recoverAll() string {
	words := []string{"rollcall audit"}
	switch namespaces := a.connection.given(); {
	case a.allNamespaces, a.fromDump() && len(namespaces) == 0:
		words = append(words, "-A")
	case len(namespaces) > 0:
		words = append(words, "-n "+namespaces[0])
	}
	switch {
	case a.window.from != "":
		words = append(words, "--from "+a.window.from)
	case a.window.since != defaultSince:
		words = append(words, "--since "+a.window.since)
	}
	return strings.Join(append(words, "--backfill"), " ")
}

// conclude says on stderr what must not be overlooked, and gives the exit status.
func (a *audit) conclude(r *report.AuditReport) status {
	if len(r.CronWorkflows) == 0 {
		a.warn("no CronWorkflows found")
	}
	if r.Truncated {
		a.warn("note: only the first %d of each CronWorkflow were judged (--limit)", a.limit)
	}
	for _, cw := range r.CronWorkflows {
		if cw.Error != "" {
			a.warn("error: %s", named(cw))
		}
	}
	why := ""
	if a.format == formatTable {
		why = " (-o wide says why)"
	}
	switch n := r.Totals[auditor.Unknown]; {
	case n == 1:
		a.warn("1 firing is Unknown: the evidence does not say what became of it%s", why)
	case n > 1:
		a.warn("%d firings are Unknown: the evidence does not say what became of them%s", n, why)
	}
	switch {
	case r.Errors() > 0:
		return statusFailed
	case r.Totals.Lost() > 0:
		return statusLost
	}
	return statusDone
}

// named is the error of a CronWorkflow with its name, which most errors say already.
func named(cw report.CronWorkflow) string {
	name := cw.Namespace + "/" + cw.Name
	if strings.Contains(cw.Error, name) {
		return cw.Error
	}
	return fmt.Sprintf("CronWorkflow %s: %s", name, cw.Error)
}
