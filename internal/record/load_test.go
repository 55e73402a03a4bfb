package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

// saved are records of many CronWorkflows in two namespaces.
func saved(t *testing.T, api *server) map[auditor.Key]auditor.State {
	store := newStore(t, api, "before")
	want := map[auditor.Key]auditor.State{}
	for i := range 250 {
		key := auditor.Key{Namespace: fmt.Sprintf("team-%d", i%2), Name: fmt.Sprintf("c%03d", i)}
		want[key] = known(i + 1)
		save(t, store, key, want[key], true)
	}
	api.asked()
	return want
}

func TestLoadReadsAllRecordsPageByPage(t *testing.T) {
	api := newServer()
	want := saved(t, api)
	got, err := newStore(t, api, "a").Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	page := "GET " + base + "/cronaudits"
	if diff := cmp.Diff([]string{page, page, page}, api.asked()); diff != "" {
		t.Error(diff)
	}
}

func TestLoadBeginsAgainWhenAPageHasExpired(t *testing.T) {
	api := newServer()
	want := saved(t, api)
	n := 0
	api.breaks(func(string) (*reply, error) {
		if n++; n == 2 {
			return refuses(410, metav1.StatusReasonExpired, "the provided continue parameter is too old"), nil
		}
		return nil, nil
	})
	got, err := newStore(t, api, "a").Load(t.Context())
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestLoadReadsOnlyTheNamespacesItIsFor(t *testing.T) {
	api := newServer()
	want := saved(t, api)
	got, err := newStore(t, api, "a", func(o *Options) { o.Namespaces = []string{"team-1", "team-2"} }).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for key := range want {
		if key.Namespace != "team-1" {
			delete(want, key)
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestLoadLeavesOutTheNamespacesThatItMayNotRead(t *testing.T) {
	api := newServer()
	want := saved(t, api)
	both := func(o *Options) { o.Namespaces = []string{"team-0", "team-1"} }
	forbid := func(namespaces ...string) {
		api.breaks(func(what string) (*reply, error) {
			for _, namespace := range namespaces {
				if strings.Contains(what, "/namespaces/"+namespace+"/") {
					return refuses(403, metav1.StatusReasonForbidden, "cronaudits is forbidden"), nil
				}
			}
			return nil, nil
		})
	}

	forbid("team-0")
	store := newStore(t, api, "a", both)
	got, err := store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	readable := maps.Clone(want)
	maps.DeleteFunc(readable, func(key auditor.Key, _ auditor.State) bool { return key.Namespace != "team-1" })
	if diff := cmp.Diff(readable, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}

	// Once it may be read, what it held is not written over unseen.
	forbid()
	unread := auditor.Key{Namespace: "team-0", Name: "c000"}
	if err := store.Save(t.Context(), unread, known(7), true); !errors.Is(err, ErrSuperseded) {
		t.Errorf("got %v", err)
	}
	if state, ok, err := store.Reload(t.Context(), unread); err != nil || !ok || !cmp.Equal(want[unread], state, cmpopts.EquateEmpty()) {
		t.Errorf("got %v, %v, %v", state, ok, err)
	}

	forbid("team-0", "team-1")
	if _, err := newStore(t, api, "b", both).Load(t.Context()); !errors.Is(err, ErrForbidden) {
		t.Errorf("got %v", err)
	}
}

func TestARecordThatCannotBeReliedOnIsBegunAnew(t *testing.T) {
	for name, tc := range map[string]struct {
		status string
		logged string
	}{
		"edited by hand":       {`{"observedUID":"u1","revision":4,"writtenBy":"b/x","auditedThrough":"yesterday"}`, "yesterday"},
		"of an unheard policy": {`{"observedUID":"u1","revision":4,"writtenBy":"b/x","specEpochs":[{"from":"2026-11-23T12:00:00.000000Z","concurrencyPolicy":"Maybe"}]}`, "Maybe"},
		"from the future":      {`{"observedUID":"u1","revision":4,"writtenBy":"b/x","auditedThrough":"2999-01-01T00:00:00Z"}`, "status.auditedThrough is in the future"},
		"watching the future":  {`{"observedUID":"u1","revision":4,"writtenBy":"b/x","record":{"coverage":[{"from":"2026-11-23T12:00:00.000000Z","to":"2999-11-23T12:00:00.000000Z"}]}}`, "status.record.coverage[0] is in the future"},
		"of another owner":     {`{"observedUID":"u9","revision":4,"writtenBy":"b/x"}`, "it is of another CronWorkflow"},
		"blank":                {`{}`, ""},
		"not an object":        {`"gone"`, "cannot unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			api := newServer()
			save(t, newStore(t, api, "b"), tick, known(1), true)
			audit, err := json.Marshal(api.audits[tick])
			if err != nil {
				t.Fatal(err)
			}
			var broken map[string]any
			if err := json.Unmarshal(audit, &broken); err != nil {
				t.Fatal(err)
			}
			broken["status"] = json.RawMessage(tc.status)
			api.breaks(func(what string) (*reply, error) {
				switch what {
				case "GET " + base + "/cronaudits":
					return answers(200, map[string]any{"items": []any{broken}}), nil
				}
				return nil, nil
			})
			var log bytes.Buffer
			store := newStore(t, api, "a", func(o *Options) {
				o.Log = slog.New(slog.NewTextHandler(&log, nil))
				o.Now = func() time.Time { return noon }
			})
			got, err := store.Load(t.Context())
			if len(got) != 0 || err != nil {
				t.Errorf("got %v, %v", got, err)
			}
			if !strings.Contains(log.String(), tc.logged) || (tc.logged == "") != (log.Len() == 0) {
				t.Errorf("logged %q", log.String())
			}
			api.breaks(nil)
			save(t, store, tick, known(2), true)
			if diff := cmp.Diff(known(2), api.recorded(t, tick), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLoadForgetsWhatWasNotWritten(t *testing.T) {
	api := newServer()
	store := newStore(t, api, "a")
	save(t, store, tick, known(1), true)
	save(t, store, tick, known(2), false)
	got, err := store.Load(t.Context())
	if err != nil || got[tick].Totals[auditor.OnTime] != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	if err := store.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if got := api.recorded(t, tick); got.Totals[auditor.OnTime] != 1 {
		t.Errorf("got %v", got.Totals)
	}
}

func TestReloadOfARecordThatIsGone(t *testing.T) {
	api := newServer()
	store := newStore(t, api, "a")
	save(t, store, tick, known(1), true)
	delete(api.audits, tick)
	if got, ok, err := store.Reload(t.Context(), tick); ok || err != nil {
		t.Errorf("got %v, %v, %v", got, ok, err)
	}
	save(t, store, tick, known(2), true)
	if diff := cmp.Diff(v1alpha1.Totals{OnTime: 2}, api.audits[tick].Status.Totals); diff != "" {
		t.Error(diff)
	}
}
