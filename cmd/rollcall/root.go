package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// run carries out one command line.
func run(ctx context.Context, env environment, args []string) status {
	root := newRoot(env)
	root.SetArgs(args)
	return conclude(env, root.ExecuteContext(ctx))
}

const (
	groupJudge = "judge"
	groupOther = "other"
)

func newRoot(env environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "rollcall",
		Short: "Call the roll of Argo CronWorkflows",
		Long: `Rollcall calls the roll of Argo CronWorkflows: for each moment at which a schedule was due it says what happened, why, and on
what evidence. What did not run and still may, it brings back, exactly once.

Exit status: 0 nothing was missed; 2 something is Missed, Expired or GaveUp, or was not recovered; 1 it could not be done,
wholly or for one CronWorkflow.`,
		Example: `  # What happened in the last 24 hours
  rollcall audit

  # Without a cluster, from a dump of one
  kubectl get lease,cwf,wf -A -o yaml --show-managed-fields | rollcall audit -f -

  # Bring back what an outage cost
  rollcall backfill tick --from 2026-11-23T04:00:00Z --to 2026-11-23T06:00:00Z`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			if meant := cmd.SuggestionsFor(args[0]); len(meant) > 0 {
				return fmt.Errorf("unknown command %q: did you mean %s?", args[0], strings.Join(meant, " or "))
			}
			return fmt.Errorf("unknown command %q: see 'rollcall --help'", args[0])
		},
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SuggestionsMinimumDistance = 2
	build := buildVersion()
	root.Version = build.Version
	root.SetVersionTemplate(versionLine(build))
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.ErrOut)
	root.AddGroup(&cobra.Group{ID: groupJudge, Title: "Audit and recover:"}, &cobra.Group{ID: groupOther, Title: "Also:"})
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	root.SetUsageFunc(usage)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: see '%s --help'", err, cmd.CommandPath())
	})
	for _, command := range []*cobra.Command{newAudit(env), newExplain(env), newBackfill(env), newController(env)} {
		command.GroupID = groupJudge
		root.AddCommand(command)
	}
	for _, command := range []*cobra.Command{newSchedule(env), newVersion(env)} {
		command.GroupID = groupOther
		root.AddCommand(command)
	}
	exampleForCobrasOwn(root)
	return root
}

// exampleForCobrasOwn gives the commands that cobra adds the examples that ours have.
func exampleForCobrasOwn(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, command := range root.Commands() {
		switch command.Name() {
		case "help":
			command.Example = "  rollcall help audit"
		case "completion":
			command.Example = "  source <(rollcall completion bash)"
			for _, shell := range command.Commands() {
				shell.Example = fmt.Sprintf("  rollcall completion %s", shell.Name())
			}
		}
	}
}
