package auditor

import "time"

// counting compares the finished runs that Argo counts in the CronWorkflow's status with those that were seen, so that runs
// that came and went while nobody watched leave a trace.
type counting struct {
	// accounted is up to how many Argo may count without one that nobody saw.
	accounted int64
	// unwatched is since when nobody watched, zero when that has been settled; again is when somebody did again.
	unwatched, again time.Time
}

// countingLag is how long a run that ended may go uncounted: Argo looks at what is active every 10 s.
const countingLag = time.Minute

// seeFinished notes that a run of this CronWorkflow was seen to end, or is gone.
func (h *watched) seeFinished(run *seenRun) {
	if run.counted || !h.counts(run.Run) {
		return
	}
	run.counted = true
	h.counting.accounted++
}

// settleCounts compares. It is done at looks and not at once, so that the order in which a run and its CronWorkflow are seen
// does not matter.
func (h *watched) settleCounts(now time.Time) {
	c, counted := &h.counting, h.counted()
	if !c.unwatched.IsZero() && h.seenAt.After(c.unwatched) {
		if counted > c.accounted {
			h.noteUnseen(Stretch{From: c.unwatched, To: later(c.again, h.seenAt)})
			h.changed = true
		}
		c.unwatched = time.Time{}
	}
	if counted > c.accounted || h.atRest(now) {
		c.accounted = counted
	}
}

// counted is how many finished runs Argo counts.
func (h *watched) counted() int64 { return h.cw.Status.Succeeded + h.cw.Status.Failed }

// atRest says that Argo has had the time to count every run.
func (h *watched) atRest(now time.Time) bool {
	if len(h.cw.Status.Active) > 0 || now.Sub(h.seenAt) > 10*countingLag {
		return false
	}
	for _, run := range h.runs {
		if !run.Finished() || now.Sub(run.FinishedAt) < countingLag {
			return false
		}
	}
	return true
}

func (h *watched) owns(run Run) bool { return run.Owner != "" && run.Owner == h.cw.UID }

// counts says what roll.counts does.
func (h *watched) counts(run Run) bool {
	return h.owns(run) && run.Controlled && run.CronLabel != "" && run.InstanceID == h.cw.InstanceID
}
