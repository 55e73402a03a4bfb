package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rollcall.dev/rollcall/internal/config"
)

func newController(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Call the roll continuously: judge every firing, recover what was missed, remember",
		Long: `Call the roll of Argo CronWorkflows continuously. Every firing is judged within moments of its grace running out; what was
missed is brought back inside its starting deadline, exactly once; what cannot be saved is said in Events, metrics and, if
wanted, alerts. What became of the firings is on record in a CronAudit for each CronWorkflow, so that a restart, a crash
or a new leader loses nothing and repeats nothing.

It is meant to run in the cluster; outside, it connects as kubectl does. Several replicas can run: one leads, the others
watch and take over.

Every flag but those of the connection is also an environment variable (ROLLCALL_MAX_PARALLEL for --max-parallel) and a
key of the file that --config names (max-parallel). A flag beats a variable, and that the file.

Exit status: 0 after SIGTERM or SIGINT; 1 for everything else.`,
		Example: `  # In a cluster, as its pod's service account
  rollcall controller

  # From here, for a look: say what would be recovered
  rollcall controller --context staging --leader-elect-namespace rollcall --backfill=dry-run --log-format=text

  # Two namespaces, settings from a file
  rollcall controller -n etl -n batch --config /etc/rollcall/rollcall.yaml`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	settings := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	config.AddController(settings)
	cmd.Flags().AddFlagSet(settings)
	judging := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	config.AddJudging(judging)
	addSection(cmd, sectionJudging, judging)

	connection := newConnection()
	connection.clusterOnly = true
	connection.flags.Namespace = nil // here --namespace says what is watched
	connection.flags.Timeout = nil   // it would end every watch; each request has a limit of its own
	connection.add(cmd)
	for flag, values := range config.Choices() {
		completeFlag(cmd, flag, fixed(values...))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return runController(cmd.Context(), env, cmd.Flags(), connection)
	}
	return cmd
}

func runController(ctx context.Context, env environment, flags *pflag.FlagSet, connection *connection) error {
	settings, err := config.LoadController(flags)
	pattern, patternErr := transientPattern(env.getenv)
	if err := errors.Join(err, patternErr); err != nil {
		return err
	}
	if settings.LeaderElect && settings.LeaderElectNamespace == "" {
		if settings.LeaderElectNamespace, err = connection.namespace(); err != nil {
			return err
		}
	}
	cfg, err := connection.config()
	if err != nil {
		return err
	}
	log := newLogger(env.ErrOut, settings)
	a, err := assemble(addOnOptions{settings: settings, config: cfg, transient: pattern, flags: flags, log: log})
	if err != nil {
		return connection.explain(err)
	}
	routeKlog(log)
	return a.run(ctx)
}
