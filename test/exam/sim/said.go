package sim

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"rollcall.dev/rollcall/test/exam/fake"
	"rollcall.dev/rollcall/test/exam/witness"
)

// said takes the verdicts out of the logs of all replicas.
type said struct {
	mu       sync.Mutex
	verdicts []witness.Verdict
	// Log, if not nil, is where all else that is logged goes too.
	log slog.Handler
}

// ear is the log of one process.
type ear struct {
	*said
	client *fake.Client
}

func (e ear) Enabled(context.Context, slog.Level) bool { return true }
func (e ear) WithAttrs([]slog.Attr) slog.Handler       { return e }
func (e ear) WithGroup(string) slog.Handler            { return e }

// Handle is slog.Handler's. A process that is dead says nothing, and one that is frozen waits.
func (e ear) Handle(ctx context.Context, r slog.Record) error {
	if e.log != nil {
		r.AddAttrs(slog.String("process", e.client.Name()))
		r.Time = now()
		_ = e.log.Handle(ctx, r)
	}
	if r.Message != "verdict" || !e.client.Pass() {
		return nil
	}
	v := witness.Verdict{SaidAt: now(), Where: e.client.Name()}
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "cronworkflow":
			v.Namespace, v.Name, _ = cut(a.Value.String())
		case "uid":
			v.UID = a.Value.String()
		case "firing":
			v.ScheduledTime, _ = time.Parse(time.RFC3339, a.Value.String())
		case "verdict":
			v.Verdict = a.Value.String()
		case "reason":
			v.Reason = a.Value.String()
		case "certainty":
			v.Certainty = a.Value.String()
		case "cause":
			v.Cause = a.Value.String()
		}
		return true
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.verdicts = append(e.verdicts, v)
	return nil
}

// told is what was said, the last of each firing as final.
func (s *said) told() witness.Said {
	type firing struct {
		uid string
		at  int64
	}
	last := map[firing]int{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, v := range s.verdicts {
		last[firing{v.UID, v.ScheduledTime.Unix()}] = i
	}
	for _, i := range last {
		s.verdicts[i].Final = true
	}
	return witness.Said{Verdicts: s.verdicts}
}
