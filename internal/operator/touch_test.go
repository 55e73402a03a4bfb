package operator

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/auditor"
)

type always struct{}

func (always) Holds(string, auditor.Moment) (bool, error) { return true, nil }

// A touch has Argo start the newest firing at that very moment.
func TestNothingIsRecoveredWhileATouchHasArgoStartSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.When, s.Schedules = "{{= 1 == 1 }}", []string{"*/2 * * * *"} }),
			func(cw *auditor.CronWorkflow) { cw.When = always{} }))
		p := w.starts(t)
		p.leads <- true
		until("00:02:01")
		w.run("tick", at(2))
		var touched, created time.Time
		for i := range 3000 {
			if i%200 == 0 {
				w.lives()
			}
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			for _, did := range w.did("change", "create") {
				switch {
				case strings.Contains(did, "touched") && touched.IsZero():
					touched = time.Now()
				case strings.HasPrefix(did, "create") && created.IsZero():
					created = time.Now()
				}
			}
		}
		if touched.IsZero() || created.IsZero() || created.Sub(touched) < afterTouch {
			t.Errorf("touched at %s, created at %s", touched.UTC(), created.UTC())
		}
	})
}
