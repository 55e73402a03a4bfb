package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

var tick = Object{Namespace: "default", Name: "tick", UID: "uid-tick"}

// running runs a Recorder until the returned function is called, which says how long it took to end.
func running(t *testing.T, r *Recorder) func() time.Duration {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		r.Run(ctx)
		close(done)
	}()
	stop := func() time.Duration {
		began := time.Now()
		cancel()
		<-done
		return time.Since(began)
	}
	t.Cleanup(func() { stop() })
	return stop
}

func same(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnEventIsWhatKubectlShowsOfACronWorkflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		r := recorder(t, api, &log{}, nil)
		running(t, r)
		now := time.Now().UTC()
		r.Record(tick, RunMissed, true, "firing 04:29 was missed (ControllerDown)")
		synctest.Wait()
		got := api.events[api.order[0]]
		want := corev1.Event{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: got.Name},
			InvolvedObject: corev1.ObjectReference{
				APIVersion: "argoproj.io/v1alpha1", Kind: "CronWorkflow", Namespace: "default", Name: "tick", UID: types.UID("uid-tick"),
			},
			Type: "Warning", Reason: "RunMissed", Message: "firing 04:29 was missed (ControllerDown)", Count: 1,
			FirstTimestamp: metav1.NewTime(now), LastTimestamp: metav1.NewTime(now),
			Source: corev1.EventSource{Component: "rollcall"}, ReportingController: "rollcall", ReportingInstance: "rollcall-0",
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b metav1.Time) bool { return a.Equal(&b) })); diff != "" {
			t.Error(diff)
		}
		if !strings.HasPrefix(got.Name, "tick.") {
			t.Errorf("the Event %s does not name the CronWorkflow", got.Name)
		}
	})
}

func TestWhatHappensForOneReasonWithinTenMinutesIsOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		r := recorder(t, api, &log{}, nil)
		running(t, r)
		start := time.Now().UTC() // midnight
		for i := range 11 {
			r.Record(tick, RunMissed, true, fmt.Sprintf("firing %d was missed", i))
			synctest.Wait()
			time.Sleep(time.Minute)
		}
		r.Record(tick, RunBackfilled, false, "firing 10 was recovered")
		r.Record(Object{"default", "tick", "uid-of-a-new-one"}, RunMissed, true, "firing 1 was missed")
		r.Record(tick, InvalidAnnotation, true, "rollcall.dev/grace is wrong")
		r.Record(tick, InvalidAnnotation, true, "rollcall.dev/deadline is wrong")
		synctest.Wait()
		same(t, []string{
			"Warning RunMissed tick x10: firing 9 was missed (10 since " + start.Format("15:04") + ")",
			"Warning RunMissed tick x1: firing 10 was missed",
			"Normal RunBackfilled tick x1: firing 10 was recovered",
			"Warning RunMissed tick x1: firing 1 was missed",
			"Warning InvalidAnnotation tick x1: rollcall.dev/grace is wrong",
			"Warning InvalidAnnotation tick x1: rollcall.dev/deadline is wrong",
		}, api.told())
		first, second := api.events[api.order[0]], api.events[api.order[1]]
		if d := first.LastTimestamp.Sub(first.FirstTimestamp.Time); d != 9*time.Minute {
			t.Errorf("the first one is over %s", d)
		}
		if d := second.FirstTimestamp.Sub(start); d != 10*time.Minute {
			t.Errorf("the second one began after %s", d)
		}
	})
}

func TestAnEventThatIsGoneIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		r := recorder(t, api, &log{}, nil)
		running(t, r)
		for i := range 3 {
			r.Record(tick, RunMissed, true, fmt.Sprintf("firing %d", i))
			synctest.Wait()
			if i == 0 {
				clear(api.events)
			}
		}
		same(t, []string{"Warning RunMissed tick x3: firing 2 (3 since 00:00)"}, api.told())
	})
}

func TestAnOutageOfAThousandCronWorkflowsDoesNotFloodTheAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		var logged log
		r := recorder(t, api, &logged, nil)
		running(t, r)
		start := time.Now()
		for i := range 3 { // a firing of each every minute
			for n := range 1000 {
				r.Record(Object{"default", fmt.Sprintf("tick-%d", n), "uid"}, RunMissed, true, fmt.Sprintf("firing %d", i))
			}
			time.Sleep(time.Minute)
		}
		time.Sleep(10 * time.Minute)
		if n := len(api.told()); n != 1000 {
			t.Errorf("%d Events of a thousand CronWorkflows", n)
		}
		for _, said := range api.told() {
			if !strings.Contains(said, "firing 2 (3 since") {
				t.Fatalf("not the last word: %s", said)
			}
		}
		for i, at := range api.asked() {
			if most := burst + perSecond*at.Sub(start).Seconds() + 0.01; float64(i+1) > most {
				t.Fatalf("%d requests after %s", i+1, at.Sub(start))
			}
		}
		if lines := logged.lines("WARN"); len(lines) != 0 {
			t.Errorf("logged: %v", lines)
		}
	})
}

func TestOfTooMuchTheOldestIsDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		var logged log
		r := recorder(t, api, &logged, nil)
		for n := range maxQueue + 7 {
			r.Record(Object{"default", fmt.Sprintf("tick-%d", n), "uid"}, RunMissed, true, "missed")
		}
		running(t, r)
		time.Sleep(9 * time.Minute)
		told := api.told()
		if len(told) != maxQueue || !strings.Contains(told[0], "tick-7 ") {
			t.Errorf("%d Events, the first is %s", len(told), told[0])
		}
		if lines := logged.lines("dropped=7"); len(lines) != 1 {
			t.Errorf("logged: %v", lines)
		}
		// What was dropped is not forgotten: the next one of the kind tells of it.
		r.Record(Object{"default", "tick-0", "uid"}, RunMissed, true, "missed again")
		synctest.Wait()
		if told := api.told(); !slices.Contains(told, "Warning RunMissed tick-0 x2: missed again (2 since 00:00)") {
			t.Errorf("the last Event is %s", told[len(told)-1])
		}
	})
}

func TestNoMoreEventsAreRememberedThanNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder(t, newServer(), &log{}, nil)
		for n := range maxSeries + 10 {
			r.Record(Object{"default", fmt.Sprintf("tick-%d", n), "uid"}, RunMissed, true, "missed")
		}
		if len(r.series) != maxSeries || len(r.begun) != maxSeries {
			t.Errorf("%d and %d are remembered", len(r.series), len(r.begun))
		}
		time.Sleep(together)
		r.Record(tick, RunMissed, true, "missed")
		if len(r.series) != 1 || len(r.begun) != 1 {
			t.Errorf("after ten minutes %d and %d are remembered", len(r.series), len(r.begun))
		}
	})
}

func TestErrorsThatPassAreTriedAgainAFewTimes(t *testing.T) {
	broken := errors.New("connection reset")
	for name, tried := range map[string]struct {
		fault    func(n int32) (*metav1.Status, error)
		requests int
		told     []string
		within   time.Duration
		atLeast  time.Duration
	}{
		"the connection breaks twice": {
			func(n int32) (*metav1.Status, error) {
				if n <= 2 {
					return nil, broken
				}
				return nil, nil
			}, 3, []string{"Warning RunMissed tick x1: missed"}, 2 * time.Second, time.Second,
		},
		"the API server asks for seven seconds": {
			func(n int32) (*metav1.Status, error) {
				if n > 1 {
					return nil, nil
				}
				s := status(429, metav1.StatusReasonTooManyRequests, "too many requests")
				s.Details = &metav1.StatusDetails{RetryAfterSeconds: 7}
				return s, nil
			}, 2, []string{"Warning RunMissed tick x1: missed"}, 8 * time.Second, 7 * time.Second,
		},
		"an internal error that stays": {
			func(int32) (*metav1.Status, error) {
				return status(500, metav1.StatusReasonInternalError, "etcdserver: no leader"), nil
			}, 5, nil, 10 * time.Second, 5 * time.Second,
		},
		"an Event that the API server will never take": {
			func(int32) (*metav1.Status, error) {
				return status(422, metav1.StatusReasonInvalid, "invalid"), nil
			}, 1, nil, time.Millisecond, 0,
		},
		"a namespace that is going": {
			func(int32) (*metav1.Status, error) {
				s := status(403, metav1.StatusReasonForbidden, "because it is being terminated")
				s.Details = &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}}
				return s, nil
			}, 1, nil, time.Millisecond, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer()
				var n atomic.Int32
				api.faulty(func(string, string) (*metav1.Status, error) { return tried.fault(n.Add(1)) })
				r := recorder(t, api, &log{}, func(bool) { t.Error("taken for a missing permission") })
				running(t, r)
				start := time.Now()
				r.Record(tick, RunMissed, true, "missed")
				time.Sleep(time.Minute)
				same(t, tried.told, api.told())
				asked := api.asked()
				if took := asked[len(asked)-1].Sub(start); len(asked) != tried.requests || took > tried.within || took < tried.atLeast {
					t.Errorf("%d requests in %s", len(asked), took)
				}
			})
		})
	}
}

