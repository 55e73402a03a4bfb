package record

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/rollcall/auditor"
)

const (
	objectPath  = base + "/namespaces/default/cronaudits/tick"
	readAudit   = "GET " + objectPath
	readCron    = "GET /apis/argoproj.io/v1alpha1/namespaces/default/cronworkflows/tick"
	createAudit = "POST " + base + "/namespaces/default/cronaudits"
	adoptAudit  = "PUT " + objectPath
	writeStatus = "PUT " + objectPath + "/status"
)

// reborn is an API server with the record of the CronWorkflow u1, which has been deleted and made again as u2, and the Store that
// wrote it.
func reborn(t testing.TB, change ...func(*Options)) (*server, *Store) {
	t.Helper()
	api := newServer()
	api.crons[tick] = "u1"
	store := newStore(t, api, "a", change...)
	save(t, store, tick, known(1), true)
	api.crons[tick] = "u2"
	api.asked()
	return api, store
}

func (s *server) owner(t testing.TB) types.UID {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	audit := s.audits[tick]
	if len(audit.OwnerReferences) != 1 {
		t.Fatalf("got owners %v", audit.OwnerReferences)
	}
	return audit.OwnerReferences[0].UID
}

func (s *server) holds(t testing.TB, want auditor.State) {
	t.Helper()
	if owner := s.owner(t); string(owner) != want.UID {
		t.Errorf("it is owned by %s, want %s", owner, want.UID)
	}
	if diff := cmp.Diff(want, s.recorded(t, tick), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestTheRecordOfAFormerCronWorkflowIsAdopted(t *testing.T) {
	now := noon
	api, store := reborn(t, func(o *Options) { o.Now = func() time.Time { return now } })
	other := newStore(t, api, "b")
	if _, err := other.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	api.asked()
	before := api.audits[tick]
	now = noon.Add(time.Hour)
	save(t, store, tick, knownOf("u2", 7), true)
	if diff := cmp.Diff([]string{readAudit, readCron, adoptAudit, writeStatus}, api.asked()); diff != "" {
		t.Error(diff)
	}
	api.holds(t, knownOf("u2", 7))
	after := api.audits[tick]
	if after.UID != before.UID || after.Status.Revision != before.Status.Revision+1 {
		t.Errorf("got %s, revision %d after %s, revision %d", after.UID, after.Status.Revision, before.UID, before.Status.Revision)
	}
	for _, c := range after.Status.Conditions {
		if !c.LastTransitionTime.Time.Equal(now) {
			t.Errorf("condition %s is as old as the former CronWorkflow's: %s", c.Type, c.LastTransitionTime)
		}
	}
	// A Rollcall that has not noticed yet does not bring the former one's back.
	if err := other.Save(t.Context(), tick, known(2), true); !errors.Is(err, ErrAnother) {
		t.Errorf("got %v", err)
	}
	delete(api.crons, tick)
	if err := other.Save(t.Context(), tick, known(3), true); !errors.Is(err, ErrAnother) {
		t.Errorf("got %v", err)
	}
	api.holds(t, knownOf("u2", 7))
}

func TestAnAdoptionLeavesAloneWhatOthersHavePutOnTheRecord(t *testing.T) {
	api, store := reborn(t)
	friend := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "tick", UID: "friend"}
	api.change(func() {
		audit := api.audits[tick]
		audit.Labels, audit.Annotations, audit.Finalizers = map[string]string{"team": "data"}, map[string]string{"note": "ours"}, []string{"example.com/archive"}
		audit.OwnerReferences = append(audit.OwnerReferences, friend)
		api.store(tick, audit)
	})
	save(t, store, tick, knownOf("u2", 7), true)
	got := api.audits[tick]
	if got.Labels["team"] != "data" || got.Annotations["note"] != "ours" || len(got.Finalizers) != 1 {
		t.Errorf("got labels %v, annotations %v, finalizers %v", got.Labels, got.Annotations, got.Finalizers)
	}
	if diff := cmp.Diff([]metav1.OwnerReference{friend, ownedBy("tick", "u2")}, got.OwnerReferences); diff != "" {
		t.Error(diff)
	}
}

// The CronWorkflow is u2 when the adoption begins.
func TestWhateverHappensDuringAnAdoption(t *testing.T) {
	collect := func(api *server, _ *Store) { api.change(func() { delete(api.audits, tick) }) }
	label := func(api *server, _ *Store) {
		api.change(func() {
			audit := api.audits[tick]
			audit.Labels = map[string]string{"team": "data"}
			api.store(tick, audit)
		})
	}
	for name, tc := range map[string]struct {
		before  string // the request before which it happens
		happens func(api *server, other *Store)
		err     error
		want    auditor.State
	}{
		"the garbage collector is faster":                  {readAudit, collect, nil, knownOf("u2", 7)},
		"the garbage collector deletes what was read":      {adoptAudit, collect, nil, knownOf("u2", 7)},
		"the garbage collector deletes what was adopted":   {writeStatus, collect, nil, knownOf("u2", 7)},
		"somebody changes what was read":                   {adoptAudit, label, nil, knownOf("u2", 7)},
		"somebody changes what was adopted":                {writeStatus, label, nil, knownOf("u2", 7)},
		"somebody takes the owner away from what was read": {adoptAudit, disown, nil, knownOf("u2", 7)},
		"somebody takes the owner away again":              {writeStatus, disown, nil, knownOf("u2", 7)},
		"another Rollcall adopts and writes it first":      {readAudit, otherSaves("u2"), ErrSuperseded, knownOf("u2", 9)},
		"another Rollcall adopts and writes what was read": {adoptAudit, otherSaves("u2"), ErrSuperseded, knownOf("u2", 9)},
		"another Rollcall writes what was adopted":         {writeStatus, otherSaves("u2"), ErrSuperseded, knownOf("u2", 9)},
		"the CronWorkflow is gone":                         {readCron, func(api *server, _ *Store) { api.change(func() { delete(api.crons, tick) }) }, ErrAnother, known(1)},
		"the CronWorkflow is made once more":               {readCron, func(api *server, _ *Store) { api.change(func() { api.crons[tick] = "u3" }) }, ErrAnother, known(1)},
		"the next one's record is there already":           {readAudit, otherSaves("u3"), ErrAnother, knownOf("u3", 9)},
		"what was read is adopted for the next one":        {adoptAudit, otherSaves("u3"), ErrAnother, knownOf("u3", 9)},
		"what was adopted is adopted for the next one":     {writeStatus, otherSaves("u3"), ErrAnother, knownOf("u3", 9)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api, store := reborn(t)
				other := newStore(t, api, "b")
				happened := false
				api.before(tc.before, func() { happened = true; tc.happens(api, other) })
				err := store.Save(t.Context(), tick, knownOf("u2", 7), true)
				if !errors.Is(err, tc.err) || (tc.err == nil) != (err == nil) {
					t.Errorf("got %v, want %v", err, tc.err)
				}
				if !happened {
					t.Fatalf("there was no %s", tc.before)
				}
				api.holds(t, tc.want)
			})
		})
	}
}

