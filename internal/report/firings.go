package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"rollcall.dev/rollcall/schedule"
)

// FiringList is when a schedule fires.
type FiringList struct {
	Kind
	Schedules []string `json:"schedules"`
	// Timezone is the one given beside the schedules; empty where each has its own, or UTC.
	Timezone  string    `json:"timezone,omitempty"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to,omitzero"`
	Truncated bool      `json:"truncated,omitempty"`
	Firings   []Firing  `json:"firings"`
	Shifts    []Shift   `json:"shifts,omitempty"`
	Notes     []string  `json:"notes,omitempty"`
}

// Firing is one moment at which a schedule is due.
type Firing struct {
	ScheduledTime time.Time `json:"scheduledTime"`
	// Local is the wall clock in the schedule's timezone, with its offset.
	Local string `json:"local"`
}

// Shift is what a change of daylight saving time does to a schedule.
type Shift struct {
	// At is when the clocks change.
	At       time.Time `json:"at"`
	Timezone string    `json:"timezone"`
	// Kind is Skipped, Repeated or Stray.
	Kind       string `json:"kind"`
	Expression string `json:"expression"`
	// LocalTime is the wall clock concerned.
	LocalTime string `json:"localTime"`
	// Firing is the second firing of a repeated time, or the stray one.
	Firing time.Time `json:"firing,omitzero"`
	// Effect says it in a sentence.
	Effect string `json:"effect"`
}

// NewFiringList begins a list; the firings are shown on the wall clock of the zone.
func NewFiringList(schedules []string, timezone string, from, to time.Time, firings []time.Time, zone *time.Location) *FiringList {
	l := &FiringList{
		Kind: kind("FiringList"), Schedules: schedules, Timezone: timezone, From: utc(from), To: utc(to), Firings: []Firing{},
	}
	for _, t := range firings {
		l.Firings = append(l.Firings, Firing{ScheduledTime: utc(t), Local: t.In(zone).Format(time.RFC3339)})
	}
	return l
}

// AddShift adds what a change of daylight saving time does.
func (l *FiringList) AddShift(s schedule.Shift) {
	l.Shifts = append(l.Shifts, Shift{
		At: utc(s.At), Timezone: s.Zone, Kind: s.Kind.String(), Expression: s.Expression, LocalTime: s.LocalTime,
		Firing: utc(s.Firing), Effect: effect(s),
	})
}

func effect(s schedule.Shift) string {
	switch s.Kind {
	case schedule.Skipped:
		return fmt.Sprintf("%s: %s in %s is skipped, nothing fires (the clocks change at %s).", s.Expression, s.LocalTime, s.Zone, full(s.At))
	case schedule.Repeated:
		return fmt.Sprintf("%s: %s in %s comes twice and fires twice, the second time at %s (the clocks change at %s).", s.Expression, s.LocalTime, s.Zone, full(s.Firing), full(s.At))
	}
	return fmt.Sprintf("%s: fires at %s in %s (%s), which it does not name: do not rely on it (the clocks change at %s).", s.Expression, s.LocalTime, s.Zone, full(s.Firing), full(s.At))
}

// DeepCopyObject implements runtime.Object. Printers only read, so what the fields point to is shared.
func (l *FiringList) DeepCopyObject() Document {
	c := *l
	return &c
}

// FiringTable writes a list for people: the wall clock of the zone beside UTC, marked where the offset from UTC changes.
func FiringTable(w io.Writer, l *FiringList, style Style, zone *time.Location) error {
	if len(l.Firings) > 0 {
		if err := firingColumns(l, style, zone).write(w); err != nil {
			return err
		}
	}
	var b strings.Builder
	if l.Truncated {
		fmt.Fprintf(&b, "%s\n", style.paint(dim, style.pick("…", "...")+" and more: --limit shows them"))
	}
	if len(l.Shifts) > 0 {
		fmt.Fprintf(&b, "\n%s\n", style.paint(bold, "Daylight saving time"))
		for _, s := range l.Shifts {
			fmt.Fprintf(&b, "  %s %s\n", style.paint(yellow, style.pick("•", "*")), style.wrap(s.Effect, 4))
		}
	}
	for _, note := range l.Notes {
		fmt.Fprintf(&b, "\n%s\n", style.wrap(note, 0))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func firingColumns(l *FiringList, style Style, zone *time.Location) *columns {
	c := &columns{}
	const wall = "Mon 2006-01-02 15:04:05"
	if zone.String() == "UTC" {
		c.add(style.painted(dim, "UTC"))
		for _, f := range l.Firings {
			c.add(text(f.ScheduledTime.Format(wall)))
		}
		return c
	}
	c.add(style.painted(dim, strings.ToUpper(zone.String())), style.painted(dim, "UTC"))
	_, offset := l.Firings[0].ScheduledTime.In(zone).Zone()
	for _, f := range l.Firings {
		local := f.ScheduledTime.In(zone)
		row := []cell{text(local.Format(wall + " -07:00")), text(full(f.ScheduledTime))}
		if _, now := local.Zone(); now != offset {
			row = append(row, style.painted(yellow, turned(now-offset)))
			offset = now
		}
		c.add(row...)
	}
	return c
}

// turned says what the clocks did.
func turned(seconds int) string {
	way := "forward"
	if seconds < 0 {
		way = "back"
	}
	return fmt.Sprintf("clocks went %s %s", way, span(time.Duration(seconds)*time.Second))
}
