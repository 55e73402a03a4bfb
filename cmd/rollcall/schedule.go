package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/config"
	"rollcall.dev/rollcall/internal/report"
	"rollcall.dev/rollcall/schedule"
)

const (
	// nextFirings is how many firings are listed unless told.
	nextFirings = 10
	// maxShifts is how many effects of daylight saving time are listed.
	maxShifts = 10
	// shiftsAhead is how far ahead these are looked for where no end is given.
	shiftsAhead = 366 * 24 * time.Hour
)

// firings is one "rollcall schedule".
type firings struct {
	*output
	timezone, from, to string
	limit              int
}

func newSchedule(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule EXPRESSION...",
		Short: "List when a schedule fires, and what daylight saving time does to it",
		Long: `List when cron expressions fire, as Argo reads them: five fields, @daily and the like, CRON_TZ=ZONE in front. Several
expressions are those of one CronWorkflow: what they name together fires once. Each expression is one argument, in quotes.

Without --to the next 10 firings are listed, and what daylight saving time does within a year.`,
		Example: `  rollcall schedule '*/15 * * * *'
  rollcall schedule '30 2 * * *' --timezone Europe/Berlin --from 2026-03-27T00:00:00Z --to 2026-03-31T00:00:00Z
  rollcall schedule '0 9 * * 1-5' '0 12 * * 6' --timezone America/New_York -o json`,
		ValidArgsFunction: cobra.NoFileCompletions,
		Args:              expressions,
	}
	f := &firings{output: newOutput(env, cmd, formatTable, formatJSON, formatYAML)}
	cmd.Flags().StringVar(&f.timezone, "timezone", "", "Timezone of the expressions, as spec.timezone (default: UTC, or what an expression names itself)")
	cmd.Flags().StringVar(&f.from, "from", "", "List firings after this time (RFC 3339 with zone; default: now)")
	cmd.Flags().StringVar(&f.to, "to", "", "List firings until this time (RFC 3339 with zone)")
	cmd.Flags().IntVar(&f.limit, "limit", 0, fmt.Sprintf("List at most this many firings (default: %d, or with --to all)", nextFirings))
	completeFlag(cmd, "timezone", cobra.NoFileCompletions)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) }
	return cmd
}

// expressions checks the arguments for what happens when somebody forgets the quotes: the shell makes one argument of each
// field, and file names of the stars.
func expressions(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs a cron expression in quotes: %s", cmd.CommandPath(), firstExample(cmd))
	}
	for _, arg := range args {
		if strings.ContainsAny(arg, " \t") || strings.HasPrefix(arg, "@") {
			return nil
		}
	}
	switch {
	case len(args) == 5:
		return fmt.Errorf("these are five arguments, but an expression is one: put it in quotes: %s '%s'", cmd.CommandPath(), strings.Join(args, " "))
	case len(args) > 1:
		return fmt.Errorf("these are %d arguments, but an expression is one: put it in quotes (without them the shell makes file names of *): %s", len(args), firstExample(cmd))
	}
	return nil
}

func (f *firings) run(cmd *cobra.Command, args []string) error {
	zone, times, err := f.parse()
	if err := errors.Join(err, f.validate(), validateLimit(cmd, f.limit)); err != nil {
		return err
	}
	parsed, err := schedule.Parse(args, f.timezone, time.UTC)
	if err != nil {
		return err
	}
	if zone == nil {
		zone = parsed.Expressions()[0].Location
	}
	until, limit := times.To, f.limit
	if until.IsZero() {
		// robfig looks no further than five years; nothing fires after that.
		until = times.From.AddDate(100, 0, 0)
		if limit == 0 {
			limit = nextFirings
		}
	}
	due, more := parsed.Firings(times.From, until, orMax(limit))
	if more && limit == 0 {
		return fmt.Errorf("more than %d firings from %s to %s: ask for a smaller window (--from, --to), or for the first of them with --limit", auditor.MaxFirings, stamp(times.From), stamp(times.To))
	}
	list := report.NewFiringList(args, f.timezone, times.From, times.To, due, zone)
	list.Truncated = more && f.to != ""
	if times.To.IsZero() {
		until = times.From.Add(shiftsAhead)
	}
	for _, s := range parsed.Shifts(times.From, until, maxShifts) {
		list.AddShift(s)
	}
	list.Notes = f.notes(parsed, len(due))
	if !f.forPeople() {
		return f.document(list)
	}
	return report.FiringTable(f.toPeople(), list, f.style(), zone)
}

func orMax(limit int) int {
	if limit == 0 {
		return auditor.MaxFirings
	}
	return limit
}

// parse reads the flags; zone is nil without --timezone.
func (f *firings) parse() (zone *time.Location, window auditor.Window, err error) {
	var problems []error
	if f.timezone != "" {
		if zone, err = config.LoadZone(f.timezone); err != nil {
			problems = append(problems, fmt.Errorf("--timezone: %w", err))
		}
	}
	window.From = f.now().UTC().Truncate(time.Second)
	if f.from != "" {
		if window.From, err = parseTime("--from", f.from); err != nil {
			problems = append(problems, err)
		} else if window.From.Before(schedule.Earliest()) {
			problems = append(problems, fmt.Errorf("--from: nothing is known of firings before %s, which is older than any CronWorkflow: begin no earlier than that", stamp(schedule.Earliest())))
		}
	}
	if f.to != "" {
		if window.To, err = parseTime("--to", f.to); err != nil {
			problems = append(problems, err)
		}
	}
	if len(problems) == 0 {
		problems = append(problems, ordered(window.From, window.To))
	}
	return zone, window, errors.Join(problems...)
}

func (f *firings) notes(parsed schedule.Schedule, listed int) []string {
	var notes []string
	every := parsed.Every()
	for _, period := range every {
		notes = append(notes, fmt.Sprintf("@every %s has no fixed phase: Argo restarts its timer at every event on the CronWorkflow, so no firing of it can be listed.", period))
	}
	if listed == 0 && len(every) < len(parsed.Expressions()) {
		notes = append(notes, "Nothing fires in this window.")
	}
	return notes
}
