package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completionTimeout is how long the shell waits for names.
const completionTimeout = 3 * time.Second

type completer = cobra.CompletionFunc

// completeFlag sets how the values of a flag are completed. The flag must exist: that it does not is a mistake in this program.
func completeFlag(cmd *cobra.Command, flag string, complete completer) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(fmt.Sprintf("completion of --%s of %s: %v", flag, cmd.Name(), err))
	}
}

func fixed(values ...string) completer {
	return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
}

// completeNames offers the CronWorkflows of the namespace that were not named yet; most is how many a command takes, 0 for any number.
func (c *connection) completeNames(most int) completer {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.offer(cmd.Context(), prefix, args, "cronworkflows")
	}
}

func (c *connection) completeNamespaces(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return c.offer(cmd.Context(), prefix, nil, "namespaces")
}

func (c *connection) completeContexts(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	raw, err := c.flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return matching(slices.Sorted(maps.Keys(raw.Contexts)), prefix, nil), cobra.ShellCompDirectiveNoFileComp
}

func matching(names []string, prefix string, but []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, prefix) || slices.Contains(but, name) })
}

// offer lists live names. Whatever goes wrong, the shell gets nothing rather than an error message in the user's command line.
func (c *connection) offer(ctx context.Context, prefix string, but []string, what string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	names, err := c.liveNames(ctx, what)
	if err != nil {
		cobra.CompDebugln(err.Error(), true)
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return matching(names, prefix, but), cobra.ShellCompDirectiveNoFileComp
}
