package backfill_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

func TestTouchWritesOnceWhereItDoesNoHarm(t *testing.T) {
	conflict := apierrors.NewConflict(workflows, "tick", errors.New("modified"))
	for name, tc := range map[string]struct {
		cw     func(*auditor.CronWorkflow)
		now    string
		set    func(*cluster)
		option func(*backfill.Options)
		writes []string
		hold   backfill.Admission
		err    error
	}{
		"outside the quiet zone": {writes: []string{"change touched 04:44:35"}},
		"before a live firing":   {now: "04:44:56", hold: backfill.Admission{Decision: backfill.Wait, Until: at("04:45:00")}},
		"shortly after it":       {now: "04:45:05", hold: backfill.Admission{Decision: backfill.Wait, Until: at("04:45:07")}},
		// A schedule that is stuck will not run it, and its when expression may be false when its grace is over.
		"in its grace": {now: "04:45:20", writes: []string{"change touched 04:45:20"}},
		"while its when expression is false": {
			cw: func(cw *auditor.CronWorkflow) {
				cw.Epochs[0].Spec.When = "never"
				cw.When = condition(func(time.Time) bool { return false })
			},
			hold: backfill.Admission{Decision: backfill.Wait, Until: at("04:45:35")},
		},
		"suspended": {
			cw:   spec(func(s *auditor.Spec) { s.Suspend = true }),
			hold: backfill.Admission{Decision: backfill.Refuse, Reason: auditor.Suspended},
		},
		"stopped": {
			cw:   func(cw *auditor.CronWorkflow) { cw.Status.Stopped = true },
			hold: backfill.Admission{Decision: backfill.Refuse, Reason: auditor.Stopped},
		},
		"of an unreadable schedule": {
			cw: schedules("every day"), hold: backfill.Admission{Decision: backfill.Refuse, Reason: auditor.SpecUnknown},
		},
		"deleted": {
			set: func(c *cluster) { c.gone = true }, hold: backfill.Admission{Decision: backfill.Refuse, Reason: backfill.Gone},
		},
		"made anew": {
			cw: func(cw *auditor.CronWorkflow) { cw.UID = "uid-new" }, hold: backfill.Admission{Decision: backfill.Refuse, Reason: backfill.Gone},
		},
		"a dry run": {option: func(o *backfill.Options) { o.DryRun = true }},
		"a look that fails": {
			set: func(c *cluster) { c.fault = always("look", conflict) }, err: conflict,
		},
		"a write that fails": {
			set: func(c *cluster) { c.fault = always("change", conflict) }, err: conflict, writes: []string{"change touched 04:44:35"},
		},
		"somebody else writes meanwhile": {
			set:    func(c *cluster) { c.fault = answers("change", fault{before: func() { c.writeBack(at("04:39:00")) }}) },
			err:    apierrors.NewConflict(workflows, "tick", errors.New("the object has been modified")),
			writes: []string{"change touched 04:44:35"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cw := minutely()
				if tc.cw != nil {
					tc.cw(&cw)
				}
				if tc.now == "" {
					tc.now = "04:44:35"
				}
				c := newCluster(tc.now, cw)
				if tc.set != nil {
					tc.set(c)
				}
				b := newBench(t, c, automatic(), func(o *backfill.Options) {
					if tc.option != nil {
						tc.option(o)
					}
				})
				touched, hold, err := b.executor.Touch(t.Context(), key, "nothing was created")
				if diff := cmp.Diff(tc.hold, hold, cmpopts.IgnoreFields(hold, "Why")); diff != "" {
					t.Errorf("hold (-want +got):\n%s", diff)
				}
				if (hold.Decision != "") != (hold.Why != "") {
					t.Errorf("the hold says %q", hold.Why)
				}
				if (err == nil) != (tc.err == nil) || err != nil && err.Error() != "touch CronWorkflow default/tick: "+tc.err.Error() {
					t.Errorf("error is %v, want %v", err, tc.err)
				}
				if diff := cmp.Diff(tc.writes, c.writes()); diff != "" {
					t.Errorf("writes (-want +got):\n%s", diff)
				}
				if want := len(tc.writes) > 0 && tc.err == nil; touched != want {
					t.Errorf("touched: %v", touched)
				}
				if n := len(b.sent("look")); n != 1 {
					t.Errorf("%d looks", n)
				}
			})
		})
	}
}

func TestATouchThatHangsEndsBeforeTheNextLiveFiring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:44:54", minutely())
		c.fault = answers("change", fault{hang: true})
		b := newBench(t, c, automatic())
		if _, _, err := b.executor.Touch(t.Context(), key, ""); err == nil || !c.now().Equal(at("04:44:59")) {
			t.Errorf("it ended at %s with %v", c.now().Format(time.TimeOnly), err)
		}
	})
}
