package argo

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall.dev/rollcall/auditor"
)

// audited are the findings on all firings of a world, by scheduled time.
func audited(t testing.TB, text []byte) (map[time.Time]auditor.Finding, []string, error) {
	t.Helper()
	s, err := readText(string(text), Scope{})
	if err != nil {
		return nil, nil, err
	}
	found := map[time.Time]auditor.Finding{}
	for _, o := range s.CronWorkflows {
		if o.Err != nil {
			continue
		}
		report, err := auditor.Audit(o.Input, auditor.Window{From: timeAt("04:04"), To: timeAt(worldsNow)}, timeAt(worldsNow), auditor.Options{})
		if err != nil {
			continue
		}
		for _, f := range report.Findings {
			found[f.ScheduledTime] = f
		}
	}
	return found, s.Notes, nil
}

// step is one of a path into JSON: a key, or the index of an item.
type step any

// paths are those to every value inside of one, itself left out, in a fixed order.
func paths(value any, to []step) [][]step {
	var all [][]step
	visit := func(s step, inner any) {
		path := append(slices.Clip(slices.Clone(to)), s)
		all = append(append(all, path), paths(inner, path)...)
	}
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			visit(key, v[key])
		}
	case []any:
		for i, inner := range v {
			visit(i, inner)
		}
	}
	return all
}

func at(value any, path []step) any {
	for _, s := range path {
		switch s := s.(type) {
		case string:
			value = value.(map[string]any)[s]
		case int:
			value = value.([]any)[s]
		}
	}
	return value
}

// with is the value with another one at the path.
func with(value any, path []step, other any) any {
	if len(path) == 0 {
		return other
	}
	switch s := path[0].(type) {
	case string:
		m := maps.Clone(value.(map[string]any))
		m[s] = with(m[s], path[1:], other)
		return m
	default:
		l := slices.Clone(value.([]any))
		l[s.(int)] = with(l[s.(int)], path[1:], other)
		return l
	}
}

func pathText(path []step) string {
	var b strings.Builder
	for _, s := range path {
		fmt.Fprintf(&b, ".%v", s)
	}
	return strings.TrimPrefix(b.String(), ".")
}

// kindOfJSON is the JSON type of a value; integers are one of their own.
func kindOfJSON(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "text"
	case int64, int:
		return "integer"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case json.Number:
		if _, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return "integer"
		}
		return "number"
	case []any:
		return "list"
	}
	return "mapping"
}

// unreadable says whether a value cannot stand for the other. null is what Kubernetes takes for nothing at all, which can be read.
func unreadable(value, instead any) bool {
	is, was := kindOfJSON(value), kindOfJSON(instead)
	if is == "null" {
		return false
	}
	if text, ok := instead.(string); ok && is == was {
		return !parseTime(text).IsZero() && !isTime(value.(string))
	}
	return is != was
}

// others are a value of each JSON type, and a text that is no time.
var others = []any{nil, true, int64(7), 1.5, "soon", "", []any{"x"}, map[string]any{"x": int64(1)}}

func inWorld(t testing.TB, all []map[string]any) ([]any, map[time.Time]auditor.Finding) {
	t.Helper()
	var items []any
	if err := json.Unmarshal(asJSON(t, all), &items); err != nil {
		t.Fatal(err)
	}
	found, _, err := audited(t, asJSON(t, map[string]any{"apiVersion": "v1", "kind": "List", "items": items}))
	if err != nil {
		t.Fatal(err)
	}
	return items, found
}

// accusesNoMore fails where a firing is called certainly lost that the whole objects do not call so.
func accusesNoMore(t testing.TB, items []any, whole map[time.Time]auditor.Finding, path []step, value any) {
	t.Helper()
	text := asJSON(t, map[string]any{"apiVersion": "v1", "kind": "List", "items": with(items, path, value)})
	found, notes, err := audited(t, text)
	if err != nil {
		if !strings.HasPrefix(err.Error(), "standard input, document 1, line 1, item ") {
			t.Errorf("%s: %v does not say where", pathText(path), err)
		}
		return
	}
	if !unreadable(value, at(items, path)) {
		return
	}
	for when, f := range found {
		if f.Verdict.Lost() && f.Certainty == auditor.Certain && whole[when].Certainty != auditor.Certain {
			t.Errorf("with %v for %s the firing of %s is certainly %s (it was %s %s); notes %q:\n%s",
				value, pathText(path), when.Format("15:04"), f.Verdict, whole[when].Verdict, whole[when].Reason, notes, strings.Join(f.Evidence, "\n"))
		}
	}
}

