package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"rollcall.dev/rollcall/internal/report"
)

// version and commit are set by the linker (-X main.version=… -X main.commit=…); without that the build information tells.
var version, commit string

func newVersion(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which build of Rollcall this is",
		Long:  "Say which build of Rollcall this is: its version, the commit it was built from, and Go's version.",
		Example: `  rollcall version
  rollcall version -o json`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	out := newOutput(env, cmd, formatTable, formatJSON, formatYAML)
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := out.validate(); err != nil {
			return err
		}
		v := buildVersion()
		if !out.forPeople() {
			return out.document(v)
		}
		_, err := fmt.Fprint(out.Out, versionLine(v))
		return err
	}
	return cmd
}

func versionLine(v *report.Version) string {
	return fmt.Sprintf("rollcall %s (commit %s, %s, %s)\n", v.Version, v.Commit, v.Go, v.Platform)
}

func buildVersion() *report.Version {
	v := report.NewVersion(version, commit, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	if v.Commit == "" {
		v.Commit = vcsRevision(info.Settings)
	}
	return v
}

// vcsRevision is the commit that the go command noted, with "+changes" where the tree had some.
func vcsRevision(settings []debug.BuildSetting) string {
	revision, changes := "unknown", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changes = "+changes"
		}
	}
	return revision + changes
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, and %q is one: see '%s --help'", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}
