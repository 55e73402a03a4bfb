package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/events"
	"rollcall.dev/rollcall/test/cluster"
)

// recordEvents runs a recorder that acts as user until the scenario ends, and is told in denied of permissions it lacks.
func (s *scenario) recordEvents(user string, denied chan<- bool) *events.Recorder {
	s.Helper()
	r, err := events.New(events.Options{
		Config: shared.RESTConfig(user), Identity: "rollcall-0", Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Denied: func(d bool) { denied <- d },
	})
	s.must(err)
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	s.Cleanup(func() { cancel(); <-done })
	return r
}

func TestKubectlShowsTheEventsOfACronWorkflow(t *testing.T) {
	s := begin(t, 3*time.Minute)
	s.create(cron{name: "tick"})
	denied := make(chan bool, 10)
	r := s.recordEvents(cluster.Admin, denied)
	tick := events.Object{Namespace: s.namespace, Name: "tick", UID: string(s.cron("tick").GetUID())}
	shown := func(want string) {
		s.Helper()
		s.must(cluster.Await(s.ctx, fmt.Sprintf("kubectl to show %q", want), func(context.Context) error {
			for _, command := range [][]string{{"describe", "cronworkflow", "tick"}, {"get", "events"}} {
				if out := string(s.kubectl(append(command, "-n", s.namespace)...)); !strings.Contains(out, want) {
					return errors.New(out)
				}
			}
			return nil
		}))
	}
	r.Record(tick, events.RunMissed, true, "firing 04:29 was missed (ControllerDown)")
	shown("firing 04:29 was missed (ControllerDown)")
	r.Record(tick, events.RunMissed, true, "firing 04:30 was missed (ControllerDown)")
	shown("firing 04:30 was missed (ControllerDown) (2 since ")
	r.Record(tick, events.BackfillBlocked, true, strings.Repeat("ä", 1024))
	shown("ää…")
	if len(denied) != 0 {
		s.Error("told of a permission that is missing")
	}

	s.recordEvents(cluster.Nobody, denied).Record(tick, events.RunMissed, true, "missed")
	select {
	case d := <-denied:
		if !d {
			s.Error("told that Events are permitted")
		}
	case <-s.ctx.Done():
		s.Error("not told that Events are not permitted")
	}
}
