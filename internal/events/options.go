package events

import (
	"errors"
	"log/slog"
	"time"

	"k8s.io/client-go/rest"
)

// Reason says in one word what an Event is about; people filter by it.
type Reason string

// The reasons there are.
const (
	RunMissed       Reason = "RunMissed"
	RunBackfilled   Reason = "RunBackfilled"
	BackfillBlocked Reason = "BackfillBlocked"
	BackfillGaveUp  Reason = "BackfillGaveUp"
	RunExpired      Reason = "RunExpired"
	ScheduleStuck   Reason = "ScheduleStuck"
	// InvalidAnnotation: each message is an Event of its own, since one annotation does not continue another.
	InvalidAnnotation Reason = "InvalidAnnotation"
)

// Object is the CronWorkflow that an Event is about.
type Object struct{ Namespace, Name, UID string }

// Options say how a Recorder works. Config, Identity, Log and Now are required.
type Options struct {
	// Config is the way to the API server. It is not changed, and its limits do not count here.
	Config *rest.Config
	// Identity names this process among others, as the pod's name does. It is the Events' reportingInstance.
	Identity string
	// Version is Rollcall's own, for the user agent; empty means "dev".
	Version string
	Log     *slog.Logger
	// Now is the present time by the API server's clock.
	Now func() time.Time
	// Denied is told when the API server begins to refuse Events for want of a permission, in any namespace, and when it takes
	// them again everywhere. Nil for nobody. It must not call the Recorder.
	Denied func(denied bool)
}

const (
	// together is how long, from the first on, what happens to one CronWorkflow for one reason is one Event.
	together = 10 * time.Minute
	// maxMessage is how many bytes a message may have; the API server takes no more of newer Events.
	maxMessage = 1024
	// maxQueue is how many Events may wait; at the pace below that is what is worth telling of the last minutes.
	maxQueue = 2000
	// maxSeries is how many Events are remembered to be continued.
	maxSeries = 20_000
	// perSecond and burst are the most requests.
	perSecond, burst = 5, 25
	// callWithin is the most that one request takes.
	callWithin = 10 * time.Second
	// drainWithin is how long Run goes on after its context has ended.
	drainWithin = 2 * time.Second
	// retries is how often a request is made again, the first time after firstRetry, then each time after twice that.
	retries    = 4
	firstRetry = 500 * time.Millisecond
	// maxRetryAfter is how long to wait at most when the API server says how long.
	maxRetryAfter = 30 * time.Second
)

func (o Options) validate() error {
	switch {
	case o.Config == nil:
		return errors.New("events: Options.Config is missing")
	case o.Identity == "":
		return errors.New("events: Options.Identity is missing")
	case o.Log == nil:
		return errors.New("events: Options.Log is missing")
	case o.Now == nil:
		return errors.New("events: Options.Now is missing")
	}
	return nil
}
