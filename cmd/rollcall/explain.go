package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/report"
)

// explain is one "rollcall explain".
type explain struct {
	*output
	*source
	at string
}

func newExplain(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain NAME --at TIME",
		Short: "Say how the verdict on one firing came about",
		Long: `Say how the verdict on one firing came about: each question that was asked, in order, with its answer, until one decided;
then the evidence that the verdict rests on.`,
		Example: `  rollcall explain tick --at 2026-11-23T04:40:00Z
  rollcall explain tick -n etl --at 2026-11-23T04:40:00Z -o yaml
  rollcall explain tick --at 2026-11-23T04:40:00Z -f dump.yaml`,
		Args: oneName,
	}
	e := &explain{output: newOutput(env, cmd, formatTable, formatJSON, formatYAML)}
	e.source = newSource(env, cmd)
	e.addDump(cmd)
	cmd.Flags().StringVar(&e.at, "at", "", "The firing's scheduled time (RFC 3339 with zone)")
	cmd.ValidArgsFunction = e.connection.completeNames(1)
	cmd.RunE = func(cmd *cobra.Command, names []string) error { return e.run(cmd, names[0]) }
	return cmd
}

func (x *explain) run(cmd *cobra.Command, name string) error {
	at, err := x.times()
	if err := errors.Join(err, x.validate()); err != nil {
		return err
	}
	ctx := cmd.Context()
	e, err := x.read(ctx, []string{name}, false)
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
	in, _, err := e.judge(ctx, observed.Input, auditor.Window{From: at.Add(-time.Second), To: at}, e.options)
	if err != nil {
		return err
	}
	explanation, err := auditor.Explain(in, at, e.now, e.options)
	if err != nil {
		return fmt.Errorf("--at: %w", err)
	}
	if cw := in.CronWorkflow; cw.Settings.Off {
		x.warn("note: audits and the add-on leave CronWorkflow %s/%s out: its annotation rollcall.dev/audit is off", cw.Namespace, cw.Name)
	}
	document := report.NewExplanation(e.now, in.CronWorkflow, explanation)
	if !x.forPeople() {
		return x.document(document)
	}
	return report.ExplanationText(x.toPeople(), document, x.style())
}

func (x *explain) times() (time.Time, error) {
	if x.at == "" {
		return time.Time{}, errors.New("--at is missing: the scheduled time of the firing, like --at 2026-11-23T04:40:00Z")
	}
	at, err := parseTime("--at", x.at)
	if err == nil && x.asOf != "" && !x.fromDump() {
		err = errors.New("--now: a cluster is judged by its own clock; --now goes with -f")
	}
	return at, err
}

// only is the one CronWorkflow of a name; a dump can have it in several namespaces.
func only[T any](found []T, name string) (T, error) {
	if len(found) == 1 {
		return found[0], nil
	}
	var none T
	return none, fmt.Errorf("there are %d CronWorkflows %s: choose one with -n", len(found), name)
}

func oneName(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return fmt.Errorf("%s needs the name of a CronWorkflow: %s", cmd.CommandPath(), firstExample(cmd))
	case len(args) > 1:
		return fmt.Errorf("%s takes one CronWorkflow, and these are %d: %s", cmd.CommandPath(), len(args), strings.Join(args, " "))
	}
	return nil
}

// firstExample is the first line of a command's examples that is not a comment.
func firstExample(cmd *cobra.Command) string {
	for line := range strings.Lines(cmd.Example) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return line
		}
	}
	return ""
}
