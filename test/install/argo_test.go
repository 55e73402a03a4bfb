//go:build node

package install

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/test/cluster"
)

func minute() time.Time { return time.Now().UTC().Truncate(time.Minute) }

func clock(t time.Time) string { return t.UTC().Format(time.TimeOnly) }

// apply applies objects as kubectl does.
func (s *scenario) apply(text string) {
	s.Helper()
	path := filepath.Join(s.folder("apply"), "objects.yaml")
	s.must(os.WriteFile(path, []byte(text), 0o644))
	s.kubectl("apply", "-f", path)
}

// forget deletes a namespace with all that is in it.
func (s *scenario) forget(namespace string) {
	c := *s
	ctx, cancel := cleanup()
	defer cancel()
	c.ctx = ctx
	if out, err := c.try(shared.Kubectl(), "delete", "namespace", namespace, "--ignore-not-found"); err != nil {
		s.Errorf("%s%v", out, err)
	}
}

func (s *scenario) scaleArgo(replicas int) {
	s.Helper()
	s.kubectl("-n", "argo", "scale", "deployment/workflow-controller", "--replicas="+strconv.Itoa(replicas))
	if replicas == 0 {
		s.kubectl("-n", "argo", "wait", "pod", "-l", "app=workflow-controller", "--for=delete", "--timeout=30s")
		return
	}
	s.kubectl("-n", "argo", "rollout", "status", "deployment/workflow-controller", "--timeout=60s")
}

// outage takes Argo's controller away, for good, and returns so many ticks that nobody heard, a grace of 10 s after the last.
func (s *scenario) outage(ticks int) []time.Time {
	s.Helper()
	if time.Until(minute().Add(time.Minute)) < 20*time.Second {
		s.until(minute().Add(time.Minute + 10*time.Second)) // so that the controller is gone before the tick
	}
	s.Cleanup(func() {
		c := *s
		ctx, cancel := cleanup()
		defer cancel()
		c.ctx = ctx
		_, err := c.try(shared.Kubectl(), "-n", "argo", "scale", "deployment/workflow-controller", "--replicas=1")
		if err != nil {
			s.Error(err)
		}
	})
	s.scaleArgo(0)
	var lost []time.Time
	for range ticks {
		at := minute().Add(time.Minute)
		lost = append(lost, at)
		s.until(at)
		s.Logf("%s a tick nobody hears", clock(at))
	}
	s.until(lost[ticks-1].Add(10 * time.Second))
	return lost
}

func (s *scenario) workflow(namespace, cron string, at time.Time) (*unstructured.Unstructured, error) {
	return shared.Dynamic().Resource(cluster.Workflows).Namespace(namespace).Get(s.ctx, fmt.Sprintf("%s-%d", cron, at.Unix()), metav1.GetOptions{})
}

// awaitLive waits until Argo itself has started the next firing of each CronWorkflow.
func (s *scenario) awaitLive(namespace string, crons ...string) {
	s.Helper()
	at := minute().Add(time.Minute)
	for _, cron := range crons {
		s.await(fmt.Sprintf("the live run of %s/%s at %s", namespace, cron, clock(at)), time.Until(at)+20*time.Second, func() error {
			run, err := s.workflow(namespace, cron, at)
			if err != nil {
				return err
			}
			if by := run.GetLabels()["rollcall.dev/backfilled-by"]; by != "" {
				return fmt.Errorf("%s was made by Rollcall's %s", run.GetName(), by)
			}
			return nil
		})
	}
}

// madeByController returns nil when the run of a firing was made by the add-on.
func (s *scenario) madeByController(namespace, cron string, at time.Time) error {
	run, err := s.workflow(namespace, cron, at)
	if err != nil {
		return err
	}
	if by := run.GetLabels()["rollcall.dev/backfilled-by"]; by != "controller" {
		return fmt.Errorf("%s was made by %q", run.GetName(), by)
	}
	return nil
}

// expectOnce holds that a firing has exactly one run, and that it succeeded.
func (s *scenario) expectOnce(namespace, cron string, at time.Time) {
	s.Helper()
	all, err := shared.Dynamic().Resource(cluster.Workflows).Namespace(namespace).List(s.ctx, metav1.ListOptions{LabelSelector: "workflows.argoproj.io/cron-workflow=" + cron})
	s.must(err)
	var runs []string
	for _, w := range all.Items {
		if scheduled, err := time.Parse(time.RFC3339, w.GetAnnotations()["workflows.argoproj.io/scheduled-time"]); err == nil && scheduled.Equal(at) {
			phase, _, _ := unstructured.NestedString(w.Object, "status", "phase")
			runs = append(runs, w.GetName()+" "+phase)
		}
	}
	if want := fmt.Sprintf("%s-%d Succeeded", cron, at.Unix()); len(runs) != 1 || runs[0] != want {
		s.Errorf("the firing of %s/%s at %s has the runs %q, want one: %s", namespace, cron, clock(at), runs, want)
	}
}

// rollcall runs the command line as a user of the cluster.
func (s *scenario) rollcall(args ...string) string {
	s.Helper()
	out, err := s.try(rollcall, args...)
	s.Logf("$ rollcall %s\n%s", strings.Join(args, " "), out)
	s.must(err)
	return out
}
