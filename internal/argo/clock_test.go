package argo

import (
	"net/http"
	"testing"
	"time"
)

func TestClockOffset(t *testing.T) {
	local := time.Date(2026, 11, 23, 4, 39, 0, 0, time.UTC)
	type answer struct {
		server     time.Duration // the server's clock when it answers, as local plus this; its header cuts the fraction off
		sent, took time.Duration // the request goes out at local plus sent
	}
	for name, c := range map[string]struct {
		answers []answer
		least   time.Duration
		most    time.Duration
	}{
		"is 0 before the first answer":                          {nil, 0, 0},
		"is 0 when the clocks agree":                            {[]answer{{0, 0, 0}}, 0, 0},
		"is 0 when they differ within the second of the header": {[]answer{{900 * time.Millisecond, 0, 0}}, 0, 0},
		"is 0 when the answer took as long as they differ":      {[]answer{{3 * time.Second, 0, 4 * time.Second}}, 0, 0},
		"is found to half a second":                             {[]answer{{10*time.Second + 300*time.Millisecond, 0, 0}}, 9800 * time.Millisecond, 10800 * time.Millisecond},
		"is negative when the local clock is fast":              {[]answer{{-10 * time.Second, 0, 0}}, -10 * time.Second, -9 * time.Second},
		"is found better from several answers":                  {[]answer{{10 * time.Second, 0, 0}, {10*time.Second + 900*time.Millisecond, 900 * time.Millisecond, 0}}, 9999 * time.Millisecond, 10101 * time.Millisecond},
		"is found anew when a clock is set":                     {[]answer{{10 * time.Second, 0, 0}, {-60 * time.Second, 0, 0}}, -60 * time.Second, -59 * time.Second},
		"is 0 again when a clock is set right":                  {[]answer{{10 * time.Second, 0, 0}, {0, 0, 0}}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &clock{now: func() time.Time { return local }}
			for _, a := range c.answers {
				date := local.Add(a.server).Truncate(time.Second).Format(http.TimeFormat)
				clock.note(date, local.Add(a.sent), local.Add(a.sent+a.took))
			}
			if got := clock.offset(); got < c.least || got > c.most {
				t.Errorf("%v, want between %v and %v", got, c.least, c.most)
			}
		})
	}
	t.Run("ignores a header that is no time", func(t *testing.T) {
		clock := &clock{now: time.Now}
		clock.note("soon", local, local)
		clock.note("", local, local)
		if got := clock.offset(); got != 0 {
			t.Errorf("%v", got)
		}
	})
}

func TestClientTellsTheAPIServersTime(t *testing.T) {
	server := time.Date(2026, 11, 23, 4, 39, 0, 0, time.UTC)
	s := newServer(t, map[string][]http.HandlerFunc{"GET " + allCrons: answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", server.Format(http.TimeFormat))
		lists("CronWorkflow", "")(w, r)
	})})
	fast := server.Add(time.Hour) // the local clock
	c := s.client(t, Options{Now: func() time.Time { return fast }})
	snapshot, err := c.Snapshot(t.Context(), Scope{})
	if err != nil {
		t.Fatal(err)
	}
	if d := snapshot.Now.Sub(server); d < 0 || d > time.Second {
		t.Errorf("now is %v from the server's time", d)
	}
	if snapshot.ClockOffset != c.ClockOffset() || snapshot.ClockOffset > -time.Hour+time.Second || snapshot.ClockOffset < -time.Hour {
		t.Errorf("offset is %v", snapshot.ClockOffset)
	}
}
