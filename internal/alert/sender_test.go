package alert

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
)

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// settled lets changes be gathered and sent, also those that came while others were.
func settled() { time.Sleep(2500 * time.Millisecond) }

func TestChangesOfASecondAreOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.running(t)
		start := time.Now().UTC()
		since := start.Add(-time.Hour)
		a := Alert{Name: BackfillBlocked, Labels: map[string]string{"team": "data", "namespace": "mine", "empty": ""},
			Annotations: map[string]string{"summary": "a quota is exceeded", "runbook_url": "https://runbooks.example/quota"}, StartsAt: since}
		b.Set(tick, []Alert{a})
		b.Set(other, []Alert{lost("one")})
		time.Sleep(500 * time.Millisecond)
		b.Set(other, []Alert{lost("two")})
		b.Set(auditor.Key{Namespace: "prod", Name: "brief"}, []Alert{lost("never mind")})
		b.Forget(auditor.Key{Namespace: "prod", Name: "brief"})
		settled()
		posts := b.to.took()
		if len(posts) != 1 {
			t.Fatalf("%d requests", len(posts))
		}
		sent := start.Add(time.Second)
		same(t, []wire{
			{
				Labels:      map[string]string{"alertname": BackfillBlocked, "namespace": "default", "cronworkflow": "tick", "severity": "warning", "team": "data"},
				Annotations: a.Annotations, StartsAt: since, EndsAt: sent.Add(5 * time.Minute),
			}, {
				Labels:      map[string]string{"alertname": RunLost, "namespace": "prod", "cronworkflow": "report", "severity": "critical"},
				Annotations: map[string]string{"summary": "two", "runbook_url": "https://rollcall.dev/runbooks/RollcallRunLost"}, StartsAt: start, EndsAt: sent.Add(5 * time.Minute),
			},
		}, posts[0].alerts)
		same(t, map[string]int{"ok": 1}, b.posted())

		b.Set(other, []Alert{lost("two")}) // nothing new
		settled()
		if posts := b.to.took(); len(posts) != 0 {
			t.Errorf("the same again was sent: %v", posts[0].says())
		}
	})
}

func TestSixtyLostFiringsAreOneAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.running(t)
		first := time.Now().UTC().Add(-time.Hour)
		var alerts []Alert
		for i := range 60 {
			a := lost(fmt.Sprintf("firing %d is lost", i))
			a.StartsAt = first.Add(time.Duration(i) * time.Minute)
			alerts = append([]Alert{a}, alerts...) // in no order that matters
		}
		b.Set(tick, alerts)
		settled()
		got := b.to.took()[0].alerts
		if len(got) != 1 {
			t.Fatalf("%d alerts", len(got))
		}
		same(t, map[string]string{"summary": "firing 59 is lost", "firings": "60", "runbook_url": "https://rollcall.dev/runbooks/RollcallRunLost"}, got[0].Annotations)
		same(t, first, got[0].StartsAt)
	})
}

func TestWhatFiresIsSentEveryMinuteWithItsEndAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.running(t)
		b.Set(tick, []Alert{lost("x")})
		b.Set(other, []Alert{lost("y")})
		time.Sleep(10*time.Minute + 30*time.Second)
		b.Forget(tick)
		settled()
		posts := b.to.took()
		if len(posts) != 12 { // at once, ten times, and the end of one
			t.Fatalf("%d requests", len(posts))
		}
		for _, p := range posts[:11] {
			same(t, []string{RunLost + " of report fires", RunLost + " of tick fires"}, p.says())
			for _, w := range p.alerts {
				same(t, 5*time.Minute, w.EndsAt.Sub(p.at))
			}
		}
		end := posts[11]
		same(t, []string{RunLost + " of tick ended"}, end.says())
		same(t, time.Second, end.at.Sub(end.alerts[0].EndsAt)) // when it ended, not when that was sent
		same(t, posts[0].alerts[0].StartsAt, end.alerts[0].StartsAt)
		b.Forget(other)
		settled()
		b.to.answers(nil)
		time.Sleep(time.Hour)
		if n := b.to.requests(); n != 0 {
			t.Errorf("%d requests in an hour in which nothing fires", n)
		}
	})
}

func TestWhatFiresAgainGoesOnUnderTheSameLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.running(t)
		b.Set(tick, []Alert{lost("x")})
		settled()
		b.Set(tick, nil)
		b.Set(tick, []Alert{lost("x")}) // before the end was sent
		settled()
		for _, p := range b.to.took() {
			same(t, []string{RunLost + " of tick fires"}, p.says())
		}
		b.Set(tick, nil)
		settled()
		b.Set(tick, []Alert{lost("x")})
		settled()
		posts := b.to.took()
		same(t, []string{RunLost + " of tick ended"}, posts[0].says())
		same(t, []string{RunLost + " of tick fires"}, posts[1].says())
	})
}

func TestManyAlertsAreAHundredARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.running(t)
		for i := range 250 {
			b.Set(auditor.Key{Namespace: "default", Name: fmt.Sprint("tick-", i)}, []Alert{lost("x")})
		}
		settled()
		var sizes []int
		for _, p := range b.to.took() {
			sizes = append(sizes, len(p.alerts))
		}
		same(t, []int{100, 100, 50}, sizes)
	})
}

