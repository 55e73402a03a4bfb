package main

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"rollcall.dev/rollcall/auditor"
)

// defaultSince is how far back an audit looks unless told.
const defaultSince = "24h"

// windowFlags say which firings are meant: those after --from until --to, --to included.
type windowFlags struct {
	since, from, to string
}

func (f *windowFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.since, "since", defaultSince, "Look back this far from --to: 90m, 24h, 7d")
	cmd.Flags().StringVar(&f.from, "from", "", "Begin after this time (RFC 3339 with zone), instead of --since")
	cmd.Flags().StringVar(&f.to, "to", "", "End with this time (RFC 3339 with zone; default: now)")
	completeFlag(cmd, "since", fixed("1h", "6h", "24h", "7d"))
}

// times are what the flags give in themselves; what depends on the present time comes later, in window.
type windowTimes struct {
	from, to time.Time
	since    time.Duration
}

func (f *windowFlags) parse(cmd *cobra.Command) (windowTimes, error) {
	var t windowTimes
	var err error
	if f.from != "" && cmd.Flags().Changed("since") {
		return t, fmt.Errorf("--since and --from both say where the window begins: give one of them")
	}
	if t.since, err = parseSince("--since", f.since); err != nil {
		return t, err
	}
	if f.from != "" {
		if t.from, err = parseTime("--from", f.from); err != nil {
			return t, err
		}
	}
	if f.to != "" {
		if t.to, err = parseTime("--to", f.to); err != nil {
			return t, err
		}
	}
	return t, ordered(t.from, t.to)
}

// window is (from, to], with the defaults that depend on now. It ends at now at the latest: what comes after that is not due yet.
func (t windowTimes) window(now time.Time) (auditor.Window, error) {
	w := auditor.Window{From: t.from, To: t.to}
	if w.To.IsZero() {
		w.To = now
	}
	if w.From.IsZero() {
		w.From = w.To.Add(-t.since)
	}
	if w.To.After(now) {
		w.To = now
	}
	if !w.From.Before(w.To) {
		return w, fmt.Errorf("the window begins at %s, which is not before the present time %s, where it ends at the latest: choose an earlier --from (with --since, an earlier --to)", stamp(w.From), stamp(w.To))
	}
	return w, nil
}

// ordered says whether --from is before --to, where both are given.
func ordered(from, to time.Time) error {
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return fmt.Errorf("--from %s is not before --to %s: the window is what lies after --from, until --to", stamp(from), stamp(to))
	}
	return nil
}

var withoutZone = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2})?)?$`)

// parseTime reads RFC 3339 with a zone; flag is who to name when it is not.
func parseTime(flag, value string) (time.Time, error) {
	// What this tool prints itself is understood too.
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC(), nil
		}
	}
	m := withoutZone.FindStringSubmatch(value)
	if m == nil {
		return time.Time{}, fmt.Errorf("%s: %q is not a time: write it like 2026-11-23T04:40:00Z or 2026-11-23T05:40:00+01:00", flag, value)
	}
	hour, seconds := m[2], m[3]
	if hour == "" {
		hour = "00:00"
	}
	if seconds == "" {
		seconds = ":00"
	}
	complete := m[1] + "T" + hour + seconds
	if m[3] != "" {
		return time.Time{}, fmt.Errorf("%s: %q has no timezone: write %sZ for UTC, or an offset as in %s+01:00", flag, value, complete, complete)
	}
	return time.Time{}, fmt.Errorf("%s: %q is not a full time with its zone: write %sZ for UTC, or an offset as in %s+01:00", flag, value, complete, complete)
}

var days = regexp.MustCompile(`^(\d+)d(.*)$`)

// parseSince reads a positive duration of Go, with days before it: 7d, 1d12h.
func parseSince(flag, value string) (time.Duration, error) {
	wrong := fmt.Errorf("%s: %q is not a duration: write it like 90m, 24h, 7d or 1d12h", flag, value)
	rest, total := value, time.Duration(0)
	if m := days.FindStringSubmatch(value); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || n > 36500 {
			return 0, fmt.Errorf("%s: %q is more than a hundred years", flag, value)
		}
		total, rest = time.Duration(n)*24*time.Hour, m[2]
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil {
			return 0, wrong
		}
		total += d
	}
	if total <= 0 {
		return 0, fmt.Errorf("%s: %q is not more than 0", flag, value)
	}
	return total, nil
}

// stamp is a time as messages carry it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
