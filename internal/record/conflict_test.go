package record

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

func TestAnOldLeaderDoesNotOverwriteWhatItHasNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		older, newer := newStore(t, api, "old"), newStore(t, api, "new")
		save(t, older, tick, known(1), true)
		if _, err := newer.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		save(t, newer, tick, known(2), true)

		if err := older.Save(t.Context(), tick, known(3), true); !errors.Is(err, ErrSuperseded) {
			t.Errorf("got %v", err)
		}
		api.asked()
		for _, urgent := range []bool{true, false} {
			if err := older.Save(t.Context(), tick, known(4), urgent); !errors.Is(err, ErrSuperseded) {
				t.Errorf("got %v", err)
			}
		}
		if asked := api.asked(); len(asked) != 0 {
			t.Errorf("asked again: %v", asked)
		}
		got, ok, err := older.Reload(t.Context(), tick)
		if diff := cmp.Diff(known(2), got, cmpopts.EquateEmpty()); diff != "" || !ok || err != nil {
			t.Errorf("%v, %v, %s", ok, err, diff)
		}
		save(t, older, tick, known(5), true)
		if got := api.recorded(t, tick); got.Totals[auditor.OnTime] != 5 {
			t.Errorf("got %v", got.Totals)
		}
	})
}

func TestARecordThatSomebodyElseMadeFirstIsReadBeforeItIsWritten(t *testing.T) {
	api := newServer()
	older, newer := newStore(t, api, "old"), newStore(t, api, "new")
	if _, err := newer.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	save(t, older, tick, known(1), true)
	if err := newer.Save(t.Context(), tick, known(2), true); !errors.Is(err, ErrSuperseded) {
		t.Errorf("got %v", err)
	}
	if _, err := newer.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	save(t, newer, tick, known(2), true)
}

func TestOtherChangesOfTheObjectAreNoReasonNotToWrite(t *testing.T) {
	for name, change := range map[string]func(api *server){
		"a label": func(api *server) {
			audit := api.audits[tick]
			audit.Labels = map[string]string{"team": "data"}
			api.store(tick, audit)
		},
		"an edit by hand": func(api *server) {
			audit := api.audits[tick]
			audit.Status.Strip, audit.Status.Totals = "GGG", v1alpha1.Totals{}
			api.store(tick, audit)
		},
		"deleted": func(api *server) { delete(api.audits, tick) },
		"deleted and made again": func(api *server) {
			audit := api.audits[tick]
			audit.UID, audit.Status = "other", v1alpha1.CronAuditStatus{}
			api.store(tick, audit)
		},
		"without its owner": func(api *server) {
			audit := api.audits[tick]
			audit.OwnerReferences = nil
			api.store(tick, audit)
		},
	} {
		t.Run(name, func(t *testing.T) {
			api := newServer()
			api.crons[tick] = "u1"
			store := newStore(t, api, "a")
			save(t, store, tick, known(1), true)
			api.change(func() { change(api) })
			save(t, store, tick, known(2), true)
			if diff := cmp.Diff(known(2), api.recorded(t, tick), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if got := api.audits[tick]; len(got.OwnerReferences) != 1 || (name == "a label") != (got.Labels["team"] == "data") {
				t.Errorf("got owners %v, labels %v", got.OwnerReferences, got.Labels)
			}
		})
	}
}

func TestAWriteWhoseAnswerWasLostIsNotTakenForSomebodyElses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		store := newStore(t, api, "a")
		for i, method := range []string{"POST", "PUT", "PUT"} {
			lost := false
			api.change(func() {
				api.after = func(what string) error {
					if !lost && strings.HasPrefix(what, method+" ") {
						lost = true
						return errRefused
					}
					return nil
				}
			})
			save(t, store, tick, known(i+1), true)
			if !lost {
				t.Fatalf("no %s was sent", method)
			}
			if got := api.recorded(t, tick); got.Totals[auditor.OnTime] != int64(i+1) {
				t.Errorf("got %v", got.Totals)
			}
		}
	})
}

