package auditor

import (
	"fmt"
	"time"
)

// Step is the answer of one row of the decision table.
type Step struct {
	// Row is the row's number in the table.
	Row      int    `json:"row"`
	Question string `json:"question"`
	Answer   string `json:"answer"`
	// Decides is true for the last step: the row that holds.
	Decides bool `json:"decides,omitempty"`
}

// Explanation is the verdict of one firing with everything that was weighed.
type Explanation struct {
	Finding Finding `json:"firing"`
	// Steps are the rows of the decision table in order, up to the one that decides.
	Steps []Step `json:"steps"`
}

// Explain judges one firing and says how. An error means that nothing can be judged, or that at is no firing; it then names the
// nearest ones.
func Explain(in Input, at, now time.Time, opts Options) (Explanation, error) {
	r, err := newRoll(in, now, opts)
	if err != nil {
		return Explanation{}, err
	}
	at = at.UTC()
	due, _ := r.firings(Window{From: at.Add(-time.Second), To: at})
	for _, f := range due {
		if f.at.Equal(at) {
			finding, steps := f.judge()
			return Explanation{Finding: finding, Steps: steps}, nil
		}
	}
	return Explanation{}, fmt.Errorf("CronWorkflow %s/%s: %s", in.CronWorkflow.Namespace, in.CronWorkflow.Name, r.whyNoFiring(at))
}

// whyNoFiring says why at is not listed.
func (r *roll) whyNoFiring(at time.Time) string {
	created := r.in.CronWorkflow.CreatedAt
	switch {
	case at.After(r.now):
		return fmt.Sprintf("%s is still to come (it is %s now)", stamp(at), stamp(r.now))
	case !at.After(created):
		return fmt.Sprintf("%s is before its creation at %s", stamp(at), stamp(created))
	}
	e, _ := r.epochAt(at)
	sentence := fmt.Sprintf("%s is no firing of its schedule", stamp(at))
	if len(e.schedule.Every()) > 0 {
		return sentence + ": @every has no fixed phase, so only runs that exist are listed"
	}
	if before := e.schedule.Last(at, 1, created); len(before) == 1 {
		sentence += ", the one before it is " + stamp(before[0])
	}
	if next, ok := e.schedule.Next(at); ok {
		sentence += ", the one after it is " + stamp(next)
	}
	return sentence
}
