package argo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

const (
	// retryFirst and retryMost are the shortest and the longest delay before what failed is tried again; it doubles in between.
	retryFirst = time.Second
	retryMost  = 15 * time.Second
	// pollEvery is how often a collection is listed that may be listed and not watched: shorter than the default grace, so that
	// no firing is taken for watched from before its time until it is judged.
	pollEvery = 20 * time.Second
	// watchFor is how long the API server is asked to let one request to watch go on.
	watchFor = 5 * time.Minute
	// openFor is how long a request to watch may go unanswered, listFor how long a list may take.
	openFor = 30 * time.Second
	listFor = 5 * time.Minute
	// silentFor is how long one may be silent: the API server sends a bookmark every minute or so, and a connection that has
	// died unnoticed says nothing.
	silentFor = 3 * time.Minute
	// settleFor is how long after a watch began again what was missed may take to arrive; the first event says so sooner.
	settleFor = time.Second
	// healthyFor is how long a watch without an event lasts that was no failure.
	healthyFor = 5 * time.Second
)

// stream lists a collection and watches it from there on, for as long as its context lives. A watch that ended is resumed from
// the last version that was seen, which leaves nothing out; only where the API server no longer has that version is the
// collection listed again.
type stream[W, T any] struct {
	client      rest.Interface
	now         func() time.Time
	listing     listing
	watchAccept string
	convert     func(*W, error) T
	// refuse says why an object is no answer; nil takes all.
	refuse func(T) error
	// complete adds what the collection lacks; nil for nothing.
	complete func(ctx context.Context, all []T)

	// What follows is called as things happen, from more than one goroutine.

	// listed gets all that there is; nothing is lost then. Since says until when everything was seen; zero at the first list.
	listed func(all []T, since time.Time)
	// changed and gone get one object.
	changed, gone func(T)
	// lost and found say that nothing is heard for the time being, and that everything missed has arrived; attempt grows, and
	// what is said of an earlier one than the last no longer counts.
	lost, found func(attempt int)
	// failed gets what to say of an error; worked says that none is left.
	failed func(doing string, err error)
	worked func()
	// heard gets until when everything was seen, about once a second where there is much.
	heard func(until time.Time)

	attempt int
	version string    // the last that was seen; empty where a list is due
	good    time.Time // until when everything was seen
	said    time.Time // what heard got last
	// failures and relists are how often, since it last worked, anything failed and a version was too old.
	failures, relists int
}

// run ends with ctx.
func (s *stream[W, T]) run(ctx context.Context) {
	for ctx.Err() == nil {
		delay := s.step(ctx)
		if delay <= 0 {
			continue
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// step lists where that is due, watches once and returns how long to wait before the next step.
func (s *stream[W, T]) step(ctx context.Context) time.Duration {
	if s.version == "" {
		if err := s.list(ctx); err != nil {
			return s.wait(ctx, "list", err)
		}
	}
	err := s.watch(ctx)
	switch {
	case err == nil:
		return 0 // it ended as it should
	case tooOld(err):
		s.version = ""
		s.lose()
		if s.relists++; s.relists == 1 {
			return 0
		}
		s.failures++
		return s.backoff()
	case apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err):
		s.version = ""
		s.failed("watch", err)
		return pollEvery
	}
	return s.wait(ctx, "watch", err)
}

// wait says what failed and how long to wait.
func (s *stream[W, T]) wait(ctx context.Context, doing string, err error) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	s.lose()
	s.failures++
	// A connection that broke is made again at once, and nobody needs to hear of it.
	if doing == "watch" && s.failures == 1 && !isStatus(err) {
		return 0
	}
	s.failed(doing, err)
	delay := s.backoff()
	if asked, ok := apierrors.SuggestsClientDelay(err); ok {
		delay = max(delay, time.Duration(asked)*time.Second)
	}
	return delay
}

func (s *stream[W, T]) backoff() time.Duration {
	delay := min(retryFirst<<min(max(s.failures-2, 0), 10), retryMost)
	return time.Duration((0.75 + rand.Float64()/2) * float64(delay))
}

func (s *stream[W, T]) lose() {
	s.attempt++
	s.lost(s.attempt)
}

func (s *stream[W, T]) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, listFor)
	defer cancel()
	var all []T
	// All pages are of the version of the first one: of what comes and goes while they are read nothing is seen, unless a watch
	// from that version tells of it.
	var asked time.Time
	version, err := list(ctx, s.client, s.listing,
		func() { all, asked = nil, s.now() },
		func(w *W, err error) { all = append(all, s.convert(w, err)) })
	if err != nil {
		return err
	}
	for _, object := range all {
		if err := s.refused(object); err != nil {
			return fmt.Errorf("an item of the list cannot be read: %w", err)
		}
	}
	if version == "" || version == "0" {
		return errors.New("the list has no resourceVersion to watch from")
	}
	if s.complete != nil {
		s.complete(ctx, all)
	}
	s.listed(all, s.good)
	s.version = version
	s.see(asked)
	return nil
}