func TestAnAnswerThatIsLostMakesNoSecondEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		var lost atomic.Int32
		api.after = func() error {
			if lost.Add(1) <= 5 {
				return errors.New("connection reset")
			}
			return nil
		}
		r := recorder(t, api, &log{}, nil)
		running(t, r)
		r.Record(tick, RunMissed, true, "missed")
		time.Sleep(time.Minute) // all tries of the first are over
		r.Record(tick, RunMissed, true, "missed again")
		time.Sleep(time.Minute)
		same(t, []string{"Warning RunMissed tick x2: missed again (2 since 00:00)"}, api.told())
	})
}

func TestAMissingPermissionIsSaidOncePerNamespaceAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer()
		forbidden := map[string]bool{"a": true, "b": true}
		api.faulty(func(_, path string) (*metav1.Status, error) {
			if namespace := strings.Split(path, "/")[4]; forbidden[namespace] {
				return status(403, metav1.StatusReasonForbidden, "cannot create resource events"), nil
			}
			return nil, nil
		})
		var logged log
		var told []string
		r := recorder(t, api, &logged, func(denied bool) { told = append(told, fmt.Sprint(denied)) })
		running(t, r)
		record := func(namespaces ...string) {
			for _, namespace := range namespaces {
				r.Record(Object{namespace, "tick", "uid"}, RunMissed, true, "missed")
				synctest.Wait()
			}
		}
		record("a", "b", "c", "a", "b", "c")
		same(t, []string{"true"}, told)
		if lines := logged.lines("not permitted to create Events"); len(lines) != 2 {
			t.Errorf("logged: %v", lines)
		}
		delete(forbidden, "a")
		record("a")
		same(t, []string{"true"}, told)
		delete(forbidden, "b")
		record("b")
		same(t, []string{"true", "false"}, told)
	})
}

func TestAStopPostsWhatIsLeftForTwoSecondsAtMost(t *testing.T) {
	for name, end := range map[string]struct {
		hang    bool
		records int
		// least and most are how many Events there should be afterwards.
		least, most int
		within      time.Duration
	}{
		"nothing left":             {within: time.Millisecond},
		"a little left":            {records: 20, least: 20, most: 20, within: time.Millisecond},
		"too much left":            {records: 100, least: 34, most: 35, within: drainWithin},
		"an API server that hangs": {hang: true, records: 3, within: drainWithin},
		"one that hangs at once":   {hang: true, records: 1, within: drainWithin},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer()
				api.hang = end.hang
				var logged log
				r := recorder(t, api, &logged, nil)
				for n := range end.records {
					r.Record(Object{"default", fmt.Sprintf("tick-%d", n), "uid"}, RunMissed, true, "missed")
				}
				took := running(t, r)()
				told := len(api.told())
				if took > end.within || told < end.least || told > end.most {
					t.Errorf("%d Events in %s", told, took)
				}
				lines := logged.lines("unposted")
				if left := end.records - told; left > 0 && (len(lines) != 1 || !strings.Contains(lines[0], fmt.Sprintf("events=%d", left))) || left == 0 && len(lines) > 0 {
					t.Errorf("logged of %d that are left: %v", left, lines)
				}
			})
		})
	}
}

func TestMessagesAndNamesFitTheirBounds(t *testing.T) {
	start := time.Date(2026, 11, 23, 4, 29, 0, 0, time.UTC)
	for name, s := range map[string]series{
		"long":             {message: strings.Repeat("x", 5000), count: 1, first: start},
		"long and many":    {message: strings.Repeat("ä", 5000), count: 1234567, first: start},
		"of broken text":   {message: strings.Repeat("\xff", 1500), count: 12, first: start},
		"exactly as long":  {message: strings.Repeat("x", maxMessage), count: 1, first: start},
		"short":            {message: "missed", count: 12, first: start},
		"nothing to speak": {count: 1, first: start},
	} {
		text := s.text()
		if len(text) > maxMessage || !utf8.ValidString(text) {
			t.Errorf("%s: %d bytes: %q", name, len(text), text)
		}
		if s.count > 1 && !strings.HasSuffix(text, fmt.Sprintf(" (%d since 04:29)", s.count)) {
			t.Errorf("%s: ends with %q", name, text[len(text)-20:])
		}
	}
	for _, name := range []string{"tick", strings.Repeat("a", 253), strings.Repeat("a.b-", 63) + "c"} {
		if wrong := validation.IsDNS1123Subdomain(eventName(name)); len(wrong) != 0 {
			t.Errorf("the Event of %s: %v", name, wrong)
		}
	}
}
