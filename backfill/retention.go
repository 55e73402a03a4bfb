package backfill

import (
	"time"

	"rollcall.dev/rollcall/auditor"
)

const (
	// shortestTTL is the shortest time to live in which a run is sure to be seen.
	shortestTTL = time.Minute
	// clockSkew is how far apart two clocks of a cluster may be.
	clockSkew = 5 * time.Second
)

// mayBeGone says, in a clause, why a run that was created at since or later may have ended and been deleted again; empty when
// it would still be there.
func mayBeGone(look Look, since, now time.Time) string {
	r := look.CronWorkflow.Retention
	switch {
	case r.Unreadable != "":
		return r.Unreadable + " could not be read, and may have ended runs deleted at once"
	case r.Policy:
		return "the controller's retentionPolicy may delete any ended run"
	case r.TTL >= 0 && (r.TTL < shortestTTL || !now.Before(since.Add(r.TTL))):
		return "its ttlStrategy deletes runs " + r.TTL.String() + " after they end"
	case r.Successful <= 0 || r.Failed <= 0:
		return "a history limit is 0, so that Argo deletes ended runs at once"
	}
	var succeeded, failed int
	for _, run := range look.Runs {
		switch {
		case run.Owner != look.CronWorkflow.UID || !run.Controlled || !run.Finished() || run.FinishedAt.Before(since.Add(-clockSkew)):
		case run.Succeeded:
			succeeded++
		default:
			failed++
		}
	}
	if succeeded >= r.Successful || failed >= r.Failed {
		return "enough runs have ended since for the history limits to have it deleted"
	}
	return ""
}

// nameFreeBefore says whether a run made now may have ended and been deleted within d, however soon it ends.
func nameFreeBefore(r auditor.Retention, d time.Duration) bool {
	return r.Unreadable != "" || r.TTL >= 0 && r.TTL < d || r.Successful <= 0 || r.Failed <= 0
}