func TestErrorsThatPassAreTriedAgain(t *testing.T) {
	for name, answer := range map[string]func(n int) (int, string, error){
		"no connection":     func(int) (int, string, error) { return 0, "", errors.New("connection refused") },
		"too many requests": func(int) (int, string, error) { return 429, "", nil },
		"an internal error": func(int) (int, string, error) { return 503, "not yet\n", nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.running(t)
				b.to.answers(func(n int) (int, string, error) {
					if n == 4 {
						return 200, "", nil
					}
					return answer(n)
				})
				for i := range 150 {
					b.Set(auditor.Key{Namespace: "default", Name: fmt.Sprint("tick-", i)}, []Alert{lost("x")})
				}
				time.Sleep(55 * time.Second)
				// The first request is taken in the end; the second is not, and the next try is at the regular time.
				same(t, map[string]int{"ok": 1, "error": 7}, b.posted())
				if n := strings.Count(b.logged.String(), "do not reach"); n != 1 {
					t.Errorf("logged %d times: %s", n, b.logged)
				}
				b.to.answers(nil)
				time.Sleep(time.Minute)
				same(t, map[string]int{"ok": 3, "error": 7}, b.posted())
				if !strings.Contains(b.logged.String(), "takes alerts again") {
					t.Errorf("logged: %s", b.logged)
				}
			})
		})
	}
}

func TestWhatIsRejectedIsSaidOnceAndNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.running(t)
		b.to.answers(func(int) (int, string, error) { return 400, "\"start time missing\"\nmore", nil })
		b.Set(tick, []Alert{lost("x")})
		time.Sleep(30 * time.Second)
		b.Set(other, []Alert{lost("y")}) // does not bring the other one with it
		time.Sleep(10 * time.Minute)
		if n := b.posted()["rejected"]; n != 12 {
			t.Errorf("%d requests in ten minutes", n)
		}
		logged := b.logged.String()
		if strings.Count(logged, "rejects alerts") != 1 || !strings.Contains(logged, "start time missing") || strings.Contains(logged, "more") {
			t.Errorf("logged: %s", logged)
		}
		b.to.answers(nil)
		time.Sleep(time.Minute)
		if len(b.to.took()) != 1 || !strings.Contains(b.logged.String(), "takes alerts again") {
			t.Errorf("logged: %s", b.logged)
		}
	})
}

func TestAnEndIsTriedForAnHour(t *testing.T) {
	for name, end := range map[string]struct {
		away time.Duration
		told bool
	}{
		"away for 50 minutes": {50 * time.Minute, true},
		"away for 70 minutes": {70 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.running(t)
				b.Set(tick, []Alert{lost("x")})
				settled()
				b.to.took()
				b.to.answers(func(int) (int, string, error) { return 0, "", errors.New("connection refused") })
				ended := time.Now()
				b.Forget(tick)
				time.Sleep(end.away)
				b.to.answers(nil)
				time.Sleep(5 * time.Minute)
				posts := b.to.took()
				if told := len(posts) == 1; told != end.told {
					t.Fatalf("%d requests", len(posts))
				}
				if end.told {
					same(t, []string{RunLost + " of tick ended"}, posts[0].says())
					same(t, true, posts[0].alerts[0].EndsAt.Equal(ended))
				} else if !strings.Contains(b.logged.String(), "for too long") {
					t.Errorf("logged: %s", b.logged)
				}
				if !b.empty() {
					t.Error("it is kept")
				}
			})
		})
	}
}

func TestWhoLeadsNoLongerIsSilentAndEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stop := b.running(t)
		b.Set(tick, []Alert{lost("x")})
		settled()
		b.Set(other, []Alert{lost("y")})
		b.to.took()
		b.Clear()
		time.Sleep(time.Hour)
		stop()
		if posts := b.to.took(); len(posts) != 0 {
			t.Errorf("sent: %v", posts[0].says())
		}
		if b.logged.String() != "" {
			t.Errorf("logged: %s", b.logged)
		}
	})
}

func TestClearEndsTheRetriesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.running(t)
		b.to.answers(func(int) (int, string, error) { return 503, "", nil })
		b.Set(tick, []Alert{lost("x")})
		time.Sleep(1500 * time.Millisecond) // the first try has failed
		b.Clear()
		time.Sleep(time.Hour)
		if n := b.to.requests(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestAStopSendsWhatHasChangedForThreeSecondsAtMost(t *testing.T) {
	for name, end := range map[string]struct {
		hang   bool
		within time.Duration
		posts  [][]string
	}{
		"Alertmanager answers":         {false, time.Millisecond, [][]string{{RunLost + " of report fires", RunLost + " of tick ended"}}},
		"Alertmanager does not answer": {true, 3 * time.Second, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				stop := b.running(t)
				b.Set(tick, []Alert{lost("x")})
				b.Set(auditor.Key{Namespace: "default", Name: "as before"}, []Alert{lost("z")})
				settled()
				b.to.took()
				b.to.mu.Lock()
				b.to.hang = end.hang
				b.to.mu.Unlock()
				b.Forget(tick)
				b.Set(other, []Alert{lost("y")})
				took := stop()
				var said [][]string
				for _, p := range b.to.took() {
					said = append(said, p.says())
				}
				same(t, end.posts, said)
				if took > end.within || end.hang != strings.Contains(b.logged.String(), "alerts=2") {
					t.Errorf("in %s; logged: %s", took, b.logged)
				}
			})
		})
	}
}
