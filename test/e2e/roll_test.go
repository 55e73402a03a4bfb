package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

// roll is what the CronAudit of a CronWorkflow that fires every minute says.
type roll struct {
	cron   string
	status v1alpha1.CronAuditStatus
	// letters are the verdicts by scheduled time, as in status.strip; of the newest firings only.
	letters map[time.Time]string
}

// roll reads a CronAudit.
func (s *scenario) roll(cron string) (roll, error) {
	got, err := s.audits().Get(s.ctx, cron, metav1.GetOptions{})
	if err != nil {
		return roll{}, err
	}
	data, err := got.MarshalJSON()
	if err != nil {
		return roll{}, err
	}
	var audit v1alpha1.CronAudit
	if err := json.Unmarshal(data, &audit); err != nil {
		return roll{}, err
	}
	r := roll{cron: cron, status: audit.Status, letters: map[time.Time]string{}}
	for i, letter := range r.status.Strip {
		at := r.status.AuditedThrough.UTC().Add(time.Duration(i+1-len(r.status.Strip)) * time.Minute)
		r.letters[at] = string(letter)
	}
	return r, nil
}

func (s *scenario) mustRoll(cron string) roll {
	s.Helper()
	r, err := s.roll(cron)
	s.must(err)
	return r
}

func (r roll) String() string {
	return fmt.Sprintf("%s: %q through %s, totals %+v, %d open, %d unsettled, %s", r.cron, r.status.Strip,
		r.status.AuditedThrough.UTC().Format(time.TimeOnly), r.status.Totals, len(r.status.Open), len(r.status.Unsettled), r.condition("Healthy"))
}

func (r roll) condition(kind string) string {
	for _, c := range r.status.Conditions {
		if c.Type == kind {
			return fmt.Sprintf("%s=%s (%s)", kind, c.Status, c.Reason)
		}
	}
	return kind + " is not said"
}

// expectRoll holds the verdicts on these firings against the letters allowed for each ("b" or "bL").
func (s *scenario) expectRoll(r roll, firings []time.Time, allowed ...string) {
	s.Helper()
	for i, at := range firings {
		want := allowed[min(i, len(allowed)-1)]
		if got := r.letters[at]; got == "" || !strings.Contains(want, got) {
			s.Errorf("%s at %s: want one of %q, got %q\n%s\nnotable: %+v", r.cron, at.Format(time.TimeOnly), want, got, r, r.status.Notable)
		}
	}
}

func (s *scenario) expectHealthy(r roll) {
	s.Helper()
	if got := r.condition(v1alpha1.Healthy); got != "Healthy=True (NothingMissed)" || len(r.status.Open) > 0 {
		s.Errorf("want it healthy: %s", r)
	}
}

// letters of verdicts on firings that ran.
const ran = ".Lb"

// agree holds a record against what the witness saw: a firing ran if and only if the record says so, and Rollcall made its run if
// and only if the record says that.
func (s *scenario) agree(r roll) {
	s.Helper()
	counts := map[string]int64{}
	for at, letter := range r.letters {
		counts[letter]++
		run, exists := s.witness.run(r.cron, at)
		switch {
		case exists && letter != "?" && strings.Contains(ran, letter) && (run.by == "controller") != (letter == "b"),
			exists && letter != "?" && !strings.Contains(ran, letter),
			!exists && strings.Contains(ran, letter):
			s.Errorf("%s at %s: the record says %q, the witness saw a run: %t %+v\n%s", r.cron, at.Format(time.TimeOnly), letter, exists, run, r)
		}
	}
	if len(r.status.Strip) < v1alpha1.MaxStrip {
		totals := r.status.Totals
		for letter, total := range map[string]int64{".": totals.OnTime, "L": totals.Late, "b": totals.Backfilled} {
			if counts[letter] != total {
				s.Errorf("%d firings are %q, the totals say %d: %s", counts[letter], letter, total, r)
			}
		}
	}
	if made := s.witness.made(r.cron); int64(made) != r.status.Totals.Backfilled {
		s.Errorf("the witness saw %d runs that Rollcall made: %s", made, r)
	}
}

