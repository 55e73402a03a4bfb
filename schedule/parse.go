package schedule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	// The zone database is compiled in: the container image is empty, and a zone
	// that cannot be loaded would make every CronWorkflow that names one
	// unauditable. A database of the system still takes precedence.
	_ "time/tzdata"
	"unicode"

	"github.com/robfig/cron/v3"
)

// ErrNoExpressions is returned by Parse when there is nothing to parse.
var ErrNoExpressions = errors.New("the CronWorkflow has no schedule: set spec.schedules")

// Parse reads the expressions of one CronWorkflow: spec.schedule or
// spec.schedules, with spec.timezone.
//
// An expression is what cron.ParseStandard accepts: five fields, a descriptor
// such as @daily, or "@every <duration>". Like Argo, Parse puts
// "CRON_TZ=<timezone> " in front when timezone is set. An expression may name
// its own zone ("CRON_TZ=Asia/Tokyo 0 5 * * *") only when timezone is "": with
// both, robfig takes the second for a field and rejects it.
//
// timezone "" stands for local, the zone of Argo's controller (nil means UTC);
// so does the zone name "Local", which robfig reads in the same way.
//
// The error names the first expression that is wrong; it is ErrNoExpressions
// when there is none.
func Parse(expressions []string, timezone string, local *time.Location) (Schedule, error) {
	if len(expressions) == 0 {
		return Schedule{}, ErrNoExpressions
	}
	if local == nil {
		local = time.UTC
	}
	specs := make([]spec, 0, len(expressions))
	for _, text := range expressions {
		sp, err := parseOne(text, timezone, local)
		if err != nil {
			return Schedule{}, fmt.Errorf("schedule %s: %w", quote(text), err)
		}
		specs = append(specs, sp)
	}
	return Schedule{specs: specs}, nil
}

func parseOne(text, timezone string, local *time.Location) (spec, error) {
	if strings.TrimSpace(text) == "" {
		return spec{}, errors.New("the expression is empty; it wants five fields, such as \"0 5 * * *\"")
	}
	full := text
	if timezone != "" {
		full = "CRON_TZ=" + timezone + " " + text
	}
	zone, rest, err := splitZone(full)
	if err != nil {
		return spec{}, err
	}
	parsed, err := cron.ParseStandard(full)
	if err != nil {
		return spec{}, explain(err, zone, rest, timezone)
	}
	out := spec{Expression: Expression{Text: text, Location: local}}
	switch parsed := parsed.(type) {
	case *cron.SpecSchedule:
		if parsed.Location != time.Local {
			out.Location = parsed.Location
		}
		out.cron = parsed
	case cron.ConstantDelaySchedule:
		out.Period = parsed.Delay
	default:
		return spec{}, fmt.Errorf("robfig/cron returned a %T, which this version does not know", parsed)
	}
	return out, nil
}

// splitZone cuts the zone off as robfig does, at the first blank. Without a
// blank robfig slices out of range and panics (robfig/cron #554), and Argo's
// controller with it.
func splitZone(full string) (zone, rest string, err error) {
	if !strings.HasPrefix(full, "TZ=") && !strings.HasPrefix(full, "CRON_TZ=") {
		return "", full, nil
	}
	head, rest, found := strings.Cut(full, " ")
	_, zone, _ = strings.Cut(head, "=")
	if !found {
		return "", "", fmt.Errorf("there is no blank and no expression after the timezone %s; put the five fields behind it", quote(zone))
	}
	return zone, strings.TrimSpace(rest), nil
}

// explain says in a user's words why robfig rejects an expression. It looks for
// the usual mistakes, one after the other; robfig's own words come last.
func explain(err error, zone, rest, timezone string) error {
	if _, zoneErr := time.LoadLocation(zone); zoneErr != nil {
		return fmt.Errorf("unknown timezone %s: use a name of the IANA database, such as Europe/Berlin (%s)", quote(zone), clip(zoneErr.Error()))
	}
	if timezone != "" && (strings.HasPrefix(rest, "TZ=") || strings.HasPrefix(rest, "CRON_TZ=")) {
		return fmt.Errorf("the expression names a timezone though spec.timezone is %s: remove one of them (%s)", quote(timezone), clip(err.Error()))
	}
	if strings.HasPrefix(rest, "@") {
		return fmt.Errorf("unknown descriptor: robfig/cron has @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly and \"@every 1h30m\" (%s)", clip(err.Error()))
	}
	names := []string{"minute", "hour", "day of month", "month", "day of week"}
	fields := strings.Fields(rest)
	if len(fields) != len(names) {
		return fmt.Errorf("%d fields, but an expression has five: %s (there is no field for seconds)", len(fields), strings.Join(names, ", "))
	}
	for i, field := range fields {
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = field
		if _, fieldErr := cron.ParseStandard(strings.Join(alone, " ")); fieldErr != nil {
			return fmt.Errorf("%s %s: %s", names[i], quote(field), clip(fieldErr.Error()))
		}
	}
	return errors.New(clip(err.Error()))
}

// A message must stay readable, and harmless to a terminal, whatever was put
// into the field.
const maxQuoted = 120

func clip(s string) string {
	if len(s) > maxQuoted {
		s = s[:maxQuoted] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func quote(s string) string { return strconv.Quote(clip(s)) }
