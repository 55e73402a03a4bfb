package backfill

import (
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// spread is the limit on the creates of all CronWorkflows, and on those of each namespace: an API server that just came back is
// not to be knocked over, nor is one namespace to hold up the others.
type spread struct {
	now       func() time.Time
	perSecond float64

	mu         sync.Mutex
	all        *rate.Limiter
	namespaces map[string]*rate.Limiter
}

func newSpread(perSecond float64, now func() time.Time) *spread {
	return &spread{now: now, perSecond: perSecond, all: rate.NewLimiter(rate.Limit(perSecond), 1), namespaces: map[string]*rate.Limiter{}}
}

// place is one create's place among all.
type place struct {
	// delay is how long to wait for it, with jitter.
	delay        time.Duration
	reservations [2]*rate.Reservation
}

// take takes a place. Where it would have to be waited for longer than most, ok is false and nobody behind waits for it: the
// place is given back before another one is taken, since a limiter can take back in full only the last of its places. The
// delay then says how long the wait would have been. A negative most is no bound.
func (s *spread) take(namespace string, most time.Duration) (p place, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own, known := s.namespaces[namespace]
	if !known {
		own = rate.NewLimiter(rate.Limit(s.perSecond/2), 1)
		s.namespaces[namespace] = own
	}
	now := s.now()
	p.reservations = [2]*rate.Reservation{s.all.ReserveN(now, 1), own.ReserveN(now, 1)}
	delay := max(p.reservations[0].DelayFrom(now), p.reservations[1].DelayFrom(now))
	p.delay = delay + time.Duration(float64(delay)*jitter*rand.Float64())
	if most >= 0 && p.delay > most {
		p.giveBack(now)
		return p, false
	}
	return p, true
}

// release gives a place back that was waited for in vain, as far as nobody has taken one behind it.
func (s *spread) release(p place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.giveBack(s.now())
}

func (p place) giveBack(now time.Time) {
	for _, r := range p.reservations {
		r.CancelAt(now)
	}
}
