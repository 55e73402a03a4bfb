package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// envPrefix begins the names of all environment variables that are read: --late-after is ROLLCALL_LATE_AFTER.
const envPrefix = "ROLLCALL"

// settings reads values by the names of their flags and gathers what is wrong with them.
type settings struct {
	flags  *pflag.FlagSet
	values *viper.Viper
	// file is where values stand that neither a flag nor a variable sets; empty for nowhere.
	file     string
	problems []error
}

func newSettings(flags *pflag.FlagSet, names ...string) (*settings, error) {
	s := &settings{flags: flags, values: viper.New()}
	for _, name := range names {
		flag := flags.Lookup(name)
		if flag == nil {
			return nil, fmt.Errorf("flag --%s is not defined", name)
		}
		if err := s.values.BindPFlag(name, flag); err != nil {
			return nil, fmt.Errorf("--%s: %w", name, err)
		}
		if err := s.values.BindEnv(name, Variable(name)); err != nil {
			return nil, fmt.Errorf("%s: %w", Variable(name), err)
		}
	}
	return s, nil
}

// Variable is the environment variable of a flag: ROLLCALL_LATE_AFTER of late-after.
func Variable(flag string) string {
	return envPrefix + "_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// text is a value as it was written. A file has more than text: what is none there is a problem, since "007" and 007 are not the
// same to YAML, and nobody could tell what was meant.
func (s *settings) text(name string) string {
	switch value := s.values.Get(name).(type) {
	case string:
		return value
	case nil:
		return ""
	case bool, int, int64, uint64, float64:
		s.wrong(name, "%v is read as a %s: put it in quotes", value, kindOf(value))
	default:
		s.wrong(name, "is a %s, and must be a text", kindOf(value))
	}
	return ""
}

// kindOf says in the words of YAML and JSON what a value is.
func kindOf(value any) string {
	switch value.(type) {
	case bool:
		return "boolean"
	case int, int64, uint64, float64:
		return "number"
	case []any, []string:
		return "list"
	case map[string]any, map[any]any:
		return "mapping"
	case time.Time:
		return "date"
	case nil:
		return "null"
	}
	return fmt.Sprintf("%T", value)
}

// quote is a text in quotation marks, and clip one as it is, of no more than maxShown bytes of it: a file has room for a million.
func quote(value string) string { return strconv.Quote(clip(value)) }

func clip(value string) string {
	if len(value) <= maxShown {
		return value
	}
	return strings.ToValidUTF8(value[:maxShown], "") + "…"
}

const maxShown = 200

// shown is a value as messages have it: of a list or mapping, which may be of any size, only that it is one.
func shown(value any) string {
	switch value := value.(type) {
	case string:
		return quote(value)
	case []any, []string, map[string]any, map[any]any:
		return "a " + kindOf(value)
	}
	return clip(fmt.Sprint(value))
}

func (s *settings) positive(name string) time.Duration {
	before := len(s.problems)
	value := s.text(name)
	if len(s.problems) > before {
		return 0
	}
	d, err := time.ParseDuration(value)
	switch {
	case err != nil:
		s.wrong(name, "%s is not a duration such as 30s, 5m or 1h30m", quote(value))
	case d <= 0:
		s.wrong(name, "%s is not more than 0", value)
	}
	return d
}

func (s *settings) zone(name string) *time.Location {
	before := len(s.problems)
	value := s.text(name)
	if len(s.problems) > before {
		return nil
	}
	zone, err := LoadZone(value)
	if err != nil {
		s.wrong(name, "%w", err)
	}
	return zone
}

// number is a whole number between two bounds, which are allowed.
func (s *settings) number(name string, least, most int) int {
	n, ok := 0, false
	value := s.values.Get(name)
	switch v := value.(type) {
	case int:
		n, ok = v, true
	case float64: // 1e2, to YAML
		n, ok = int(v), v == math.Trunc(v) && math.Abs(v) < 1e9
	case string:
		var err error
		n, err = strconv.Atoi(v)
		ok = err == nil
	}
	switch {
	case !ok:
		s.wrong(name, "%s is not a whole number from %d to %d", shown(value), least, most)
	case n < least || n > most:
		s.wrong(name, "%d is not between %d and %d", n, least, most)
	}
	return n
}

func (s *settings) truth(name string) bool {
	switch value := s.values.Get(name).(type) {
	case bool:
		return value
	case string:
		b, err := strconv.ParseBool(value)
		if err != nil {
			s.wrong(name, "%s is neither true nor false", quote(value))
		}
		return b
	default:
		s.wrong(name, "%s is neither true nor false", shown(value))
		return false
	}
}

// list is a list of texts: a flag that was repeated, a list in a file, or one text with commas.
func (s *settings) list(name string) []string {
	var items []string
	switch value := s.values.Get(name).(type) {
	case nil:
	case []string:
		items = value
	case string:
		if value != "" {
			items = strings.Split(value, ",")
		}
	case []any:
		for _, item := range value {
			text, ok := item.(string)
			if !ok {
				what := shown(item)
				kind := kindOf(item)
				if item == nil || what == "a "+kind {
					what = "one of them"
				}
				s.wrong(name, "%s is a %s, and must be a text", what, kind)
				continue
			}
			items = append(items, text)
		}
	default:
		s.wrong(name, "is a %s, and must be a list of texts", kindOf(value))
	}
	trimmed := make([]string, 0, len(items))
	for _, item := range items {
		trimmed = append(trimmed, strings.TrimSpace(item))
	}
	return trimmed
}

// oneOf is one of a few texts.
func (s *settings) oneOf(name string, choices ...string) string {
	before := len(s.problems)
	value := s.text(name)
	if len(s.problems) == before && !slices.Contains(choices, value) {
		s.wrong(name, "%s is none of %s", quote(value), strings.Join(choices, ", "))
	}
	return value
}

// wrong notes a problem under the name that the user knows the setting by.
func (s *settings) wrong(name, problem string, args ...any) {
	s.problems = append(s.problems, fmt.Errorf(s.setBy(name)+": "+problem, args...))
}

// setBy is what set a value: the flag, the variable, or the key of the file.
func (s *settings) setBy(name string) string {
	switch {
	case s.flags.Lookup(name).Changed:
		return "--" + name
	case variableSet(name):
		return Variable(name)
	case s.values.InConfig(name):
		return s.file + ": " + name
	}
	return "--" + name
}

func (s *settings) err() error { return errors.Join(s.problems...) }

// LoadZone reads the name of a timezone. Unlike time.LoadLocation it takes neither the empty name nor "Local", which mean
// another zone on every machine.
func LoadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%s is not the name of a timezone such as UTC or Europe/Berlin", quote(name))
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%s is not a timezone of the IANA database (such as UTC or Europe/Berlin)", quote(name))
	}
	return zone, nil
}
