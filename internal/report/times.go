package report

import (
	"fmt"
	"time"
)

// clock writes times for people: UTC, no more than is needed to tell the times of one report apart.
type clock struct {
	day, year, seconds bool
}

// clockFor is the clock for the times of a window; seconds are shown where any of the firings has some.
func clockFor(from, to time.Time, firings ...time.Time) clock {
	from, to = from.UTC(), to.UTC()
	c := clock{year: from.Year() != to.Year()}
	c.day = c.year || from.YearDay() != to.YearDay()
	for _, t := range firings {
		c.seconds = c.seconds || t.Second() != 0
	}
	return c
}

func (c clock) at(t time.Time) string { return t.UTC().Format(c.date() + c.hour()) }

// between writes a range, the day once where it is the same.
func (c clock) between(from, to time.Time, dash string) string {
	from, to = from.UTC(), to.UTC()
	switch {
	case from.Equal(to):
		return c.at(from)
	case from.Year() == to.Year() && from.YearDay() == to.YearDay():
		return c.at(from) + dash + to.Format(c.hour())
	}
	return c.at(from) + dash + c.at(to)
}

func (c clock) date() string {
	switch {
	case c.year:
		return "2006-01-02 "
	case c.day:
		return "Jan 02 "
	}
	return ""
}

func (c clock) hour() string {
	if c.seconds {
		return "15:04:05"
	}
	return "15:04"
}

// span writes a duration with its two biggest units: 3d4h, 6m12s.
func span(d time.Duration) string {
	d = d.Abs().Round(time.Second)
	for _, unit := range []struct {
		size, next time.Duration
		name, sub  string
	}{
		{24 * time.Hour, time.Hour, "d", "h"},
		{time.Hour, time.Minute, "h", "m"},
		{time.Minute, time.Second, "m", "s"},
	} {
		if d < unit.size {
			continue
		}
		whole, rest := d/unit.size, (d%unit.size)/unit.next
		if rest == 0 {
			return fmt.Sprintf("%d%s", whole, unit.name)
		}
		return fmt.Sprintf("%d%s%d%s", whole, unit.name, rest, unit.sub)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// full is a time as messages and commands carry it.
func full(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// stamp is a time as headings carry it.
func stamp(t time.Time) string {
	if t.Second() != 0 {
		return t.UTC().Format("2006-01-02 15:04:05")
	}
	return t.UTC().Format("2006-01-02 15:04")
}
