package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/test/cluster"
)

// firingRange are the flags that name all of the lost firings; a window is open at its start.
func firingRange(lost []time.Time) []string {
	return []string{"--from", lost[0].Add(-time.Second).Format(time.RFC3339), "--to", lost[len(lost)-1].Format(time.RFC3339)}
}

func at(t time.Time) []string { return []string{"--at", t.Format(time.RFC3339)} }

func TestThreeLostFiringsAreRecoveredOnceEachAndTheScheduleCarriesOn(t *testing.T) {
	s := begin(t, 9*time.Minute)
	s.startArgo()
	s.sleepIntoMinute(0, 45)
	s.create(cron{name: "tick", deadline: 900})
	s.awaitRun("tick", minute().Add(time.Minute))
	lost := s.lostFor(3)

	found := s.audit("tick")
	for _, at := range lost {
		s.expect(found, at, "Missed/ControllerDown")
		if found[at].Certainty != "certain" {
			s.Errorf("%s is %s, want certain: %q", at, found[at].Certainty, found[at].Evidence)
		}
	}
	before := s.workflows()

	if out := s.rollcall(append([]string{"backfill", "tick", "--yes"}, firingRange(lost)...)...); out.status != 0 {
		s.Errorf("backfill ended with status %d", out.status)
	}
	recovered := s.workflows()
	if got := len(recovered) - len(before); got != 3 {
		s.Errorf("want 3 new Workflows, got %d: %v", got, names(recovered))
	}
	// The same command once more finds everything done.
	if out := s.rollcall(append([]string{"backfill", "tick", "--yes"}, firingRange(lost)...)...); out.status != 0 {
		s.Errorf("the second backfill ended with status %d", out.status)
	}

	s.must(s.argo.Start(s.ctx))
	next := nextLive()
	run := s.awaitRun("tick", next)
	if delay := run.GetCreationTimestamp().Sub(next); delay > grace {
		s.Errorf("the next live firing came %s after its time", delay)
	}
	for _, at := range lost {
		after := s.awaitFinished("tick", at)
		if was := recovered[runName("tick", at)]; was.GetUID() != after.GetUID() {
			s.Errorf("%s: the run that was recovered is %s and now it is %s", at, was.GetUID(), after.GetUID())
		}
		if field(after, "status", "phase") != "Succeeded" {
			s.Errorf("%s: the recovered run is %s", at, field(after, "status", "phase"))
		}
	}
	found = s.audit("tick")
	for _, at := range lost {
		s.expect(found, at, "Backfilled")
	}
}

// The trap: a run made from outside for the newest lost firing makes a returning controller find it outstanding, fail to create
// it, and leave the schedule unregistered – unless lastScheduledTime has been moved to it, and stays there even though Argo
// once writes back what it remembered.
func TestTheScheduleSurvivesTheTrapAndAStaleWrite(t *testing.T) {
	s := begin(t, 9*time.Minute)
	s.startArgo()
	s.sleepIntoMinute(0, 45)
	s.create(cron{name: "tick", deadline: 900})
	s.awaitRun("tick", minute().Add(time.Minute))
	lost := s.lostFor(2)
	newest := lost[1]
	stale := field(s.cron("tick"), "status", "lastScheduledTime")

	cmd, stdout, stderr := s.command(append([]string{"backfill", "tick", "--yes"}, at(newest)...)...)
	s.must(cmd.Start())
	s.awaitLastScheduled("tick", newest)
	s.patch("tick", fmt.Sprintf(`{"status":{"lastScheduledTime":%q}}`, stale))
	s.awaitLastScheduled("tick", newest)
	if err := cmd.Wait(); err != nil {
		s.Errorf("backfill: %v\n%s%s", err, stdout, stderr)
	}

	s.must(s.argo.Start(s.ctx))
	next := nextLive()
	for i := range 2 {
		tick := next.Add(time.Duration(i) * time.Minute)
		run := s.awaitRun("tick", tick)
		if delay := run.GetCreationTimestamp().Sub(tick); delay > grace {
			s.Errorf("tick %d after the controller's return came %s late", i+1, delay)
		}
	}
	if run, exists := s.workflows()[runName("tick", newest)]; !exists || field(run, "status", "phase") != "Succeeded" {
		s.Errorf("the recovered run: exists=%v phase=%s", exists, field(run, "status", "phase"))
	}
}

