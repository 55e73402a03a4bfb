package events

import (
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"
	"k8s.io/client-go/rest"
)

// Recorder makes Events. It is safe for concurrent use.
type Recorder struct {
	options Options
	api     rest.Interface
	limit   *rate.Limiter
	// denied are the permissions that were refused and not granted since; only Run touches it.
	denied map[permission]bool

	mu     sync.Mutex
	series map[identity]*series
	// begun are all series in the order in which they began: the first in it is the first that ends.
	begun []*series
	// queue are the series with something to post, the one that waits longest first.
	queue   []*series
	dropped int
	// wake tells Run that the queue has changed.
	wake chan struct{}
}

// identity is what makes news belong to the same Event.
type identity struct {
	object  Object
	reason  Reason
	warning bool
	// message counts for what is not of a firing.
	message string
}

// series is one Event and what it says. It is guarded by Recorder.mu.
type series struct {
	identity
	// event is the Event's name, posted whether it may exist.
	event       string
	posted      bool
	message     string
	count       int
	first, last time.Time
	queued      bool
}

// New makes a Recorder. No request is made.
func New(o Options) (*Recorder, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Denied == nil {
		o.Denied = func(bool) {}
	}
	client, err := newAPI(o.Config, o.Version)
	if err != nil {
		return nil, err
	}
	return &Recorder{
		options: o, api: client, limit: rate.NewLimiter(perSecond, burst), denied: map[permission]bool{},
		series: map[identity]*series{}, wake: make(chan struct{}, 1),
	}, nil
}

// Record has an Event made by Run. What happens to a CronWorkflow for the same reason within 10 minutes is one Event with the
// newest message, followed by how many there were since when. Record never waits: of too much the oldest is dropped.
//
// The message is a sentence without a full stop; it is cut at 1024 bytes.
func (r *Recorder) Record(object Object, reason Reason, warning bool, message string) {
	now := r.options.Now().UTC()
	id := identity{object: object, reason: reason, warning: warning}
	if reason == InvalidAnnotation {
		id.message = message
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	s := r.series[id]
	if s == nil {
		s = &series{identity: id, event: eventName(object.Name), first: now}
		r.series[id] = s
		r.begun = append(r.begun, s)
	}
	s.count++
	s.last, s.message = now, message
	r.enqueue(s)
}

// expire forgets the series that are over, and the oldest of too many; call it with mu.
func (r *Recorder) expire(now time.Time) {
	for len(r.begun) > 0 && (len(r.begun) >= maxSeries || now.Sub(r.begun[0].first) >= together) {
		r.forget(r.begun[0])
		r.begun[0] = nil
		r.begun = r.begun[1:]
	}
}

// forget has the next news of its kind begin another Event; call it with mu.
func (r *Recorder) forget(s *series) {
	if r.series[s.identity] == s {
		delete(r.series, s.identity)
	}
}

// enqueue has a series posted; call it with mu.
func (r *Recorder) enqueue(s *series) {
	if s.queued {
		return
	}
	if len(r.queue) >= maxQueue {
		oldest := r.queue[0]
		r.queue[0] = nil
		r.queue = r.queue[1:]
		oldest.queued = false
		r.dropped++
	}
	s.queued = true
	r.queue = append(r.queue, s)
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// next takes the series out of the queue that waits longest, as it is now, and says how many were dropped since the last time;
// the series is nil where none waits.
func (r *Recorder) next() (s *series, now series, dropped int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	dropped, r.dropped = r.dropped, 0
	if len(r.queue) == 0 {
		return nil, series{}, dropped
	}
	s = r.queue[0]
	r.queue[0] = nil
	r.queue = r.queue[1:]
	s.queued = false
	return s, *s, dropped
}

// setPosted notes that the Event of a series exists, or that it does not.
func (r *Recorder) setPosted(s *series, posted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.posted = posted
	if !posted {
		s.event = eventName(s.object.Name) // the old name may be there after all
	}
}

// text is what the Event says.
func (s *series) text() string {
	message, more := strings.ToValidUTF8(s.message, "?"), ""
	if s.count > 1 {
		more = fmt.Sprintf(" (%d since %s)", s.count, s.first.Format("15:04"))
	}
	return cut(message, maxMessage-len(more)) + more
}

// cut shortens a text to so many bytes and shows that it did.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const ellipsis = "…"
	most -= len(ellipsis)
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + ellipsis
}

// eventName is a name that no other Event has and that tells whom it is about. It is random, and the same in each try of one
// Event: an Event of the name that exists is the one that was to be made.
func eventName(cronWorkflow string) string {
	suffix := "." + strings.ToLower(rand.Text()[:16])
	const longest = 253 // a DNS subdomain
	if most := longest - len(suffix); len(cronWorkflow) > most {
		cronWorkflow = strings.TrimRight(cronWorkflow[:most], "-.")
	}
	return cronWorkflow + suffix
}
