package alert

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// Sender keeps Alertmanager informed of what fires. It is safe for concurrent use.
type Sender struct {
	options Options
	timing  Timing
	log     *slog.Logger
	client  *http.Client
	url     string
	user    *url.Userinfo
	// trouble is what was logged and has not ended; only Run touches it.
	trouble string

	mu      sync.Mutex
	entries map[auditor.Key]map[string]*entry
	// wake tells Run of a change.
	wake chan struct{}
}

// entry is one alert that fires, or whose end Alertmanager has not been told yet. It is guarded by Sender.mu.
type entry struct {
	key auditor.Key
	id  string
	content
	// ended is when it stopped firing; zero while it fires.
	ended time.Time
	// changed: Alertmanager has not taken it as it is. waits: it is not to be sent before the next regular time.
	changed, waits bool
	// told: Alertmanager may know it.
	told bool
	// version counts the changes.
	version int
	// gone: not the Sender's any more.
	gone bool
}

// New makes a Sender. No request is made. An error about the URL names the flag --alertmanager-url.
func New(o Options) (*Sender, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	to, user, err := endpoint(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Posted == nil {
		o.Posted = func(string) {}
	}
	return &Sender{
		options: o, timing: o.Timing.withDefaults(), log: o.Log, client: newClient(o.Transport), url: to, user: user,
		entries: map[auditor.Key]map[string]*entry{}, wake: make(chan struct{}, 1),
	}, nil
}

// Set replaces what fires for a CronWorkflow; what did and is not in alerts is resolved. Alerts with the same labels become
// one. To set the same again changes nothing.
func (s *Sender) Set(key auditor.Key, alerts []Alert) {
	now := s.options.Now().UTC()
	wanted := unite(key, alerts, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	for id, e := range s.entries[key] {
		if _, fires := wanted[id]; !fires && e.ended.IsZero() {
			s.end(e, now)
			changed = true
		}
	}
	for id, c := range wanted {
		changed = s.fire(key, id, c, now) || changed
	}
	if changed {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// Forget resolves all that fires for a CronWorkflow, as when it is gone.
func (s *Sender) Forget(key auditor.Key) { s.Set(key, nil) }

// Clear forgets everything and resolves nothing, as when another process is the leader and goes on. What the other does not
// send ends by itself.
func (s *Sender) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, all := range s.entries {
		for _, e := range all {
			s.drop(e)
		}
	}
}

// fire has an alert fire, and says whether that is a change; call it with mu.
func (s *Sender) fire(key auditor.Key, id string, c content, now time.Time) bool {
	e := s.entries[key][id]
	switch {
	case e == nil:
		e = &entry{key: key, id: id}
		if s.entries[key] == nil {
			s.entries[key] = map[string]*entry{}
		}
		s.entries[key][id] = e
	case !e.ended.IsZero():
		// Alertmanager may not know yet that it had ended: then it goes on.
	default:
		if c.startsAt.IsZero() {
			c.startsAt = e.startsAt
		}
		if c.equal(e.content) {
			return false
		}
	}
	if c.startsAt.IsZero() {
		c.startsAt = now
	}
	e.content, e.ended, e.changed, e.waits = c, time.Time{}, true, false
	e.version++
	return true
}

// end has an alert resolved; call it with mu.
func (s *Sender) end(e *entry, now time.Time) {
	if !e.told {
		s.drop(e)
		return
	}
	e.ended, e.changed, e.waits = now, true, false
	if e.ended.Before(e.startsAt) {
		e.ended = e.startsAt // a clock that was put back
	}
	e.version++
}

// drop forgets an alert; call it with mu.
func (s *Sender) drop(e *entry) {
	e.gone = true
	delete(s.entries[e.key], e.id)
	if len(s.entries[e.key]) == 0 {
		delete(s.entries, e.key)
	}
}

// which says which alerts to send.
type which int

const (
	fresh   which = iota // that have changed and do not wait for the next regular time
	changed              // that have changed
	all                  // there are
)

// pending are the alerts to send, in the order of their CronWorkflows. Ends that were tried for long enough are given up.
func (s *Sender) pending(w which) (entries []*entry, givenUp int) {
	now := s.options.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range s.entries {
		for _, e := range of {
			switch {
			case !e.ended.IsZero() && now.Sub(e.ended) > s.timing.ResolveFor:
				s.drop(e)
				givenUp++
			case w == all, w == changed && e.changed, w == fresh && e.changed && !e.waits:
				entries = append(entries, e)
			}
		}
	}
	slices.SortFunc(entries, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.key.Namespace, b.key.Namespace), cmp.Compare(a.key.Name, b.key.Name), cmp.Compare(a.id, b.id))
	})
	return entries, givenUp
}

// empty says whether there is nothing to send, now or later.
func (s *Sender) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries) == 0
}
