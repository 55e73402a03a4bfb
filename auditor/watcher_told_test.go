package auditor_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
)

// watchedUntil is when the last stretch ends that a state claims.
func (s *scene) watchedUntil() string {
	coverage := s.state().Coverage
	return coverage[len(coverage)-1].To.Format("15:04:05")
}

func TestAStateClaimsToHaveWatchedOnlyUntilTheLastSignOfLife(t *testing.T) {
	s := newScene(t).run("04:36:00", "04:36:00").until("04:38:30")
	if got := s.watchedUntil(); got != "04:38:30" {
		t.Errorf("where nothing is said of signs of life: %s", got)
	}
	s.w.Told("", clock("04:36:20"))
	if got := s.watchedUntil(); got != "04:36:20" {
		t.Errorf("told until 04:36:20: %s", got)
	}
	s.w.Unchanged(auditor.Key{Namespace: "default", Name: "tick"}, clock("04:37:30"))
	if got := s.watchedUntil(); got != "04:37:30" {
		t.Errorf("by a look it was at 04:37:30 what it was seen as: %s", got)
	}
	s.w.Told("default", clock("04:38:10"))
	if got := s.watchedUntil(); got != "04:38:10" {
		t.Errorf("told until 04:38:10: %s", got)
	}
	s.w.Told("default", clock("04:39:10"))
	if got := s.watchedUntil(); got != "04:38:30" {
		t.Errorf("never more than it watched: %s", got)
	}
}

func TestWhatASilentWatchMissesIsSeenByNobody(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Retention.TTL = time.Second }).run("04:36:00", "04:36:00").until("04:36:40")
	s.w.Gap(clock("04:36:10"), clock("04:36:40")) // a look found what the watch does not tell
	s.w.Silent("default", clock("04:36:40"))
	s.until("04:39:30")
	s.w.Tells("default", clock("04:39:30"))
	s.until("04:41:30").want("04:36 OnTime", "04:37 Missed likely", "04:38 Missed likely", "04:39 Missed likely", "04:37 Missed likely", "04:40 Missed certain", "04:41 Missed certain")
	var gaps []string
	for _, c := range s.state().Coverage {
		gaps = append(gaps, c.From.Format("15:04:05")+" "+c.To.Format("15:04:05"))
	}
	if diff := cmp.Diff([]string{"04:35:30 04:36:10", "04:39:30 04:41:30"}, gaps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnEditWithoutATraceWasMadeBeforeWhatIsToldOfLater(t *testing.T) {
	for name, later := range map[string]struct {
		seen func(*auditor.CronWorkflow)
		want []string
	}{
		"an edit": {func(cw *auditor.CronWorkflow) {
			cw.Epochs[0].From, cw.Epochs[0].Spec.Schedules = clock("04:38:10"), []string{"*/30 * * * *"}
		}, []string{"04:37 Unknown SpecUnknown", "04:38 Unknown SpecUnknown"}},
		"a write of Argo's": {func(cw *auditor.CronWorkflow) { cw.Status.WrittenAt = clock("04:38:10") },
			[]string{"04:37 Unknown SpecUnknown", "04:38 Unknown SpecUnknown", "04:39 Missed certain"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, singly, func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.When = "1 == 1" }).run("04:36:00", "04:36:00").until("04:36:30")
			s.silent = true
			s.until("04:38:50").silent = false
			s.cw.Epochs = slices.Clone(s.cw.Epochs)
			s.cw.Epochs[0].Spec.When = "" // removed, some time since it was last seen
			s.w.SeeCronWorkflow(s.cw, clock("04:39:20"))
			later.seen(&s.cw)
			s.w.SeeCronWorkflow(s.cw, clock("04:39:20"))
			s.until("04:39:40").want(append([]string{"04:36 OnTime", "04:37 Unknown WhenUnknown", "04:38 Unknown WhenUnknown"}, later.want...)...)
		})
	}
}
