package operator

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const noAnswer = "no answer"

// lock says what goes wrong, once until it has passed.
type lock struct {
	resourcelock.Interface
	log *slog.Logger
	// acquired says that this process got the Lease; superseded is called when it is seen that another has it since: client-go tries
	// on until it gives up renewing, and a process that had stood still would lead on for as long.
	acquired   bool
	superseded func()
	// failing are the kinds of errors that have been said and not passed: what was tried and the answer, or noAnswer.
	failing map[string]bool
}

func (l *lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	l.note("get", err)
	if err == nil && l.acquired && record.HolderIdentity != "" && record.HolderIdentity != l.Identity() {
		l.superseded()
	}
	return record, raw, err
}

func (l *lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	err := l.Interface.Create(ctx, record)
	l.note("create", err)
	return err
}

func (l *lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	err := l.Interface.Update(ctx, record)
	l.note("update", err)
	return err
}

// RecordEvent is called, before anything else is done about it, when the Lease is acquired; later calls say nothing new.
func (l *lock) RecordEvent(string) { l.acquired = true }

func (l *lock) note(verb string, err error) {
	kind := verb + ": " + string(apierrors.ReasonForError(err))
	switch {
	case errors.Is(err, context.Canceled): // this process is to end
	case err == nil, apierrors.IsNotFound(err) && verb == "get", apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		// There is none yet, or another process was faster: these are answers.
		before := len(l.failing)
		maps.DeleteFunc(l.failing, func(kind string, _ bool) bool { return kind == noAnswer || strings.HasPrefix(kind, verb+": ") })
		if before > 0 && len(l.failing) == 0 {
			l.log.Info("the Lease is within reach again")
		}
	case kind == verb+": ":
		kind = noAnswer
		fallthrough
	default:
		if !l.failing[kind] {
			l.failing[kind] = true
			what := "no leader can be elected for now: without one nothing is judged or recovered"
			if l.acquired {
				what = "the Lease cannot be renewed: unless that passes within seconds, this process no longer leads"
			}
			l.log.Error(what, "verb", verb, "error", err.Error())
		}
	}
}
