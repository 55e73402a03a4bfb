package record

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"k8s.io/client-go/rest"
)

// Options say how a Store works. Config, Identity, Log and Now are required.
type Options struct {
	// Config is the way to the API server. It is not changed, and its limits do not count here.
	Config *rest.Config
	// Namespaces are where Load looks for records; empty for all.
	Namespaces []string
	// Identity names this process among others, as the pod's name does. It stands in status.writtenBy.
	Identity string
	// Version is Rollcall's own, for the user agent; empty means "dev".
	Version string
	Log     *slog.Logger
	// Now is the present time by the API server's clock.
	Now func() time.Time
	// WriteFailed is called after every write that failed: rollcall_record_write_failures_total. Nil for nobody. It must not
	// call the Store.
	WriteFailed func()
	Timing      Timing
}

// Timing are the delays and limits of a Store. The zero value of a field stands for its default.
type Timing struct {
	// Call is the most that one request takes; default 10 s.
	Call time.Duration
	// Every is the least time between two writes of plain progress to one record; default 1 min.
	Every time.Duration
	// Pace is the least time between two writes of plain progress to any records; default 50 ms.
	Pace time.Duration
	// Retry is the delay before the first retry of an urgent write, doubled for each of the next; default 100 ms.
	Retry time.Duration
	// Requeue is the delay after the first failure of a write that can wait, doubled for each of the next up to RequeueMax;
	// defaults 1 s and 1 min. It holds for one record, or for all when the API server does not answer or asks to be left alone.
	Requeue, RequeueMax time.Duration
}

// maxRetries is how often an urgent write is repeated before it is an error.
const maxRetries = 3

// flushers is how many records Flush writes at once.
const flushers = 8

// ahead is how far a record may be ahead of the present time: clocks of API servers differ.
const ahead = time.Minute

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Call, 10 * time.Second},
		{&t.Every, time.Minute},
		{&t.Pace, 50 * time.Millisecond},
		{&t.Retry, 100 * time.Millisecond},
		{&t.Requeue, time.Second},
		{&t.RequeueMax, time.Minute},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return t
}

func (o Options) validate() error {
	switch {
	case o.Config == nil:
		return errors.New("record: Options.Config is missing")
	case o.Identity == "":
		return errors.New("record: Options.Identity is missing")
	case len(o.Identity) > 256:
		return fmt.Errorf("record: Options.Identity has %d characters: use 256 or less", len(o.Identity))
	case o.Log == nil:
		return errors.New("record: Options.Log is missing")
	case o.Now == nil:
		return errors.New("record: Options.Now is missing")
	}
	return nil
}

// writer tells this process from an earlier one of the same identity.
func (o Options) writer() string { return o.Identity + "/" + rand.Text()[:8] }