// see notes until when everything was seen.
func (s *stream[W, T]) see(until time.Time) {
	s.good = until
	if until.Sub(s.said) >= time.Second {
		s.said = until
		s.heard(until)
	}
}

// watchEvent is one line of a watch.
type watchEvent struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
}

// watch watches once. It returns nil when the API server ended it in good order after it had been of use.
func (s *stream[W, T]) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	path, err := segments(s.listing.resource, objectName{namespace: s.listing.namespace})
	if err != nil {
		return err
	}
	request := s.client.Get().AbsPath(path...).
		Param("watch", "true").
		Param("resourceVersion", s.version).
		Param("allowWatchBookmarks", "true").
		Param("timeoutSeconds", strconv.Itoa(int(watchFor.Seconds())))
	if s.listing.selector != "" {
		request.Param("labelSelector", s.listing.selector)
	}
	if s.watchAccept != "" {
		request.SetHeader("Accept", s.watchAccept)
	}
	silence := time.AfterFunc(openFor, cancel)
	defer silence.Stop()
	body, err := request.Stream(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	silence.Reset(silentFor)

	attempt, begun := s.attempt, s.now()
	settled := time.AfterFunc(settleFor, func() { s.found(attempt) })
	defer settled.Stop()
	decoder := json.NewDecoder(body)
	for first := true; ; first = false {
		var event watchEvent
		if err := decoder.Decode(&event); err != nil {
			// A watch that ends as soon as it begins is no use, whatever way it ends.
			if s.now().Sub(begun) >= healthyFor {
				s.failures, s.relists = 0, 0
				s.worked()
				if errors.Is(err, io.EOF) {
					return nil
				}
			}
			return fmt.Errorf("the watch broke off: %w", err)
		}
		silence.Reset(silentFor)
		if err := s.event(event); err != nil {
			return err
		}
		s.failures, s.relists = 0, 0
		s.see(s.now())
		if first {
			s.found(attempt)
			s.worked()
		}
	}
}

// event passes on what happened.
func (s *stream[W, T]) event(event watchEvent) error {
	if event.Type == "ERROR" {
		var status metav1.Status
		if err := json.Unmarshal(event.Object, &status); err != nil {
			return fmt.Errorf("the watch ended with an error that cannot be read: %w", err)
		}
		return apierrors.FromObject(&status)
	}
	var meta struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(event.Object, &meta); err != nil || meta.Metadata.ResourceVersion == "" {
		return fmt.Errorf("an event of the watch cannot be read: %w", errors.Join(err, errors.New("it has no resourceVersion")))
	}
	if event.Type != "BOOKMARK" {
		object := new(W)
		err := json.Unmarshal(event.Object, object)
		if err != nil && !wrongType(err) {
			return fmt.Errorf("an event of the watch cannot be read: %w", err)
		}
		converted := s.convert(object, err)
		if err := s.refused(converted); err != nil {
			return fmt.Errorf("an event of the watch cannot be read: %w", err)
		}
		if event.Type == "DELETED" {
			s.gone(converted)
		} else {
			s.changed(converted)
		}
	}
	s.version = meta.Metadata.ResourceVersion
	return nil
}

func (s *stream[W, T]) refused(object T) error {
	if s.refuse == nil {
		return nil
	}
	return s.refuse(object)
}

// tooOld says whether the API server can no longer, or not yet, continue from the version it was asked for.
func tooOld(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge)
}

// isStatus says whether an error is an answer of the API server.
func isStatus(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}
