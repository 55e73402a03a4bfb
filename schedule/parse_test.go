package schedule

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/robfig/cron/v3"
)

func TestParseEvaluatesAnExpressionInTheZoneThatRobfigWould(t *testing.T) {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		expression string
		timezone   string
		local      *time.Location
		want       string
	}{
		"the timezone of the spec":                         {expression: "0 5 * * *", timezone: "Europe/Berlin", local: tokyo, want: "Europe/Berlin"},
		"without one, the zone the expression names":       {expression: "CRON_TZ=America/New_York 0 5 * * *", local: tokyo, want: "America/New_York"},
		"which may be written TZ=":                         {expression: "TZ=America/New_York 0 5 * * *", local: tokyo, want: "America/New_York"},
		"without either, the controller's zone":            {expression: "0 5 * * *", local: tokyo, want: "Asia/Tokyo"},
		"and UTC when that is not known":                   {expression: "0 5 * * *", want: "UTC"},
		"the controller's zone when it is called Local":    {expression: "0 5 * * *", timezone: "Local", local: tokyo, want: "Asia/Tokyo"},
		"UTC for an inline zone without a name":            {expression: "TZ= 0 5 * * *", local: tokyo, want: "UTC"},
		"descriptors too":                                  {expression: "@daily", timezone: "Europe/Berlin", want: "Europe/Berlin"},
		"a timezone with a blank behind it, as Argo does":  {expression: "0 5 * * *", timezone: "Europe/Berlin ", want: "Europe/Berlin"},
		"blanks around a descriptor, thanks to a timezone": {expression: " @daily ", timezone: "UTC", want: "UTC"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := Parse([]string{tt.expression}, tt.timezone, tt.local)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Expressions()[0].Location.String(); got != tt.want {
				t.Errorf("evaluated in %s, want %s", got, tt.want)
			}
			if got := s.Expressions()[0].Text; got != tt.expression {
				t.Errorf("Text is %q, want it as written, %q", got, tt.expression)
			}
		})
	}
}

func TestParseRejectsWhatRobfigRejectsAndSaysWhy(t *testing.T) {
	tests := map[string]struct {
		expressions []string
		timezone    string
		want        []string // all of them in the message
	}{
		"an unknown timezone":                      {[]string{"0 5 * * *"}, "Mars/Olympus", []string{`"0 5 * * *"`, `unknown timezone "Mars/Olympus"`, "IANA"}},
		"an unknown timezone in the expression":    {[]string{"TZ=Mars 0 5 * * *"}, "", []string{`unknown timezone "Mars"`}},
		"a path as timezone":                       {[]string{"0 5 * * *"}, "../../etc/passwd", []string{"unknown timezone"}},
		"a zone in both places":                    {[]string{"CRON_TZ=Asia/Tokyo 0 5 * * *"}, "UTC", []string{`spec.timezone is "UTC"`, "remove one", "found 6"}},
		"a zone in both places, with a descriptor": {[]string{"TZ=Asia/Tokyo @daily"}, "UTC", []string{`spec.timezone is "UTC"`}},
		"a zone and nothing else (robfig #554)":    {[]string{"TZ=UTC"}, "", []string{`"TZ=UTC"`, "no expression after the timezone"}},
		"a zone followed by tabs":                  {[]string{"TZ=UTC\t0\t5\t*\t*\t*"}, "", []string{"no blank"}},
		"a zone and a blank":                       {[]string{"CRON_TZ= "}, "", []string{"0 fields"}},
		"a blank in front of the timezone":         {[]string{"0 5 * * *"}, " UTC", []string{"6 fields"}},
		"an empty expression":                      {[]string{""}, "", []string{`schedule ""`, "empty"}},
		"blanks only":                              {[]string{" \t"}, "UTC", []string{"empty"}},
		"seconds":                                  {[]string{"0 0 5 * * *"}, "", []string{"6 fields", "no field for seconds"}},
		"four fields":                              {[]string{"0 5 * *"}, "UTC", []string{"4 fields", "five: minute, hour, day of month, month, day of week"}},
		"minute 60":                                {[]string{"60 5 * * *"}, "", []string{`minute "60"`, "above maximum (59)"}},
		"hour 24":                                  {[]string{"0 24 * * *"}, "UTC", []string{`hour "24"`, "above maximum (23)"}},
		"day 0":                                    {[]string{"0 5 0 * *"}, "", []string{`day of month "0"`, "below minimum (1)"}},
		"month 13":                                 {[]string{"0 5 * 13 *"}, "", []string{`month "13"`}},
		"Sunday as 7":                              {[]string{"0 5 * * 7"}, "", []string{`day of week "7"`, "above maximum (6)"}},
		"L of Quartz":                              {[]string{"0 5 L * *"}, "", []string{`day of month "L"`}},
		"a range backwards":                        {[]string{"0 5 * * FRI-MON"}, "", []string{"day of week", "beyond end of range"}},
		"step 0":                                   {[]string{"*/0 * * * *"}, "", []string{`minute "*/0"`, "positive"}},
		"an unknown descriptor":                    {[]string{"@fortnightly"}, "UTC", []string{"unknown descriptor", "@weekly", "@fortnightly"}},
		"@reboot":                                  {[]string{"@reboot"}, "", []string{"unknown descriptor"}},
		"@every without a duration":                {[]string{"@every"}, "", []string{"@every 1h30m"}},
		"a bad duration":                           {[]string{"@every 1day"}, "", []string{"@every 1day"}},
		"a blank behind a descriptor, no timezone": {[]string{"@daily "}, "", []string{"unknown descriptor"}},
		"one bad expression among good ones":       {[]string{"0 5 * * *", "nonsense"}, "", []string{`"nonsense"`, "1 fields"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tt.expressions, tt.timezone, nil)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the message does not say %q: %v", want, err)
				}
			}
		})
	}
}

