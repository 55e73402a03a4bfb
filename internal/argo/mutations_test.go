package argo

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/test/alter"
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

// unreadable says whether a value cannot stand for the other. null is what Kubernetes takes for nothing at all, which can be read.
func unreadable(value, instead any) bool {
	is, was := alter.Kind(value), alter.Kind(instead)
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
func accusesNoMore(t testing.TB, items []any, whole map[time.Time]auditor.Finding, path alter.Path, value any) {
	t.Helper()
	text := asJSON(t, map[string]any{"apiVersion": "v1", "kind": "List", "items": alter.With(items, path, value)})
	found, notes, err := audited(t, text)
	if err != nil {
		if !strings.HasPrefix(err.Error(), "standard input, document 1, line 1, item ") {
			t.Errorf("%s: %v does not say where", path, err)
		}
		return
	}
	if !unreadable(value, alter.At(items, path)) {
		return
	}
	for when, f := range found {
		if f.Verdict.Lost() && f.Certainty == auditor.Certain && whole[when].Certainty != auditor.Certain {
			t.Errorf("with %v for %s the firing of %s is certainly %s (it was %s %s); notes %q:\n%s",
				value, path, when.Format("15:04"), f.Verdict, whole[when].Verdict, whole[when].Reason, notes, strings.Join(f.Evidence, "\n"))
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
			for _, path := range alter.Paths(items) {
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
		places := alter.Paths(items)
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
				for _, path := range alter.Paths(item) {
					for _, value := range others {
						got, err := told(alter.With(item, path, value))
						owned := path[len(path)-1] == "f:spec" // of which only matters that it is there
						if err != nil || owned || !unreadable(value, alter.At(item, path)) {
							continue
						}
						asItStands := cmpopts.IgnoreFields(auditor.Run{}, "ScheduledTime") // a text that people may set
						if diff := gocmp.Diff(whole, got, asItStands); diff != "" {
							t.Errorf("with %v for %s of %s (-whole +got):\n%s", value, path, all[i]["kind"], diff)
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
