package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestDeletedHistoryIsNotCalledMissed(t *testing.T) {
	s := begin(t, 8*time.Minute)
	s.startArgo()
	s.sleepIntoMinute(0, 45)
	s.create(cron{name: "tick", deadline: 600, spec: "successfulJobsHistoryLimit: 1"})
	first := minute().Add(time.Minute)
	last := first.Add(4 * time.Minute)
	s.awaitFinished("tick", last)
	s.sleepUntil(last.Add(25 * time.Second)) // Argo trims every 10 s
	s.eventually("Argo to trim", func() error {
		if kept := names(s.workflows()); len(kept) > 2 {
			return fmt.Errorf("it has kept %v", kept)
		}
		return nil
	})
	found := s.audit("tick")
	for at := first; !at.After(last); at = at.Add(time.Minute) {
		switch found[at].Verdict {
		case "OnTime", "Unknown":
		default:
			s.Errorf("%s is %s: %q", at.Format(time.TimeOnly), found[at].Verdict, found[at].Evidence)
		}
	}
	s.expect(found, last, "OnTime")
	s.expect(found, first, "Unknown/EvidenceGone")
}

func TestASuspendedScheduleIsSkippedAndNotRecovered(t *testing.T) {
	s := begin(t, 6*time.Minute)
	s.startArgo()
	s.sleepIntoMinute(0, 45)
	s.create(cron{name: "tick", deadline: 600})
	first := minute().Add(time.Minute)
	s.awaitRun("tick", first)
	s.sleepIntoMinute(2, 40)
	s.patch("tick", `{"spec":{"suspend":true}}`)
	skipped := minute().Add(time.Minute)
	s.sleepUntil(skipped.Add(12 * time.Second))

	found := s.audit("tick")
	s.expect(found, first, "OnTime")
	s.expect(found, skipped, "Skipped/Suspended")
	before := names(s.workflows())
	out := s.rollcall(append([]string{"backfill", "tick", "--yes", "--include", "Skipped"}, at(skipped)...)...)
	if out.status != 1 || !strings.Contains(out.stderr, "suspend") {
		s.Errorf("want status 1 and the way out, got %d: %s", out.status, out.stderr)
	}
	if after := names(s.workflows()); len(after) != len(before) {
		s.Errorf("before: %v, after: %v", before, after)
	}
}

func TestForbidWithALongRunIsSkipped(t *testing.T) {
	s := begin(t, 8*time.Minute)
	s.startArgo()
	s.sleepIntoMinute(0, 45)
	// Without a starting deadline, or Argo runs what it skipped late.
	s.create(cron{name: "tick", runs: "150s", spec: "concurrencyPolicy: Forbid"})
	first := minute().Add(time.Minute)
	s.awaitRun("tick", first)
	s.sleepUntil(first.Add(2*time.Minute + 12*time.Second))

	found := s.audit("tick")
	s.expect(found, first, "OnTime")
	s.expect(found, first.Add(time.Minute), "Skipped/Forbidden")
	s.expect(found, first.Add(2*time.Minute), "Skipped/Forbidden")
}

func TestAForeignWorkflowUnderTheNameIsNeitherARunNorTouched(t *testing.T) {
	s := begin(t, 5*time.Minute)
	s.sleepIntoMinute(0, 35)
	s.create(cron{name: "tick", deadline: 600})
	due := minute().Add(time.Minute)
	foreign := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": map[string]any{"entrypoint": "main"},
	}}
	foreign.SetName(runName("tick", due))
	s.createWorkflow(foreign)
	s.sleepUntil(due.Add(12 * time.Second))

	s.expect(s.audit("tick"), due, "Unknown/NameTaken")
	before := s.workflows()[runName("tick", due)]
	out := s.rollcall(append([]string{"backfill", "tick", "--yes", "--include", "Unknown"}, at(due)...)...)
	if out.status != 2 || !strings.Contains(out.stdout+out.stderr, "NameTaken") {
		s.Errorf("want status 2 and NameTaken, got %d", out.status)
	}
	after := s.workflows()
	if len(after) != 1 || after[runName("tick", due)].GetResourceVersion() != before.GetResourceVersion() {
		s.Errorf("the foreign Workflow was touched, or another made: %v", names(after))
	}
}