func TestNoExpressionIsAnErrorOfItsOwn(t *testing.T) {
	if _, err := Parse(nil, "UTC", nil); !errors.Is(err, ErrNoExpressions) {
		t.Errorf("got %v, want ErrNoExpressions", err)
	}
}

func TestAnErrorStaysReadableWhateverTheExpression(t *testing.T) {
	long := strings.Repeat("é1,\x1b[31m", 100_000)
	for _, c := range []struct{ expression, timezone string }{
		{long, "UTC"}, {long + " * * * *", "UTC"}, {"@" + long, ""}, {"0 5 * * *", long}, {"TZ=" + long, ""}, {"TZ=UTC * * * * *", long}, {"TZ=" + long + " @daily", "UTC"},
	} {
		_, err := Parse([]string{c.expression}, c.timezone, nil)
		if err == nil || len(err.Error()) > 1000 || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%.20q in %.20q: %v", c.expression, c.timezone, err)
		}
	}
}

func TestEveryHasPeriodsAndNoFirings(t *testing.T) {
	s := mustParse(t, "Europe/Berlin", "@every 90s", "@daily", "@every 1ns", "@every -1s", "@every 0s", "@every 1500ms")
	want := []time.Duration{90 * time.Second, time.Second, time.Second, time.Second, time.Second}
	if diff := cmp.Diff(want, s.Every()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	every := mustParse(t, "", "@every 10s")
	from := at(t, "2026-01-01T00:00:00Z")
	if firings, truncated := every.Firings(from, from.Add(time.Hour), 10); firings != nil || truncated {
		t.Errorf("firings %v, truncated %v", firings, truncated)
	}
	if next, ok := every.Next(from); ok {
		t.Errorf("next is %v", next)
	}
	if every.Contains(from) || every.Last(from, 5, from.AddDate(-1, 0, 0)) != nil || every.Shifts(from, from.AddDate(1, 0, 0), 5) != nil {
		t.Error("@every has firings")
	}
}

func TestStringNamesExpressionsAndZones(t *testing.T) {
	s := mustParse(t, "Europe/Berlin", "0 5 * * *", "@every 10s")
	if got, want := s.String(), "0 5 * * * (Europe/Berlin), @every 10s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What Parse guards against, so that an update of robfig that mends it is seen.
func TestRobfigPanicsOnAZoneWithNothingBehindIt(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("robfig does not panic any more: splitZone may be simplified")
		}
	}()
	_, _ = cron.ParseStandard("TZ=UTC")
}

func TestOrFiresWhenEitherDoes(t *testing.T) {
	parse := func(expression, zone string) Schedule {
		s, err := Parse([]string{expression}, zone, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	both := parse("0 12 * * *", "UTC").Or(parse("0 12 * * *", "Asia/Tokyo"))
	got, _ := both.Firings(at, at.Add(24*time.Hour), 10)
	if want := []time.Time{at.Add(3 * time.Hour), at.Add(12 * time.Hour)}; !slices.EqualFunc(got, want, time.Time.Equal) {
		t.Errorf("got %v, want %v", got, want)
	}
}