func disown(api *server, _ *Store) {
	api.change(func() {
		audit := api.audits[tick]
		audit.OwnerReferences = nil
		api.store(tick, audit)
	})
}

// otherSaves has the CronWorkflow be of this UID, and another Rollcall, which knows, write its record.
func otherSaves(uid string) func(*server, *Store) {
	return func(api *server, other *Store) {
		api.change(func() { api.crons[tick], api.fault = uid, nil })
		if _, err := other.Load(context.Background()); err != nil {
			panic(err)
		}
		if err := other.Save(context.Background(), tick, knownOf(uid, 9), true); err != nil {
			panic(err)
		}
	}
}

func TestNobodyReliesOnARecordWhoseAdopterCrashed(t *testing.T) {
	api, store := reborn(t)
	api.breaks(func(what string) (*reply, error) {
		if what == writeStatus {
			return refuses(403, metav1.StatusReasonForbidden, "as good as a crash"), nil
		}
		return nil, nil
	})
	if err := store.Save(t.Context(), tick, knownOf("u2", 7), true); err == nil {
		t.Fatal("it was written")
	}
	api.breaks(nil)
	if owner := api.owner(t); owner != "u2" {
		t.Fatalf("it is owned by %s, want that it was adopted", owner)
	}
	if got := api.recorded(t, tick); got.UID != "u1" {
		t.Fatalf("it is about %s, want that nothing was written", got.UID)
	}

	var log bytes.Buffer
	next := newStore(t, api, "b", func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	got, err := next.Load(t.Context())
	if len(got) != 0 || err != nil || !strings.Contains(log.String(), "it is of another CronWorkflow (UID u1) than its owner") {
		t.Errorf("got %v, %v, logged %q", got, err, log.String())
	}
	if state, ok, err := next.Reload(t.Context(), tick); ok || err != nil {
		t.Errorf("got %v, %v", state, err)
	}
	if states, notes := Read(t.Context(), Reading{Config: next.options.Config, Now: time.Now()}); len(states) != 0 || len(notes) != 1 {
		t.Errorf("got %v, %v", states, notes)
	}
	api.asked()
	save(t, next, tick, knownOf("u2", 8), true)
	if diff := cmp.Diff([]string{writeStatus}, api.asked()); diff != "" {
		t.Error(diff)
	}
	api.holds(t, knownOf("u2", 8))
}

func TestAnAdoptionWhoseAnswerWasLostIsNotTakenForSomebodyElses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, store := reborn(t)
		lost := false
		api.after = func(what string) error {
			if what == adoptAudit && !lost {
				lost = true
				return errRefused
			}
			return nil
		}
		save(t, store, tick, knownOf("u2", 7), true)
		if !lost {
			t.Error("it was not adopted")
		}
		if n := countOf(api.asked(), adoptAudit); n != 2 { // the status is a PUT of the same beginning
			t.Errorf("%d PUTs, want one of the owner and one of the status", n)
		}
		api.holds(t, knownOf("u2", 7))
	})
}

