package report

import (
	"fmt"
	"io"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// next is what to type next.
func (t auditTable) next(w io.Writer, recoverAll string) error {
	var commands, late []string
	for _, cw := range t.CronWorkflows {
		command, missed := BackfillCommand(cw)
		switch {
		case missed:
			commands = append(commands, command)
		case command != "":
			late = append(late, command)
		}
	}
	missed := len(commands) > 0
	commands = append(commands, late...)
	if len(commands) == 0 {
		return nil
	}
	if len(commands) > maxCommands {
		commands = []string{"rollcall backfill NAME -n NAMESPACE --from TIME --to TIME"}
		if missed {
			commands = []string{recoverAll}
		}
	}
	if _, err := fmt.Fprintf(w, "\n%s\n", t.paint(bold, "Next")); err != nil {
		return err
	}
	for _, command := range commands {
		if _, err := fmt.Fprintf(w, "  %s\n", t.paint(green, command)); err != nil {
			return err
		}
	}
	return nil
}

// BackfillCommand is the command that recovers what a CronWorkflow lost: what is Missed, if anything is, else all of it, past
// the deadline. It is empty when nothing was lost; missed says which.
func BackfillCommand(cw CronWorkflow) (command string, missed bool) {
	var first, last, firstMissed, lastMissed time.Time
	var late bool
	extend := func(first, last *time.Time, at time.Time) {
		if first.IsZero() {
			*first = at
		}
		*last = at
	}
	for _, f := range cw.Firings {
		if !f.Verdict.Lost() {
			continue
		}
		extend(&first, &last, f.ScheduledTime)
		late = late || f.Verdict == auditor.Expired && !f.Deadline.IsZero()
		if f.Verdict == auditor.Missed {
			extend(&firstMissed, &lastMissed, f.ScheduledTime)
		}
	}
	missed = !firstMissed.IsZero()
	if missed {
		first, last, late = firstMissed, lastMissed, false
	}
	if first.IsZero() {
		return "", false
	}
	// The window begins after --from.
	command = fmt.Sprintf("rollcall backfill %s -n %s --from %s --to %s", cw.Name, cw.Namespace, full(first.Add(-time.Second)), full(last))
	if late {
		command += " --ignore-deadline"
	}
	return command, missed
}
