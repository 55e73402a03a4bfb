package e2e

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// crasher is the program of test/crash: the controller, but for a wrapper that kills its process.
var crasher = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(binary), "crash")
	if out, err := exec.Command("go", "build", "-o", path, "rollcall.dev/rollcall/test/crash").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building test/crash: %w\n%s", err, out)
	}
	return path, nil
})

// TestCrash kills Rollcall between each two writes of a recovery; a new process finishes the work.
func TestCrash(t *testing.T) {
	path, err := crasher()
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]part{}
	for _, point := range []string{"intent-recorded", "created", "schedule-patched", "result-recorded"} {
		for _, policy := range []string{"Allow", "Forbid", "Replace"} {
			parts[point+"/"+policy] = func(s *scenario, o *outage) { crash(s, o, path, point, policy) }
		}
	}
	live(t, 2, parts)
}

func crash(s *scenario, o *outage, path, point, policy string) {
	s.create(cron{name: "tick", deadline: 600, spec: "concurrencyPolicy: " + policy})
	release := s.hold(o)
	s.before(o)
	newest := o.lost[len(o.lost)-1]
	s.sleepUntil(newest.Add(11 * time.Second))

	dies := s.program(path, "dies", "--die", point)
	dies.start()
	dies.awaitDeath()
	// Under Replace the schedule is patched first.
	if want := point != "intent-recorded" && (point != "schedule-patched" || policy != "Replace"); want {
		s.eventually("the run that it made to be seen", func() error {
			if s.witness.made("tick") == 0 {
				return errors.New("there is none")
			}
			return nil
		})
	} else if n := s.witness.made("tick"); n > 0 {
		s.Errorf("%d runs had been made when it died", n)
	}
	s.Logf("killed %s after the newest firing, lastScheduledTime is %s, %d runs made", time.Since(newest).Round(100*time.Millisecond),
		field(s.cron("tick"), "status", "lastScheduledTime"), s.witness.made("tick"))

	r := s.started("finishes", "--leader-elect=false")
	if policy == "Forbid" {
		s.awaitRun("tick", o.lost[0])
	} else {
		s.awaitRun("tick", newest)
		s.awaitLastScheduled("tick", newest)
	}
	release()
	s.await(o.back)
	s.expectLive([]string{"tick"}, o.next)
	if policy != "Replace" {
		s.awaitAllRan(o, "tick")
	}

	_, rolls := s.finish(r, "tick")
	roll := rolls["tick"]
	s.expectHealthy(roll)
	switch policy {
	case "Allow":
		s.expectRoll(roll, o.lost, "b")
	case "Forbid":
		s.expectRoll(roll, o.lost, "bL.")
		s.expectOneAtATime("tick")
	case "Replace":
		s.expectRoll(roll, o.lost, "s", "b")
	}
	if run, _ := s.witness.run("tick", newest); run.phase != "Succeeded" || run.shutdown != "" {
		s.Errorf("the run of the newest is %+v", run)
	}
	if n := len(roll.status.Unsettled); n > 0 && policy != "Replace" {
		s.Errorf("%d firings are not settled: %s", n, roll)
	}
	if got := s.cron("tick").GetAnnotations()["rollcall.dev/intended"]; got != "" {
		s.Errorf("an intent is left: %s", got)
	}
	if text, err := r.Log(); err != nil || strings.Contains(text, "panic:") {
		s.Errorf("its log: %v\n%s", err, r.LogTail(60))
	}
}
