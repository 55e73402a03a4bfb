package backfill

import (
	"maps"
	"sync"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// upkeep is what was lately done to the status of a CronWorkflow, so that keeping it right does not become a fight with whoever
// puts it back.
type upkeep struct {
	uid string
	// appends counts how often the run of a scheduled time was appended to status.active.
	appends map[time.Time]int
	// repairs counts the repairs of the status, repaired is when the last one was made.
	repairs  int
	repaired time.Time
	// lastError is that of the last repair; nil when it was written.
	lastError error
}

// keepUpkeep is how old a firing may be for its appends to be remembered, and a repair to count.
const keepUpkeep = 24 * time.Hour

// upkeeps are those of all CronWorkflows, where plan follows plan.
type upkeeps struct {
	mu  sync.Mutex
	all map[auditor.Key]*upkeep
}

// of is the upkeep for one plan: a new one, unless it is to be kept over plans. Then only one plan of a CronWorkflow may be
// carried out at a time.
func (u *upkeeps) of(key Key, kept bool, now time.Time) *upkeep {
	fresh := &upkeep{uid: key.UID, appends: map[time.Time]int{}}
	if !kept {
		return fresh
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	id := auditor.Key{Namespace: key.Namespace, Name: key.Name}
	own := u.all[id]
	if own == nil || own.uid != key.UID {
		if u.all == nil {
			u.all = map[auditor.Key]*upkeep{}
		}
		u.all[id] = fresh
		return fresh
	}
	old := now.Add(-keepUpkeep)
	maps.DeleteFunc(own.appends, func(scheduled time.Time, _ int) bool { return scheduled.Before(old) })
	if own.repaired.Before(old) {
		own.repairs = 0
	}
	return own
}

func (u *upkeeps) forget(key Key) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.all, auditor.Key{Namespace: key.Namespace, Name: key.Name})
}