// An API server with OwnerReferencesPermissionEnforcement lets nobody change owners who may not delete the object.
func TestARecordThatMayNotBeAdoptedIsBegunAnewWhenTheGarbageCollectorHasDeletedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 0
		api, store := reborn(t, func(o *Options) { o.WriteFailed = func() { failures++ } })
		running(t, store)
		api.breaks(func(what string) (*reply, error) {
			if what == adoptAudit {
				return refuses(403, metav1.StatusReasonForbidden, "cannot set an ownerRef on a resource you can't delete"), nil
			}
			return nil, nil
		})
		err := store.Save(t.Context(), tick, knownOf("u2", 7), true)
		if !errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), "begun anew once it is deleted") || failures != 1 {
			t.Errorf("got %v, %d failures counted", err, failures)
		}
		api.asked()
		time.Sleep(time.Hour)
		if n := countOf(api.asked(), adoptAudit); n < 40 || n > 90 {
			t.Errorf("tried %d times in an hour, want about once a minute", n)
		}
		api.holds(t, known(1))
		api.change(func() { delete(api.audits, tick) })
		time.Sleep(2 * time.Minute)
		api.holds(t, knownOf("u2", 7))
	})
}

func TestARecordOfWhichNothingIsKnownIsAdoptedToo(t *testing.T) {
	api, _ := reborn(t)
	next := newStore(t, api, "b")
	save(t, next, tick, knownOf("u2", 7), true)
	if diff := cmp.Diff([]string{createAudit, readAudit, readAudit, readCron, adoptAudit, writeStatus}, api.asked()); diff != "" {
		t.Error(diff)
	}
	api.holds(t, knownOf("u2", 7))
}
