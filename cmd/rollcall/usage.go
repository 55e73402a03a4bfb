package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageWidth is the width that descriptions of flags are wrapped to.
const usageWidth = 110

// section is the annotation that says under which heading a flag is listed. Flags without it come first.
const section = "rollcall_section"

const (
	sectionJudging    = "Judging flags (or the environment: ROLLCALL_GRACE for --grace):"
	sectionConnection = "Connection flags (kubectl's own):"
)

// addSection adds a group of flags to a command, to be listed under one heading.
func addSection(cmd *cobra.Command, heading string, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Annotations == nil {
			f.Annotations = map[string][]string{}
		}
		f.Annotations[section] = []string{heading}
	})
	cmd.Flags().AddFlagSet(flags)
}

// usage writes how to use a command: its own flags first, the others under their headings.
func usage(cmd *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if cmd.Runnable() {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	for _, group := range cmd.Groups() {
		fmt.Fprintf(&b, "\n%s\n", group.Title)
		writeCommands(&b, cmd, group.ID)
	}
	if cmd.HasAvailableSubCommands() && len(cmd.Groups()) == 0 {
		b.WriteString("\nCommands:\n")
		writeCommands(&b, cmd, "")
	}
	for _, heading := range []string{"", sectionJudging, sectionConnection} {
		flags := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if strings.Join(f.Annotations[section], "") == heading {
				flags.AddFlag(f)
			}
		})
		if !flags.HasAvailableFlags() {
			continue
		}
		if heading == "" {
			heading = "Flags:"
		}
		fmt.Fprintf(&b, "\n%s\n%s", heading, flags.FlagUsagesWrapped(usageWidth))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n'%s COMMAND --help' says more about a command.\n", cmd.CommandPath())
	}
	_, err := fmt.Fprint(cmd.OutOrStderr(), b.String())
	return err
}

func writeCommands(b *strings.Builder, cmd *cobra.Command, group string) {
	for _, sub := range cmd.Commands() {
		if sub.GroupID == group && (sub.IsAvailableCommand() || sub.Name() == "help") {
			fmt.Fprintf(b, "  %-*s  %s\n", sub.NamePadding(), sub.Name(), sub.Short)
		}
	}
}
