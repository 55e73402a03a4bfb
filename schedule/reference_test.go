package schedule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"pgregory.net/rapid"
)

// zones are worth testing: changes at midnight, on the first of a month, by half
// an hour, two or three hours, for good, several a year, none at all.
var zones = []string{
	"UTC", "Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Moscow", "Europe/Istanbul",
	"America/New_York", "America/Los_Angeles", "America/St_Johns", "America/Havana", "America/Sao_Paulo",
	"America/Santiago", "America/Asuncion", "America/Nuuk", "America/Caracas", "America/Scoresbysund",
	"Atlantic/Azores", "Africa/Cairo", "Africa/Casablanca", "Asia/Beirut", "Asia/Amman",
	"Asia/Damascus", "Asia/Gaza", "Asia/Tehran", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Tokyo", "Asia/Pyongyang",
	"Australia/Sydney", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kiritimati",
	"Pacific/Norfolk", "Africa/Juba", "Asia/Ulaanbaatar", "Europe/Volgograd", "Antarctica/Troll", "Antarctica/Casey",
}

func drawZone(t *rapid.T) *time.Location {
	loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// drawField draws one field in all of the syntax.
func drawField(t *rapid.T, label string, lo, hi int, names []string) string {
	value := func(n int) string {
		if names != nil && rapid.Bool().Draw(t, label+" named") {
			return names[n-lo]
		}
		return fmt.Sprint(n)
	}
	term := func() string {
		a := rapid.IntRange(lo, hi).Draw(t, label)
		switch rapid.IntRange(0, 5).Draw(t, label+" form") {
		case 0:
			return "*"
		case 1:
			return "?"
		case 2:
			return fmt.Sprintf("%s-%s", value(a), value(rapid.IntRange(a, hi).Draw(t, label+" end")))
		case 3:
			return fmt.Sprintf("*/%d", rapid.IntRange(1, hi).Draw(t, label+" step"))
		case 4:
			return fmt.Sprintf("%d-%d/%d", a, rapid.IntRange(a, hi).Draw(t, label+" end"), rapid.IntRange(1, hi).Draw(t, label+" step"))
		default:
			return value(a)
		}
	}
	if rapid.IntRange(0, 2).Draw(t, label+" any") == 0 {
		return "*"
	}
	terms := make([]string, rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, label+" terms"))
	for i := range terms {
		terms[i] = term()
	}
	return strings.Join(terms, ",")
}

func drawExpression(t *rapid.T) string {
	if rapid.IntRange(0, 7).Draw(t, "descriptor") == 0 {
		return rapid.SampledFrom([]string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@every 90m"}).Draw(t, "named")
	}
	return strings.Join([]string{
		drawField(t, "minute", 0, 59, nil),
		drawField(t, "hour", 0, 23, nil),
		drawField(t, "day", 1, 31, nil),
		drawField(t, "month", 1, 12, []string{"jan", "FEB", "Mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}),
		drawField(t, "weekday", 0, 6, []string{"SUN", "mon", "Tue", "wed", "thu", "fri", "sat"}),
	}, " ")
}

// drawInstant draws an instant between 2015 and 2045, three times in four
// within days of a transition of the zone.
func drawInstant(t *rapid.T, loc *time.Location) time.Time {
	// rapid prefers small numbers: with the year and the day of it apart, every
	// year gets its share.
	year, day := rapid.IntRange(2015, 2044).Draw(t, "year"), rapid.IntRange(5, 366).Draw(t, "day")
	at := time.Date(year, 1, day, 0, 0, 0, 0, time.UTC)
	if _, end := at.In(loc).ZoneBounds(); !end.IsZero() && rapid.IntRange(0, 3).Draw(t, "anywhere") > 0 {
		at = end
		if rapid.Bool().Draw(t, "on the hour") {
			return at.Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "hours")) * 30 * time.Minute)
		}
	}
	at = at.Add(time.Duration(rapid.IntRange(-3*daySeconds, 3*daySeconds).Draw(t, "seconds")) * time.Second)
	return at.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 500_000_000, 999_999_999}).Draw(t, "fraction")))
}

// robfigs is what iterating robfig's own Next gives for one expression: the
// firings in (after, until], the first limit+1 of them.
func robfigs(t *rapid.T, expression string, loc *time.Location, after, until time.Time, limit int) []time.Time {
	parsed, err := cron.ParseStandard(expression)
	if err != nil {
		t.Fatalf("%q: %v", expression, err)
	}
	original, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil
	}
	original.Location = loc
	return iterate(original, after, until, limit)
}

func iterate(original *cron.SpecSchedule, after, until time.Time, limit int) []time.Time {
	var out []time.Time
	for at := after; len(out) <= limit; {
		next := original.Next(at)
		// Where robfig answers with the past it is asked again as each minute begins.
		for ask := at.Truncate(time.Minute); !next.IsZero() && !next.After(at); {
			ask = ask.Add(time.Minute)
			next = original.Next(ask.Add(-time.Second))
		}
		if at = next; at.IsZero() || at.After(until) {
			break
		}
		out = append(out, at.UTC())
	}
	return out
}

// robfigsMerged does the same for several.
func robfigsMerged(t *rapid.T, expressions []string, loc *time.Location, after, until time.Time, limit int) []time.Time {
	var out []time.Time
	for _, e := range expressions {
		out = append(out, robfigs(t, e, loc, after, until, limit)...)
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

func mustParse(t testing.TB, zone string, expressions ...string) Schedule {
	t.Helper()
	s, err := Parse(expressions, zone, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func at(t testing.TB, s string) time.Time {
	t.Helper()
	out, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