// TestNothingThatWasRecordedIsEverOverwrittenUnread plays leaders that save, read, lose answers and are cut off, in any order, while
// the CronWorkflow is deleted and made again. Each state says all that its writer knows, as times in Moved; no write may leave out
// what the record of the same CronWorkflow held before, and none may bring back a former one's.
func TestNothingThatWasRecordedIsEverOverwrittenUnread(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		api := newServer()
		api.crons[tick] = "u1"
		births := 1
		type leader struct {
			*Store
			uid   string
			knows []time.Time
			// waits is what was read of one that this leader has not been told of yet; the Watcher keeps it.
			waits auditor.State
		}
		leaders := []*leader{{Store: newStore(t, api, "a")}, {Store: newStore(t, api, "b")}, {Store: newStore(t, api, "c")}}
		for _, l := range leaders {
			l.timing.Retry, l.uid = time.Nanosecond, "u1"
		}
		var held auditor.State
		look := func(after string) {
			audit, ok := api.audits[tick]
			if !ok {
				held = auditor.State{}
				return
			}
			state, err := StateOf(&audit)
			if err != nil {
				rt.Fatal(err)
			}
			if state.UID < held.UID {
				rt.Fatalf("%s: the record of %s was replaced by that of %s", after, held.UID, state.UID)
			}
			for _, fact := range held.Record.Moved {
				if state.UID == held.UID && !slices.ContainsFunc(state.Record.Moved, fact.Equal) {
					rt.Fatalf("%s: forgot %s", after, fact)
				}
			}
			held = state
		}
		api.after = func(what string) error {
			if strings.HasPrefix(what, "PUT ") {
				look(what)
			}
			if rapid.IntRange(0, 4).Draw(rt, "lost") == 0 {
				return errRefused
			}
			return nil
		}
		api.fault = func(string) (*reply, error) {
			switch rapid.IntRange(0, 12).Draw(rt, "before") {
			case 0, 1:
				return nil, errRefused
			case 2: // up to nine births: their UIDs are compared as texts
				if births < 9 && rapid.Bool().Draw(rt, "born") {
					births++
					api.change(func() { api.crons[tick] = fmt.Sprint("u", births) })
				}
			}
			return nil, nil
		}
		// notice is what a watch tells: the CronWorkflow there is, sooner or later.
		notice := func(l *leader) {
			if uid := fmt.Sprint("u", births); l.uid != uid {
				l.uid, l.knows = uid, nil
				if l.waits.UID == uid {
					l.knows = l.waits.Record.Moved
				}
			}
		}
		facts := 0
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			l := rapid.SampledFrom(leaders).Draw(rt, "leader")
			switch step := rapid.IntRange(0, 10).Draw(rt, "step"); {
			case step < 5:
				facts++
				l.knows = append(l.knows, noon.Add(time.Duration(facts)*time.Second))
				_ = l.Save(t.Context(), tick, auditor.State{UID: l.uid, Record: auditor.Record{Moved: l.knows}}, step < 4)
			case step < 7:
				_ = l.Flush(t.Context())
			case step == 7:
				if got, ok, err := l.Reload(t.Context(), tick); err == nil {
					l.knows = nil
					if ok {
						l.waits = got
					}
					if ok && got.UID == l.uid {
						l.knows = got.Record.Moved
					}
				}
			case step == 8:
				if all, err := l.Load(t.Context()); err == nil {
					l.knows, l.waits = nil, all[tick]
					if got := all[tick]; got.UID == l.uid {
						l.knows = got.Record.Moved
					}
				}
			case step == 9:
				notice(l)
			default:
				api.change(func() {
					if rapid.Bool().Draw(rt, "delete") {
						delete(api.audits, tick)
						held = auditor.State{}
					} else if audit, ok := api.audits[tick]; ok {
						audit.Labels = map[string]string{"n": fmt.Sprint(facts)}
						api.store(tick, audit)
					}
				})
			}
		}
	})
}
