package model

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/test/exam/fake"
)

// start is when each scenario begins on the model.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// simulated is the stage of the model.
type simulated struct {
	server *fake.Server
	client *fake.Client
	ended  chan struct{}
	runs   map[int]*seen
	goes   sync.WaitGroup
}

var tick = fake.Key{Namespace: "default", Name: "tick"}

func TestTheModelDoesAsIsKnownOfTheRealController(t *testing.T) {
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				synctest.Test(t, func(t *testing.T) {
					// Its passes, every 10 s, are not to fall together with its ticks, as a real one's hardly ever do.
					time.Sleep(time.Until(start.Add(-57 * time.Second)))
					s := &simulated{server: fake.NewServer(seed), runs: map[int]*seen{}}
					s.server.Wrote = s.wrote
					s.startArgo()
					s.until(0)
					scenario.play(s)
					compare(t, told(s, scenario.last), scenario.want)
					s.stopArgo()
					s.goes.Wait()
				})
			}
		})
	}
}

func (s *simulated) wrote(e fake.Event) {
	w := e.Workflow
	if w == nil {
		return
	}
	at, ok := auditor.ScheduledTimeOf("tick", w.Name)
	if !ok {
		return
	}
	n, now := int(at.Sub(start)/time.Minute), time.Since(start)
	r := s.runs[n]
	if r == nil {
		r = &seen{created: now, outside: w.BackfilledBy != ""}
		s.runs[n] = r
	}
	r.terminated = r.terminated || w.Shutdown
	if w.Fulfilled() && r.ended == 0 {
		r.ended = now
	}
	if e.Gone {
		r.gone = now
	}
}

func (s *simulated) create(spec fake.Spec) {
	s.server.CreateCron(fake.CronWorkflow{Key: tick, Spec: spec})
}

func (s *simulated) suspend(suspended bool) {
	s.server.EditCron(tick, func(cw *fake.CronWorkflow) { cw.Spec.Suspend = suspended })
}

func (s *simulated) lengthen(seconds int) {
	s.server.EditCron(tick, func(cw *fake.CronWorkflow) { cw.Spec.Runs = seconds })
}

func (s *simulated) stopArgo() {
	s.client.Die()
	<-s.ended
}

func (s *simulated) startArgo() {
	client, ended := s.server.NewClient("argo"), make(chan struct{})
	s.client, s.ended = client, ended
	ctx, cancel := context.WithCancel(context.Background())
	s.goes.Go(func() {
		for !client.Dead() {
			time.Sleep(100 * time.Millisecond)
		}
		cancel()
	})
	s.goes.Go(func() {
		New(s.server, client, func() time.Duration { return 0 }).Run(ctx)
		close(ended)
	})
}

func (s *simulated) make(firing int) {
	cw, at := s.server.Cron(tick), start.Add(time.Duration(firing)*time.Minute)
	w := fake.NewRun(cw, auditor.WorkflowName("tick", at), at)
	w.BackfilledBy = "test"
	s.server.CreateRun(w)
}

func (s *simulated) tell(last, active int) {
	runs := s.server.Runs()
	s.server.EditCron(tick, func(cw *fake.CronWorkflow) {
		cw.Status.Last = start.Add(time.Duration(last) * time.Minute)
		for _, w := range runs {
			if active > 0 && w.Name == auditor.WorkflowName("tick", start.Add(time.Duration(active)*time.Minute)) {
				cw.Status.Active = append(cw.Status.Active, fake.Ref{Name: w.Name, UID: w.UID})
			}
		}
	})
}

func (s *simulated) until(seconds int) {
	time.Sleep(time.Until(start.Add(time.Duration(seconds) * time.Second)))
	synctest.Wait()
}

func (s *simulated) seen() map[int]*seen { return s.runs }
