package record

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/auditor"
)

// running runs a Store's Run until the test of this bubble ends.
func running(t *testing.T, store *Store) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		store.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

func countOf(what []string, prefix string) int {
	n := 0
	for _, w := range what {
		if strings.HasPrefix(w, prefix) {
			n++
		}
	}
	return n
}

func save(t testing.TB, store *Store, key auditor.Key, s auditor.State, urgent bool) {
	t.Helper()
	if err := store.Save(t.Context(), key, s, urgent); err != nil {
		t.Fatal(err)
	}
}

func TestPlainProgressIsWrittenOnceAMinuteTheNewestStateOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		store := newStore(t, api, "a")
		running(t, store)
		for i := range 119 { // five seconds short of ten minutes
			save(t, store, tick, known(i+1), false)
			time.Sleep(5 * time.Second)
		}
		if n := countOf(api.asked(), "PUT "); n != 10 {
			t.Errorf("%d writes in ten minutes, want 10", n)
		}
		time.Sleep(time.Minute)
		if diff := cmp.Diff(known(119), api.recorded(t, tick), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
		api.asked()
		time.Sleep(time.Hour)
		if asked := api.asked(); len(asked) != 0 {
			t.Errorf("with nothing new to write: %v", asked)
		}
	})
}

func TestAnUrgentStateIsWrittenBeforeSaveReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		store := newStore(t, api, "a")
		running(t, store)
		save(t, store, tick, known(1), false)
		time.Sleep(time.Second)
		for i := range 3 {
			save(t, store, tick, known(i+2), true)
			if diff := cmp.Diff(known(i+2), api.recorded(t, tick), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		}
		// What was urgent takes the place of what was waiting.
		api.asked()
		save(t, store, tick, known(8), false)
		save(t, store, tick, known(9), true)
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]string{"PUT " + base + "/namespaces/default/cronaudits/tick/status"}, api.asked()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestARecordIsOwnedByItsCronWorkflow(t *testing.T) {
	api := newServer()
	save(t, newStore(t, api, "a"), tick, known(1), true)
	no := false
	got := api.audits[tick]
	want := []metav1.OwnerReference{{APIVersion: "argoproj.io/v1alpha1", Kind: "CronWorkflow", Name: "tick", UID: "u1", BlockOwnerDeletion: &no}}
	if diff := cmp.Diff(want, got.OwnerReferences); diff != "" {
		t.Error(diff)
	}
	if got.Status.Revision != 1 || !strings.HasPrefix(got.Status.WrittenBy, "a/") || got.Status.ObservedUID != "u1" {
		t.Errorf("got revision %d of %q by %q", got.Status.Revision, got.Status.ObservedUID, got.Status.WrittenBy)
	}
}

func TestAnOutageOfTheAPIServerIsWaitedForWithoutHammering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		var failures atomic.Int64
		store := newStore(t, api, "a", func(o *Options) { o.WriteFailed = func() { failures.Add(1) } })
		running(t, store)
		api.breaks(func(string) (*reply, error) { return nil, errRefused })
		keys := make([]auditor.Key, 200)
		for i := range keys {
			keys[i] = auditor.Key{Namespace: "default", Name: fmt.Sprintf("c%d", i)}
			save(t, store, keys[i], known(1), false)
		}
		time.Sleep(time.Hour)
		asked := len(api.asked())
		if asked < 50 || asked > 100 {
			t.Errorf("%d requests in an hour without an API server, want about one a minute for all records", asked)
		}
		if n := int(failures.Load()); n != asked {
			t.Errorf("%d failures counted of %d", n, asked)
		}
		api.breaks(nil)
		time.Sleep(3 * time.Minute)
		for _, key := range keys {
			api.recorded(t, key)
		}
	})
}

func TestARecordThatIsRefusedDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		store := newStore(t, api, "a")
		running(t, store)
		api.breaks(func(what string) (*reply, error) {
			if strings.Contains(what, "/namespaces/locked/") {
				return refuses(403, metav1.StatusReasonForbidden, "cannot create resource"), nil
			}
			return nil, nil
		})
		locked := auditor.Key{Namespace: "locked", Name: "tick"}
		save(t, store, locked, known(1), false)
		save(t, store, tick, known(1), false)
		time.Sleep(time.Second)
		api.recorded(t, tick)
		api.asked()
		time.Sleep(time.Hour)
		if n := len(api.asked()); n < 40 || n > 90 {
			t.Errorf("%d requests for the refused record in an hour, want about one a minute", n)
		}
		api.breaks(nil)
		time.Sleep(2 * time.Minute)
		api.recorded(t, locked)
	})
}

