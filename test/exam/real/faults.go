package real

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/process"
	"rollcall.dev/rollcall/test/cluster/proxy"
	"rollcall.dev/rollcall/test/exam/witness"
)

// patience is how long a piece may take to be up again after a fault: Argo waits for its lease, a replica for the other's.
const patience = 90 * time.Second

// carryOut carries out one fault, and sees that all is up again that it hit.
func (s *stage) carryOut(ctx context.Context, f fault) {
	s.tell("%s %s for %s", f.What, f.How, f.For)
	var err error
	switch f.What {
	case witness.Argo:
		err = s.hitArgo(ctx, f)
	case witness.Rollcall, witness.Leader:
		err = s.hitRollcall(ctx, f)
	case witness.APIServer:
		err = s.hitServer(ctx, f, s.APIServer)
	case witness.Etcd:
		err = s.hitServer(ctx, f, s.Etcd)
	case witness.WayOfArgo:
		err = s.hitWays(ctx, f, s.wayArgo)
	case witness.WayOfRollcall:
		err = s.hitWays(ctx, f, s.ways...)
	}
	if err != nil && ctx.Err() == nil {
		s.oddity("%s %s: %v", f.What, f.How, err)
	}
}

// upAgain waits until a keeper has its process up.
func upAgain(ctx context.Context, k *keeper) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return cluster.Await(ctx, k.Name()+" to be up again", func(context.Context) error {
		if !k.up.Load() {
			return errors.New("it is not")
		}
		return nil
	})
}

func (s *stage) hitArgo(ctx context.Context, f fault) error {
	from := time.Now()
	if f.How == frozen {
		if err := s.argo.Pause(); err != nil {
			s.tell("argo cannot be frozen, since it is away: %v", err)
			return nil // it has ended by itself, as it does without the API server, and that is noted as an outage of its own
		}
	}
	defer func() { s.outage(witness.Argo, f.How, from, time.Now()) }()
	if f.How == frozen {
		pause(ctx, f.For)
		if err := s.argo.Resume(); err != nil {
			return err
		}
		pause(ctx, 2*time.Second) // it notices that its lease is lost, and ends
		return upAgain(ctx, s.argo)
	}
	return s.kill(ctx, f, s.argo)
}

// kill kills a process, and lets it be started again when the time is over.
func (s *stage) kill(ctx context.Context, f fault, k *keeper) error {
	k.down.Store(true)
	err := k.Kill()
	pause(ctx, f.For)
	k.down.Store(false)
	return errors.Join(err, upAgain(ctx, k))
}

// creates are the requests that create Workflows.
var creates = proxy.On(http.MethodPost, `/workflows$`)

func (s *stage) hitRollcall(ctx context.Context, f fault) error {
	before := s.recorder.leader().holder
	i := s.replicaOf(before)
	leader := s.replicas[i]
	if f.How == inTheAct && !s.awaitCreate(ctx, s.ways[i], f.For) {
		f.How = killed
	}
	from := time.Now()
	var err error
	switch {
	case f.What == witness.Rollcall:
		var both sync.WaitGroup
		errs := make([]error, len(s.replicas))
		for i, r := range s.replicas {
			both.Go(func() { errs[i] = s.kill(ctx, f, r) })
		}
		both.Wait()
		err = errors.Join(errs...)
	case f.How == frozen:
		err = leader.Pause()
		pause(ctx, f.For)
		err = errors.Join(err, leader.Resume())
	default:
		err = s.kill(ctx, f, leader)
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = errors.Join(err, s.leads(waiting, from))
	s.outage(f.What, f.How, from, time.Now())
	return err
}

// awaitCreate waits until the leader has sent a create, and a moment in which that is carried out; at the most for a time. It says
// whether there was one.
func (s *stage) awaitCreate(ctx context.Context, way *proxy.Proxy, most time.Duration) bool {
	sent := make(chan struct{})
	var once sync.Once
	rule := way.Add(proxy.Rule{When: func(r proxy.Request) bool {
		if creates(r) {
			once.Do(func() { close(sent) })
		}
		return false
	}})
	defer rule.Remove()
	t := time.NewTimer(max(most, 40*time.Second))
	defer t.Stop()
	select {
	case <-sent:
		pause(ctx, 15*time.Millisecond)
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// hitServer hits the API server or etcd, and waits until the API server answers again.
func (s *stage) hitServer(ctx context.Context, f fault, p *process.Process) error {
	from := time.Now()
	defer func() { s.outage(f.What, f.How, from, time.Now()) }()
	if f.How == frozen {
		err := p.Pause()
		pause(ctx, f.For)
		if err := errors.Join(err, p.Resume()); err != nil {
			return err
		}
	} else {
		err := p.Kill()
		pause(ctx, f.For)
		if err := errors.Join(err, p.Start(ctx)); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return cluster.Await(ctx, "the API server to be ready again", s.apiReady)
}

// everyOther matches every other request of some.
func everyOther(of proxy.Match) proxy.Match {
	var n atomic.Int64
	return func(r proxy.Request) bool { return of(r) && n.Add(1)%2 == 1 }
}

func anything(proxy.Request) bool { return true }

func (s *stage) hitWays(ctx context.Context, f fault, ways ...*proxy.Proxy) (err error) {
	from := time.Now()
	defer func() { s.outage(f.What, f.How, from, time.Now()) }()
	for _, way := range ways {
		switch f.How {
		case refused:
			way.Down()
			defer func() { err = errors.Join(err, way.Up()) }()
		case delayed:
			defer way.Add(proxy.Rule{When: everyOther(anything), Do: proxy.Pass().DelayRequest(1500 * time.Millisecond).DelayAnswer(1500 * time.Millisecond)}).Remove()
		case throttled:
			defer way.Add(proxy.Rule{When: everyOther(anything), Do: proxy.TooManyRequests(2 * time.Second)}).Remove()
		case answerLost:
			defer way.Add(proxy.Rule{When: everyOther(proxy.Writes), Do: proxy.LoseAnswer()}).Remove()
		case cut:
			way.Cut()
		default:
			return fmt.Errorf("nobody knows how to do that")
		}
	}
	pause(ctx, f.For)
	if f.How == cut {
		for _, way := range ways {
			way.Cut()
		}
	}
	return nil
}