// agreeWith holds the metrics of a replica that has given all verdicts there are against the record, and the Events too.
func (s *scenario) agreeWith(m scrape, r roll) {
	s.Helper()
	totals := r.status.Totals
	for verdict, total := range map[string]int64{"OnTime": totals.OnTime, "Late": totals.Late, "Backfilled": totals.Backfilled} {
		if got := m.verdicts(r.cron, verdict); got != total {
			s.Errorf("rollcall_firings_total says %d are %s: %s", got, verdict, r)
		}
	}
	if open, _ := m.value("rollcall_missed_firings", "cronworkflow="+r.cron); int(open) != len(r.status.Open) {
		s.Errorf("rollcall_missed_firings is %v: %s", open, r)
	}
	if got := s.events(r.cron, "RunBackfilled").times; got != totals.Backfilled {
		s.Errorf("%d Events say RunBackfilled: %s", got, r)
	}
	if got := s.events(r.cron, "RunMissed").times; totals.Backfilled > 0 && got == 0 {
		s.Errorf("no Event says RunMissed: %s", r)
	}
}

// told is what the Events of one reason on a CronWorkflow say.
type told struct {
	times    int64 // how often, those that were counted together included
	first    time.Time
	messages []string
}

var eventsResource = schema.GroupVersionResource{Version: "v1", Resource: "events"}

// events are those on a CronWorkflow.
func (s *scenario) events(cron, reason string) told {
	s.Helper()
	list, err := shared.Dynamic().Resource(eventsResource).Namespace(s.namespace).List(s.ctx, metav1.ListOptions{})
	s.must(err)
	var t told
	for i := range list.Items {
		e := &list.Items[i]
		if field(e, "reason") != reason || field(e, "involvedObject", "kind") != "CronWorkflow" || field(e, "involvedObject", "name") != cron {
			continue
		}
		t.messages = append(t.messages, field(e, "message"))
		t.times += max(number(e, "count"), number(e, "series", "count"), 1)
		if at := e.GetCreationTimestamp().Time; t.first.IsZero() || at.Before(t.first) {
			t.first = at
		}
	}
	return t
}

func number(object *unstructured.Unstructured, path ...string) int64 {
	n, _, _ := unstructured.NestedInt64(object.Object, path...)
	return n
}

// awaitEvent waits until an Event of the reason is there.
func (s *scenario) awaitEvent(r *replica, cron, reason string) {
	s.Helper()
	r.await(fmt.Sprintf("an Event %s on %s", reason, cron), func() error {
		if s.events(cron, reason).times == 0 {
			return fmt.Errorf("there is none")
		}
		return nil
	})
}

// unseen is what a replica says when an API server that has forgotten what it is asked for made it list anew.
const unseen = "what came and went unseen is not known"

// asFarAsRemembered is what may be said of a firing whose run came and went while no watch could be had: that it ran, unless the API
// server had forgotten that. It keeps what happened in the last 75 s, more than that only while there is room.
func (s *scenario) asFarAsRemembered(r *replica) string {
	if r.said(unseen) {
		s.Log("the API server had forgotten what happened while there was no watch")
		return ".?"
	}
	return "."
}

// finish lets a replica come to rest, ends it, and gives what it counted at the end and what it left on record of each.
func (s *scenario) finish(r *replica, crons ...string) (scrape, map[string]roll) {
	s.Helper()
	s.sleepUntil(time.Now().Add(5 * time.Second)) // for what it was about to do when the last was seen that was waited for
	s.sleepIntoMinute(20, 50)                     // every verdict on the last firing has been given, the next is not due
	m := r.mustScrape()
	r.end()
	s.must(s.witness.watch.CatchUp(s.ctx))
	for _, l := range r.lines() {
		if strings.Contains(l.text("msg"), unseen) {
			s.Logf("%s says: %v", r.Name(), l)
		}
	}
	rolls := map[string]roll{}
	for _, cron := range crons {
		rolls[cron] = s.mustRoll(cron)
		s.Log(rolls[cron])
		s.agree(rolls[cron])
	}
	return m, rolls
}