func (s *scenario) awaitLastScheduled(name string, want time.Time) {
	s.Helper()
	s.must(cluster.Await(s.ctx, fmt.Sprintf("lastScheduledTime of %s to be %s", name, want.Format(time.TimeOnly)), func(context.Context) error {
		if got := timeField(s.cron(name), "status", "lastScheduledTime"); !got.Equal(want) {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	}))
}

func TestForbidNeverRunsTwoAfterTheControllersReturn(t *testing.T) {
	s := begin(t, 11*time.Minute)
	s.startArgo()
	s.sleepIntoMinute(0, 45)
	s.create(cron{name: "tick", deadline: 900, spec: "concurrencyPolicy: Forbid"})
	first := minute().Add(time.Minute)
	s.awaitFinished("tick", first)
	// From here on a run takes 90 seconds, longer than the interval: what Rollcall has seen so far tells it otherwise.
	s.patch("tick", `{"spec":{"workflowSpec":{"templates":[{"name":"main","suspend":{"duration":"90s"}}]}}}`)
	lost := s.lostFor(2)

	cmd, stdout, stderr := s.command(append([]string{"backfill", "tick", "--yes"}, firingRange(lost)...)...)
	s.must(cmd.Start())
	s.awaitRun("tick", lost[0])
	s.awaitLastScheduled("tick", lost[0])
	s.must(s.argo.Start(s.ctx))

	// Watch for the time of two runs and more.
	for end := time.Now().Add(200 * time.Second); time.Now().Before(end); s.sleepUntil(time.Now().Add(500 * time.Millisecond)) {
		if running := s.running("tick"); len(running) > 1 {
			s.Errorf("%s: two run at once: %v", time.Now().UTC().Format(time.TimeOnly), running)
			break
		}
	}
	if run := s.workflows()[runName("tick", lost[0])]; field(run, "status", "phase") != "Succeeded" {
		s.Errorf("the recovered run of %s is %q", lost[0], field(run, "status", "phase"))
	}
	s.must(cmd.Process.Signal(os.Interrupt))
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 2 {
		s.Errorf("backfill: %v", err)
	}
	s.Logf("backfill said:\n%s%s", stdout, stderr)
}

// running are the runs of a CronWorkflow that have started and not ended.
func (s *scenario) running(cron string) []string {
	var running []string
	for name, w := range s.workflows() {
		if w.GetLabels()["workflows.argoproj.io/cron-workflow"] == cron && field(w, "status", "startedAt") != "" && field(w, "status", "finishedAt") == "" {
			running = append(running, name)
		}
	}
	slices.Sort(running)
	return running
}

func TestReplaceDoesNotTerminateARecoveredRun(t *testing.T) {
	s := begin(t, 9*time.Minute)
	s.startArgo()
	s.sleepIntoMinute(0, 45)
	s.create(cron{name: "tick", deadline: 900, runs: "10s", spec: "concurrencyPolicy: Replace"})
	s.awaitFinished("tick", minute().Add(time.Minute))
	lost := s.lostFor(2)

	cmd, stdout, stderr := s.command(append([]string{"backfill", "tick", "--yes"}, firingRange(lost)...)...)
	s.must(cmd.Start())
	s.awaitRun("tick", lost[1])
	s.must(s.argo.Start(s.ctx))

	run := s.awaitFinished("tick", lost[1])
	if phase, shutdown := field(run, "status", "phase"), field(run, "spec", "shutdown"); phase != "Succeeded" || shutdown != "" {
		s.Errorf("the recovered run is %s, shutdown %q", phase, shutdown)
	}
	if _, exists := s.workflows()[runName("tick", lost[0])]; exists {
		s.Errorf("the older firing was recovered too, though Replace makes it pointless")
	}
	next := nextLive()
	if live := s.awaitRun("tick", next); live.GetCreationTimestamp().Sub(next) > grace {
		s.Errorf("the next live firing came %s late", live.GetCreationTimestamp().Sub(next))
	}
	if err := cmd.Wait(); err != nil {
		s.Errorf("backfill: %v\n%s%s", err, stdout, stderr)
	}
	found := s.audit("tick")
	s.expect(found, lost[0], "Skipped/Superseded")
	s.expect(found, lost[1], "Backfilled")
	s.expect(found, next, "OnTime")
}

func TestLookAlikesAreNotTakenForFirings(t *testing.T) {
	s := begin(t, 6*time.Minute)
	s.startArgo()
	s.sleepIntoMinute(0, 45)
	s.create(cron{name: "tick", deadline: 900})
	native := s.awaitRun("tick", minute().Add(time.Minute))
	lost := s.lostFor(1)[0]

	stamp := lost.Format(time.RFC3339)
	for name, made := range map[string]func(*unstructured.Unstructured){
		"tick-x7k2p": func(*unstructured.Unstructured) {}, // argo submit --from cronwf/tick
		runName("tick", lost) + "-q9fzw": func(w *unstructured.Unstructured) { // argo resubmit, which copies the annotation
			labels := w.GetLabels()
			labels["workflows.argoproj.io/resubmitted-from-workflow"] = runName("tick", lost)
			w.SetLabels(labels)
		},
		"backfill-tick-8d2kp": func(*unstructured.Unstructured) {}, // argo cron backfill
	} {
		w := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": native.Object["spec"]}}
		w.SetName(name)
		w.SetLabels(map[string]string{"workflows.argoproj.io/cron-workflow": "tick"})
		w.SetAnnotations(map[string]string{"workflows.argoproj.io/scheduled-time": stamp})
		w.SetOwnerReferences(native.GetOwnerReferences())
		made(w)
		s.createWorkflow(w)
	}
	s.expect(s.audit("tick"), lost, "Missed/ControllerDown")
}

func TestAnInterruptedBackfillIsCompletedByTheSameCommand(t *testing.T) {
	s := begin(t, 7*time.Minute)
	s.startArgo()
	s.sleepIntoMinute(0, 45)
	s.create(cron{name: "tick", deadline: 900})
	s.awaitRun("tick", minute().Add(time.Minute))
	lost := s.lostFor(3)

	// No controller, so the first recovered run does not end and the second waits for it.
	backfill := append([]string{"backfill", "tick", "--yes"}, firingRange(lost)...)
	cmd, stdout, stderr := s.command(append(backfill, "--max-parallel", "1")...)
	s.must(cmd.Start())
	s.awaitLastScheduled("tick", lost[0])
	s.must(cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 2 {
		s.Errorf("the interrupted backfill ended with status %d, want 2\n%s%s", status, stdout, stderr)
	}
	if all := s.workflows(); all[runName("tick", lost[0])] == nil || all[runName("tick", lost[1])] != nil {
		s.Errorf("want the first run and not the second, got %v", names(all))
	}
	first := s.workflows()[runName("tick", lost[0])].GetUID()
	if out := s.rollcall(backfill...); out.status != 0 {
		s.Errorf("the same command ended with status %d", out.status)
	}
	all := s.workflows()
	for _, at := range lost {
		if all[runName("tick", at)] == nil {
			s.Errorf("%s was not recovered", at)
		}
	}
	if again := all[runName("tick", lost[0])].GetUID(); again != first {
		s.Errorf("the first run was made again: %s, then %s", first, again)
	}
}

// timeless is a report without the time of its making, and without what a dump lacks.
func timeless(report string) string {
	return regexp.MustCompile(`(?s)"generatedAt": ?"[^"]*"|"notes": ?\[.*?\],\s*`).ReplaceAllString(report, "")
}

func TestADumpGivesTheSameReportAsTheLiveCluster(t *testing.T) {
	s := begin(t, 6*time.Minute)
	s.startArgo()
	s.sleepIntoMinute(0, 45)
	s.create(cron{name: "tick", deadline: 900})
	s.create(cron{name: "tock", spec: "concurrencyPolicy: Forbid\nsuccessfulJobsHistoryLimit: 1"})
	s.awaitRun("tick", minute().Add(time.Minute))
	lost := s.lostFor(2)
	dump := filepath.Join(s.TempDir(), "dump.yaml")
	s.must(os.WriteFile(dump, s.kubectl("get", "lease,cwf,wf", "-A", "-o", "yaml", "--show-managed-fields"), 0o600))

	window := []string{"--from", lost[0].Add(-3 * time.Minute).Format(time.RFC3339), "--to", lost[1].Format(time.RFC3339), "-o", "json"}
	live := s.rollcall(append([]string{"audit"}, window...)...)
	// The newest time in the dump may be another scenario's; the live report's is what it is held against.
	var now struct{ GeneratedAt string }
	s.must(json.Unmarshal([]byte(live.stdout), &now))
	dumped := s.rollcall(append([]string{"audit", "-f", dump, "--now", now.GeneratedAt}, window...)...)
	if live.status != 2 || dumped.status != 2 {
		s.Errorf("status %d live, %d from the dump, want 2", live.status, dumped.status)
	}
	if diff := cmp.Diff(timeless(live.stdout), timeless(dumped.stdout)); diff != "" {
		s.Errorf("the reports differ (-live +dump):\n%s", diff)
	}
	if !strings.Contains(live.stdout, `"Missed"`) || !strings.Contains(live.stdout, `"tock"`) {
		s.Errorf("the live report lacks what it should have:\n%s", live.stdout)
	}
}
