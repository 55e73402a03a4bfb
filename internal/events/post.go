package events

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Run posts until ctx ends, and then what is left for at most 2 s. Call it once at a time.
func (r *Recorder) Run(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stopped := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(drainWithin)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-work.Done():
		}
	})
	defer stopped()
	for {
		s, now, dropped := r.next()
		if dropped > 0 {
			r.options.Log.Warn("too many Events at once: the oldest were dropped", "dropped", dropped)
		}
		if s == nil {
			select {
			case <-r.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := r.post(work, s, now)
		if work.Err() != nil {
			if left := r.waiting(err); left > 0 {
				r.options.Log.Warn("stopped with Events unposted", "events", left)
			}
			return
		}
		r.judge(now, err)
	}
}

// waiting is how many Events are not posted, one that failed included.
func (r *Recorder) waiting(err error) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.queue)
	if err != nil {
		n++
	}
	return n
}

// post makes or changes an Event, with a few retries while the API server is not well.
func (r *Recorder) post(ctx context.Context, s *series, now series) error {
	pauses := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(firstRetry), backoff.WithMultiplier(2), backoff.WithRandomizationFactor(0.25), backoff.WithMaxElapsedTime(0))
	try := func() error {
		if err := r.limit.Wait(ctx); err != nil {
			return backoff.Permanent(err)
		}
		err := r.send(ctx, s, &now)
		if err == nil {
			return nil
		}
		if !transient(err) {
			return backoff.Permanent(err)
		}
		if seconds, asked := apierrors.SuggestsClientDelay(err); asked {
			pause(ctx, min(time.Duration(seconds)*time.Second, maxRetryAfter))
		}
		return err
	}
	return backoff.Retry(try, backoff.WithContext(backoff.WithMaxRetries(pauses, retries), ctx))
}

// send makes one request for an Event, or two where it turns out to be gone.
func (r *Recorder) send(ctx context.Context, s *series, now *series) error {
	if now.posted {
		err := r.change(ctx, *now)
		if !apierrors.IsNotFound(err) {
			return err
		}
		r.setPosted(s, false)
		r.mu.Lock()
		now.posted, now.event = false, s.event
		r.mu.Unlock()
	}
	err := r.create(ctx, *now)
	if apierrors.IsAlreadyExists(err) { // by an earlier try whose answer was lost, which may have said less
		now.posted = true
		r.setPosted(s, true)
		return r.change(ctx, *now)
	}
	if err == nil {
		r.setPosted(s, true)
	}
	return err
}

// transient says whether a request that failed may succeed a little later: no answer at all, or one that says so.
func transient(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return true
	}
	code := status.Status().Code
	return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError || apierrors.IsConflict(err)
}

// permission is what it takes for an Event.
type permission struct{ verb, namespace string }

// judge draws the consequences of a post that has ended.
func (r *Recorder) judge(now series, err error) {
	needed := permission{"create", now.object.Namespace}
	if now.posted {
		needed.verb = "patch"
	}
	log := r.options.Log.With("cronworkflow", now.object.Namespace+"/"+now.object.Name, "reason", string(now.reason))
	switch {
	case err == nil:
		r.permit(needed, true)
	case lacksPermission(err):
		if r.permit(needed, false) {
			log.Warn("not permitted to "+needed.verb+" Events; said once for each namespace", "error", err.Error())
		}
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), apierrors.IsNotFound(err):
		log.Debug("no Event in a namespace that is going", "error", err.Error())
	default:
		log.Warn("Event not posted", "error", err.Error())
	}
}

// lacksPermission says whether the API server refuses for want of a permission, not for a quota or because the namespace is going.
func lacksPermission(err error) bool {
	return apierrors.IsForbidden(err) && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) &&
		!strings.Contains(err.Error(), "exceeded quota")
}

// permit notes whether something is permitted, and says whether that is new.
func (r *Recorder) permit(p permission, permitted bool) bool {
	if r.denied[p] == !permitted {
		return false
	}
	before := len(r.denied) > 0
	if permitted {
		delete(r.denied, p)
	} else {
		r.denied[p] = true
	}
	if after := len(r.denied) > 0; after != before {
		r.options.Denied(after)
	}
	return true
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