func TestAnUrgentWriteIsRetriedAFewTimesAndThenAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		store := newStore(t, api, "a")
		failing := 3
		api.breaks(func(string) (*reply, error) {
			if failing--; failing >= 0 {
				return refuses(500, metav1.StatusReasonInternalError, "etcdserver: leader changed"), nil
			}
			return nil, nil
		})
		save(t, store, tick, known(1), true)
		failing = 4
		began := time.Now()
		if err := store.Save(t.Context(), tick, known(2), true); err == nil {
			t.Error("no error")
		}
		if took := time.Since(began); took < 500*time.Millisecond || took > time.Second {
			t.Errorf("it took %s", took)
		}
		if got := api.recorded(t, tick); got.Totals[auditor.OnTime] != 1 {
			t.Errorf("got %v", got.Totals)
		}
		running(t, store) // what could not be written is not forgotten
		time.Sleep(time.Minute)
		if got := api.recorded(t, tick); got.Totals[auditor.OnTime] != 2 {
			t.Errorf("got %v", got.Totals)
		}
	})
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		answer *reply
		err    error
		want   error
	}{
		"no CRD":               {notServed(), nil, ErrNotInstalled},
		"not permitted":        {refuses(403, metav1.StatusReasonForbidden, `cannot create resource "cronaudits"`), nil, ErrForbidden},
		"not known":            {refuses(401, metav1.StatusReasonUnauthorized, "Unauthorized"), nil, ErrUnauthorized},
		"an older schema":      {refuses(400, metav1.StatusReasonBadRequest, `strict decoding error: unknown field "status.record"`), nil, ErrSchema},
		"a narrower schema":    {refuses(422, metav1.StatusReasonInvalid, "status.open: Too many"), nil, ErrSchema},
		"nobody there":         {nil, errRefused, ErrUnreachable},
		"an interrupted write": {nil, context.Canceled, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer()
				api.breaks(func(string) (*reply, error) { return tc.answer, tc.err })
				failed := 0
				store := newStore(t, api, "a", func(o *Options) { o.WriteFailed = func() { failed++ } })
				err := store.Save(t.Context(), tick, known(1), true)
				if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), "default/tick") {
					t.Errorf("got %v", err)
				}
				if failed == 0 {
					t.Error("not counted")
				}
			})
		})
	}
}

func TestFlushWritesWhatIsLeftWithinItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		store := newStore(t, api, "a")
		for i := range 50 {
			save(t, store, auditor.Key{Namespace: "default", Name: fmt.Sprintf("c%d", i)}, known(1), false)
		}
		if err := store.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if n := len(api.audits); n != 50 {
			t.Errorf("%d of 50 written", n)
		}
		api.breaks(func(what string) (*reply, error) {
			if strings.Contains(what, "/c7/") || strings.Contains(what, "/c8/") {
				return refuses(403, metav1.StatusReasonForbidden, "no"), nil
			}
			time.Sleep(time.Second)
			return nil, nil
		})
		for i := range 50 {
			save(t, store, auditor.Key{Namespace: "default", Name: fmt.Sprintf("c%d", i)}, known(2), false)
		}
		began := time.Now()
		err := store.Flush(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "2 of 50 records could not be written: ") || !errors.Is(err, ErrForbidden) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
		for i := range 50 {
			save(t, store, auditor.Key{Namespace: "default", Name: fmt.Sprintf("c%d", i)}, known(3), false)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		if err := store.Flush(ctx); err == nil {
			t.Error("no error when the time was up")
		}
	})
}

func TestWhatIsForgottenIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		store := newStore(t, api, "a")
		running(t, store)
		save(t, store, tick, known(1), true)
		save(t, store, tick, known(2), false)
		store.Forget(tick)
		api.asked()
		time.Sleep(time.Hour)
		if err := store.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if asked := api.asked(); len(asked) != 0 {
			t.Errorf("asked %v", asked)
		}
	})
}

func TestWhatCannotBeSavedIsRefused(t *testing.T) {
	store := newStore(t, newServer(), "a")
	for name, err := range map[string]error{
		"no name":     store.Save(t.Context(), auditor.Key{Namespace: "default"}, known(1), false),
		"a path":      store.Save(t.Context(), auditor.Key{Namespace: "default", Name: "../tick"}, known(1), false),
		"without UID": store.Save(t.Context(), tick, auditor.State{}, false),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for want, o := range map[string]Options{"Config": {}, "Identity": {Config: store.options.Config}} {
		if _, err := NewStore(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