func TestNothingIsCertainlyLostByAFieldThatCannotBeRead(t *testing.T) {
	for name, all := range worlds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items, whole := inWorld(t, all)
			for when, f := range whole {
				if f.Verdict.Lost() && f.Certainty == auditor.Certain {
					t.Fatalf("the world is not as it should be: %s is %+v", when, f)
				}
			}
			for _, path := range paths(items, nil) {
				for _, value := range others {
					accusesNoMore(t, items, whole, path, value)
				}
			}
		})
	}
}

// FuzzField puts a value in the place of one field of a world.
func FuzzField(f *testing.F) {
	all := worlds()
	names := slices.Sorted(maps.Keys(all))
	for i := range names {
		f.Add(i, 20*i, `{"a": [1e999, "\ud800", {}]}`)
		f.Add(i, 31*i, `"2026-11-23T04:30:00Z"`)
		f.Add(i, 7, `-9223372036854775809`)
	}
	f.Fuzz(func(t *testing.T, world, path int, text string) {
		var value any
		if json.Unmarshal([]byte(text), &value) != nil || world < 0 || path < 0 {
			return
		}
		items, whole := inWorld(t, all[names[world%len(names)]])
		places := paths(items, nil)
		accusesNoMore(t, items, whole, places[path%len(places)], value)
	})
}

func TestAnObjectOfAWatchIsTakenWholeOrNotAtAll(t *testing.T) {
	for name, all := range worlds() {
		t.Run(name, func(t *testing.T) {
			items, _ := inWorld(t, all)
			for i, item := range items {
				told := watched(t, all[i])
				if told == nil {
					continue
				}
				whole, err := told(item)
				if err != nil {
					t.Fatal(err)
				}
				for _, path := range paths(item, nil) {
					for _, value := range others {
						got, err := told(with(item, path, value))
						owned := path[len(path)-1] == "f:spec" // of which only matters that it is there
						if err != nil || owned || !unreadable(value, at(item, path)) {
							continue
						}
						asItStands := cmpopts.IgnoreFields(auditor.Run{}, "ScheduledTime") // a text that people may set
						if diff := gocmp.Diff(whole, got, asItStands); diff != "" {
							t.Errorf("with %v for %s of %s (-whole +got):\n%s", value, pathText(path), all[i]["kind"], diff)
						}
					}
				}
			}
		})
	}
}

// watched says what a watch makes of an object of this kind: what the handler would be told, or an error that keeps it from being
// told, the text of one that a CronWorkflow carries included. Of a Workflow a watch has only the metadata. nil where none are watched.
func watched(t *testing.T, object map[string]any) func(any) (any, error) {
	w := &watching{c: &Client{}}
	event := func(object any) watchEvent { return watchEvent{Type: "MODIFIED", Object: asJSON(t, object)} }
	switch object["kind"] {
	case "CronWorkflow":
		return func(object any) (told any, err error) {
			s := w.cronStream(t.Context(), &area{})
			s.changed = func(c *watchedCron) {
				if told = c.cw; c.err != "" {
					err = errors.New(c.err)
				}
				if said := c.cw.Retention.Unreadable + c.cw.Settings.Invalid; said != "" {
					err = errors.New(said)
				}
			}
			return told, cmp.Or(s.event(event(object)), err)
		}
	case "Workflow":
		return func(object any) (told any, err error) {
			s := w.runStream(t.Context(), &area{})
			s.changed = func(r workflow) { told = r.run }
			metadata := map[string]any{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object.(map[string]any)["metadata"]}
			return told, s.event(event(metadata))
		}
	}
	return nil
}
