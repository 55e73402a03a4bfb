package schedule

import (
	"fmt"
	"testing"
)

func BenchmarkFirings(b *testing.B) {
	for name, bench := range map[string]struct {
		zone        string
		days        int
		expressions []string
	}{
		"every minute for 30 days in UTC":             {"UTC", 30, []string{"* * * * *"}},
		"every minute for 30 days with a transition":  {"Europe/Berlin", 30, []string{"* * * * *"}},
		"twenty expressions for 30 days in Berlin":    {"Europe/Berlin", 30, twenty()},
		"yearly for 30 years in Berlin":               {"Europe/Berlin", 30 * 365, []string{"@yearly"}},
		"what never fires, for 30 years in Berlin":    {"Europe/Berlin", 30 * 365, []string{"0 0 31 2 *"}},
		"an empty minute field for 30 years in Paris": {"Europe/Paris", 30 * 365, []string{", * * * *"}},
	} {
		b.Run(name, func(b *testing.B) {
			s := mustParse(b, bench.zone, bench.expressions...)
			after := at(b, "2026-03-10T00:00:00Z")
			until := after.AddDate(0, 0, bench.days)
			for b.Loop() {
				s.Firings(after, until, 1_000_000)
			}
		})
	}
}

func twenty() []string {
	out := make([]string, 20)
	for i := range out {
		out[i] = fmt.Sprintf("%d * * * *", 3*i)
	}
	return out
}

func BenchmarkContains(b *testing.B) {
	for name, when := range map[string]string{"far from a transition": "2026-08-01T03:00:00Z", "a month after one": "2026-04-28T03:00:00Z"} {
		b.Run(name, func(b *testing.B) {
			s, t := mustParse(b, "Europe/Berlin", "*/5 9-17 * * MON-FRI"), at(b, when)
			for b.Loop() {
				s.Contains(t)
			}
		})
	}
}

func BenchmarkLast100(b *testing.B) {
	s, until := mustParse(b, "Europe/Berlin", "0 5 * * *"), at(b, "2026-08-01T03:00:00Z")
	for b.Loop() {
		s.Last(until, 100, until.AddDate(-5, 0, 0))
	}
}

func BenchmarkShiftsOfAYear(b *testing.B) {
	s, after := mustParse(b, "Europe/Berlin", "*/5 * * * *"), at(b, "2026-01-01T00:00:00Z")
	for b.Loop() {
		s.Shifts(after, after.AddDate(1, 0, 0), 100)
	}
}
