package operator

import (
	"context"
	"fmt"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// journal puts on record what an Executor is about to do, before it does.
type journal struct{ *Operator }

// Intend is backfill.Journal's.
func (j journal) Intend(ctx context.Context, id backfill.Key, intent backfill.Intent) error {
	key := auditor.Key{Namespace: id.Namespace, Name: id.Name}
	noted := auditor.Recovery{ScheduledTime: intent.ScheduledTime, Attempts: intent.Attempt}
	if intent.LastError != nil {
		noted.LastError = intent.LastError.Error()
	}
	var state auditor.State
	known, behind := false, false
	j.ask(func() {
		if behind = j.now().Before(j.roll.hold); behind {
			return
		}
		j.roll.watcher.NoteRecovery(key, noted, j.now())
		state, known = j.roll.watcher.State(key)
	})
	if behind {
		return fmt.Errorf("CronWorkflow %s: this process stood still, and has to hear first of what happened meanwhile", id)
	}
	if !known || state.UID != id.UID {
		return fmt.Errorf("CronWorkflow %s: it is gone, or this process has come to its end", id)
	}
	return j.Records.Save(ctx, key, state, true)
}

// Moved is backfill.Journal's.
func (j journal) Moved(id backfill.Key, scheduled time.Time) {
	j.ask(func() {
		j.roll.watcher.NoteMoved(auditor.Key{Namespace: id.Namespace, Name: id.Name}, scheduled, j.now())
	})
}

// Ended is backfill.Journal's.
func (j journal) Ended(id backfill.Key, result backfill.Result) {
	j.ask(func() {
		if c := j.roll.crons[auditor.Key{Namespace: id.Namespace, Name: id.Name}]; c != nil && c.cw.UID == id.UID {
			j.roll.noteResult(c, result, j.now())
		}
	})
}
