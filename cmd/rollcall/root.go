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

Exit status: 0 nothing was lost; 2 something is Missed, Expired or GaveUp, or was not recovered; 1 it could not be done,
wholly or for one CronWorkflow, whatever became of the others.`,
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
			return unknownCommand(cmd, args[0])
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
		if args := cmd.Flags().Args(); cmd == root && len(args) > 0 {
			return unknownCommand(cmd, args[0]) // the flag may well be one of the command that was meant
		}
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

func unknownCommand(cmd *cobra.Command, name string) error {
	if meant := cmd.SuggestionsFor(name); len(meant) > 0 {
		return fmt.Errorf("unknown command %q: did you mean %s?", name, strings.Join(meant, " or "))
	}
	return fmt.Errorf("unknown command %q: see 'rollcall --help'", name)
}

// exampleForCobrasOwn gives the commands that cobra adds the examples that ours have, and has completion refuse a shell that it does
// not know.
func exampleForCobrasOwn(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, command := range root.Commands() {
		switch command.Name() {
		case "help":
			command.Example = "  rollcall help audit"
		case "completion":
			command.Example = "  source <(rollcall completion bash)"
			var shells []string
			for _, shell := range command.Commands() {
				shell.Example = fmt.Sprintf("  rollcall completion %s", shell.Name())
				shells = append(shells, shell.Name())
			}
			command.Args = func(_ *cobra.Command, args []string) error {
				if len(args) > 0 {
					return fmt.Errorf("unknown shell %q: choose one of %s", args[0], strings.Join(shells, ", "))
				}
				return nil
			}
			command.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}
