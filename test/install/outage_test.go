//go:build node

package install

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// cast are CronWorkflows that fire every minute: export may start late, report is lost as soon as it does not start.
const cast = `
apiVersion: v1
kind: Namespace
metadata: {name: etl}
---
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: export, namespace: etl}
spec:
  schedules: ["* * * * *"]
  timezone: UTC
  startingDeadlineSeconds: 600
  successfulJobsHistoryLimit: 20
  workflowSpec: {entrypoint: main, templates: [{name: main, suspend: {duration: "1s"}}]}
---
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: report, namespace: etl}
spec:
  schedules: ["* * * * *"]
  timezone: UTC
  successfulJobsHistoryLimit: 20
  workflowSpec: {entrypoint: main, templates: [{name: main, suspend: {duration: "1s"}}]}
`

// An outage as users have it: the chart is installed with its own permissions, Argo's controller is away for two ticks, the pod
// brings back what still may run, and what may not rings – by Prometheus and the chart's rules, and by Rollcall's own way to an
// Alertmanager. When somebody has made up for it, both fall silent.
func TestAnOutageIsRecoveredByThePodAndWhatIsLostRings(t *testing.T) {
	s := begin(t, 15*time.Minute)
	byRules, direct := s.startReceiver(), s.startReceiver()
	alertmanager := s.startAlertmanager("alertmanager-of-prometheus", byRules)
	ownAlertmanager := s.startAlertmanager("alertmanager-of-rollcall", direct)

	began := time.Now()
	s.installed("rollcall", "rollcall")
	s.helm("install", "rollcall", chart, "--namespace", "rollcall", "--create-namespace",
		"--set", "config.grace=10s", "--set", "config.alertmanager-url="+ownAlertmanager, "--set", "rules.configMap.enabled=true")
	s.kubectl("-n", "rollcall", "rollout", "status", "deployment/rollcall", "--timeout=60s")
	s.Logf("FIGURE both replicas Ready %.1f s after the start of helm install", time.Since(began).Seconds())
	if ready := s.get("rollcall", "deployment/rollcall", "{.status.readyReplicas}"); ready != "2" {
		s.Errorf("%s replicas are ready, want 2", ready)
	}
	s.helm("test", "rollcall", "--namespace", "rollcall", "--timeout", "60s")

	s.apply(cast)
	s.Cleanup(func() { s.forget("etl") })
	prometheus := s.startPrometheus(s.rules(), alertmanager)
	s.awaitLive("etl", "export", "report")
	s.await("Prometheus to know the firings of etl/report", 30*time.Second, func() error {
		return s.expectSeries(prometheus, `rollcall_next_firing_timestamp_seconds{namespace="etl",cronworkflow="report"}`, 1)
	})

	lost := s.outage(2)
	newest := lost[len(lost)-1]
	for _, at := range lost {
		s.await("the pod to recover the firing of "+clock(at), 60*time.Second, func() error { return s.madeByController("etl", "export", at) })
	}
	s.await("both receivers to hear of the lost firing of etl/report", 90*time.Second, func() error {
		return errors.Join(heard("by the rules", byRules, "firing", "RollcallRunLost", "etl/report"), heard("directly", direct, "firing", "RollcallRunLost", "etl/report"))
	})
	for name, r := range map[string]*receiver{"by the rules": byRules, "directly": direct} {
		at, annotations := r.told("firing", "RollcallRunLost", "etl/report")
		s.Logf("FIGURE %s the receiver had the message %.1f s after the scheduled time of the first lost firing, %.1f s after the end of its grace",
			name, at.Sub(lost[0]).Seconds(), at.Sub(lost[0].Add(10*time.Second)).Seconds())
		text := strings.Join([]string{annotations["summary"], annotations["description"], annotations["runbook_url"]}, "\n")
		for _, want := range []string{"etl/report", lost[0].Format(time.RFC3339), "runbooks/RollcallRunLost"} {
			if !strings.Contains(text, want) {
				s.Errorf("%s: what it says lacks %q:\n%s", name, want, text)
			}
		}
	}

	s.scaleArgo(1)
	s.awaitLive("etl", "export", "report")
	s.Log("making up for what was lost, by hand")
	for _, at := range lost {
		s.rollcall("backfill", "report", "-n", "etl", "--at", at.Format(time.RFC3339), "--ignore-deadline", "--yes")
	}
	s.await("both receivers to hear that it is over", 6*time.Minute, func() error {
		return errors.Join(heard("by the rules", byRules, "resolved", "RollcallRunLost", "etl/report"), heard("directly", direct, "resolved", "RollcallRunLost", "etl/report"))
	})
	for _, at := range append(lost, newest.Add(time.Minute)) {
		s.expectOnce("etl", "export", at)
	}
	for name, r := range map[string]*receiver{"by the rules": byRules, "directly": direct} {
		for _, alert := range r.firing() {
			if alert != "RollcallRunLost etl/report" {
				s.Errorf("%s a receiver was told of %s, and nothing but RollcallRunLost etl/report was to ring", name, alert)
			}
		}
	}
}

// rules is the rule file that the installed chart offers.
func (s *scenario) rules() string {
	s.Helper()
	var configMap struct{ Data map[string]string }
	s.must(json.Unmarshal([]byte(s.kubectl("-n", "rollcall", "get", "configmap", "rollcall-rules", "-o", "json")), &configMap))
	text := configMap.Data["rollcall.rules.yaml"]
	if text == "" {
		s.Fatalf("the ConfigMap rollcall-rules has no rollcall.rules.yaml: %v", configMap.Data)
	}
	return text
}

func heard(how string, r *receiver, status, alert, cronWorkflow string) error {
	if at, _ := r.told(status, alert, cronWorkflow); at.IsZero() {
		return fmt.Errorf("%s it was not told that %s %s is %s, only of %v", how, alert, cronWorkflow, status, r.firing())
	}
	return nil
}

func (s *scenario) expectSeries(prometheus, expr string, want int) error {
	got, err := s.query(prometheus, expr)
	if err != nil {
		return err
	}
	if len(got) != want {
		return fmt.Errorf("%s has %d series, want %d: %v", expr, len(got), want, got)
	}
	return nil
}
