package alert

import (
	"context"
	"errors"
	"time"
)

// perRequest is how many alerts go in one request.
const perRequest = 100

// Run sends until ctx ends, and then what has changed, for at most 3 s. Call it once at a time.
func (s *Sender) Run(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		wait(work, s.timing.Stop)
		cancel()
	})()
	// regular is when what fires is sent again; nil while nothing does.
	var regular *time.Timer
	var again <-chan time.Time
	for {
		switch idle := s.empty(); {
		case idle && regular != nil:
			regular.Stop()
			regular, again = nil, nil
		case !idle && regular == nil:
			regular = time.NewTimer(s.timing.Resend)
			again = regular.C
		}
		select {
		case <-s.wake:
			wait(ctx, s.timing.Gather)
			if ctx.Err() == nil {
				s.round(work, fresh)
			}
		case <-again:
			regular, again = nil, nil
			s.round(work, all)
		case <-ctx.Done():
			if regular != nil {
				regular.Stop()
			}
			s.round(work, changed)
			if left, _ := s.pending(changed); len(left) > 0 {
				s.log.Warn("stopped with alerts that Alertmanager does not know of; those that fire end there by themselves", "alerts", len(left))
			}
			return
		}
	}
}

// round sends alerts. What is not taken is sent again at the next regular time, not before.
func (s *Sender) round(ctx context.Context, w which) {
	entries, givenUp := s.pending(w)
	if givenUp > 0 {
		s.log.Warn("Alertmanager could not be told for too long that alerts have ended", "alerts", givenUp, "for", s.timing.ResolveFor)
	}
	if len(entries) == 0 {
		return
	}
	trouble := ""
	for len(entries) > 0 && ctx.Err() == nil {
		n := min(len(entries), perRequest)
		err := s.deliver(ctx, entries[:n])
		var rejected rejection
		switch {
		case errors.As(err, &rejected):
			trouble = "rejected: " + rejected.what
			s.complain(trouble, "Alertmanager rejects alerts (see --alertmanager-url)", err)
			s.postpone(entries[:n])
		case err != nil:
			trouble = "no answer"
			s.complain(trouble, "alerts do not reach Alertmanager (see --alertmanager-url); they are sent again every "+s.timing.Resend.String(), err)
			s.postpone(entries) // the others would fare no better
			return
		}
		entries = entries[n:]
	}
	if trouble == "" && s.trouble != "" && ctx.Err() == nil {
		s.log.Info("Alertmanager takes alerts again")
		s.trouble = ""
	}
}

// complain logs a trouble once, until another one or none takes its place.
func (s *Sender) complain(trouble, text string, err error) {
	if s.trouble != trouble {
		s.trouble = trouble
		s.log.Warn(text, "error", err.Error())
	}
}

// postpone has alerts wait for the next regular time.
func (s *Sender) postpone(entries []*entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		e.waits = e.changed
	}
}

// message is what one request says: the alerts as they are at present, and which version of each that is.
type message struct {
	alerts   []wire
	entries  []*entry
	versions []int
}

// compose makes a message of alerts, without those that are gone.
func (s *Sender) compose(entries []*entry) message {
	now := s.options.Now().UTC()
	var m message
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if e.gone {
			continue
		}
		ends := e.ended
		if ends.IsZero() {
			ends = now.Add(s.timing.Lifetime)
		}
		e.told = true
		m.alerts = append(m.alerts, wire{Labels: e.labels, Annotations: e.annotations, StartsAt: e.startsAt, EndsAt: ends})
		m.entries = append(m.entries, e)
		m.versions = append(m.versions, e.version)
	}
	return m
}

// taken notes that Alertmanager has taken a message.
func (s *Sender) taken(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range m.entries {
		if e.gone || e.version != m.versions[i] {
			continue
		}
		e.changed, e.waits = false, false
		if !e.ended.IsZero() {
			s.drop(e)
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
