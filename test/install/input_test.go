//go:build node

package install

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/node"
)

func TestWrongValuesAreRefusedAtTheInstallationByTheirPath(t *testing.T) {
	s := begin(t, time.Minute)
	for set, path := range map[string]string{
		"replicas=-1":                     "/replicas",
		"config.grace=soon":               "/config/grace",
		"config.backfill=maybe":           "/config/backfill",
		"config.max-parallel=0":           "/config/max-parallel",
		"config.maxparallel=5":            "maxparallel",
		"config.alertmanager-url=here":    "/config/alertmanager-url",
		"image.tags=1":                    "tags",
		"rules.configMap.enabled=perhaps": "/rules/configMap/enabled",
	} {
		said := s.fails(helm, "install", "rollcall", chart, "--namespace", "rollcall", "--create-namespace", "--set", set)
		if !strings.Contains(said, path) {
			s.Errorf("--set %s: what helm says does not name %s:\n%s", set, path, said)
		}
	}
}

// Much is wrong at once: the CRD is not there, one permission is missing, and Alertmanager answers 400. The controller says each of
// it, goes on with what it can, asks nobody too often, and needs no restart when it is mended.
func TestWhatIsMissingIsSaidAndMendedWithoutARestart(t *testing.T) {
	s := begin(t, 10*time.Minute)
	asked := s.startRefusing()
	s.apply(cast)
	s.Cleanup(func() { s.forget("etl") })
	s.installed("rollcall", "rollcall")
	s.helm("install", "rollcall", chart, "--namespace", "rollcall", "--create-namespace", "--wait", "--timeout", "60s",
		"--set", "crds.install=false", "--set", "replicas=1", "--set", "config.grace=10s", "--set", "config.alertmanager-url="+asked.url)
	s.kubectl("patch", "clusterrole", "rollcall", "--type=json", "-p", `[{"op":"remove","path":"/rules/1/verbs/3"}]`) // create workflows
	s.kubectl("-n", "rollcall", "rollout", "restart", "deployment/rollcall")
	s.kubectl("-n", "rollcall", "rollout", "status", "deployment/rollcall", "--timeout=90s")

	s.awaitLogged("the CRD is missing", "cronaudits", "CustomResourceDefinition")
	s.awaitLogged("runs may not be created", "create workflows")
	s.awaitMetric("the missing permission to show", `rollcall_permission_denied{resource="workflows",verb="create"} 1`)

	s.Log("the CRD comes")
	s.apply(s.crds())
	s.await("records to be written", 2*time.Minute, func() error { return s.recorded("etl", "export") })

	s.awaitLive("etl", "export")
	lost := s.outage(1)[0]
	s.await("an Event about the blocked recovery", 90*time.Second, func() error { return s.event("etl", "export", "BackfillBlocked") })
	s.awaitMetric("the blocked recovery to show", `rollcall_backfill_blocked{cronworkflow="export",namespace="etl"} 1`)
	s.awaitMetric("the refused posts to be counted", `rollcall_alert_posts_total{outcome="rejected"}`)
	s.awaitLogged("Alertmanager refuses", "Alertmanager", "400")
	before := asked.count()
	s.until(time.Now().Add(30 * time.Second))
	if n := asked.count() - before; n > 3 {
		s.Errorf("an Alertmanager that refuses was asked %d times in 30 s", n)
	}

	s.Log("the permission comes back")
	pods := s.pods()
	s.kubectl("patch", "clusterrole", "rollcall", "--type=json", "-p", `[{"op":"add","path":"/rules/1/verbs/-","value":"create"}]`)
	s.await("the recovery, at the next try of every minute", 2*time.Minute, func() error { return s.madeByController("etl", "export", lost) })
	if now := s.pods(); strings.Join(now, " ") != strings.Join(pods, " ") {
		s.Errorf("the pods were %v and are %v", pods, now)
	}
	for _, pod := range s.pods() {
		if restarts := s.get("rollcall", "pod/"+pod, "{.status.containerStatuses[0].restartCount}"); restarts != "0" {
			s.Errorf("%s was restarted %s times", pod, restarts)
		}
	}
}

// crds is the CRD as a user applies it who does not leave that to the release.
func (s *scenario) crds() string {
	s.Helper()
	return s.helm("template", "rollcall", chart, "--show-only", "templates/crds.yaml")
}

// event returns nil when there is an Event of that reason on a CronWorkflow.
func (s *scenario) event(namespace, name, reason string) error {
	var all struct {
		Items []struct {
			Reason         string
			InvolvedObject struct{ Kind, Name string }
		}
	}
	if err := json.Unmarshal([]byte(s.kubectl("-n", namespace, "get", "events", "-o", "json")), &all); err != nil {
		return err
	}
	var reasons []string
	for _, e := range all.Items {
		if e.InvolvedObject.Kind == "CronWorkflow" && e.InvolvedObject.Name == name {
			if e.Reason == reason {
				return nil
			}
			reasons = append(reasons, e.Reason)
		}
	}
	return fmt.Errorf("its Events are %v", reasons)
}

// awaitLogged waits for a line of a pod's log that has all of these words.
func (s *scenario) awaitLogged(what string, words ...string) {
	s.Helper()
	s.await("a log line that says that "+what, time.Minute, func() error {
		for _, pod := range s.pods() {
			for line := range strings.Lines(s.kubectl("-n", "rollcall", "logs", pod)) {
				if hasAll(line, words) {
					s.Logf("%s: %s", what, line)
					return nil
				}
			}
		}
		return fmt.Errorf("there is none with %q", words)
	})
}

func hasAll(line string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(line, word) {
			return false
		}
	}
	return true
}

// awaitMetric waits until a pod shows a metric that begins with this text.
func (s *scenario) awaitMetric(what, beginning string) {
	s.Helper()
	s.await(what, 90*time.Second, func() error {
		for _, address := range strings.Fields(s.kubectl("-n", "rollcall", "get", "pods", "-l", "app.kubernetes.io/component=controller", "-o", "jsonpath={.items[*].status.podIP}")) {
			answer, err := http.Get("http://" + address + ":9090/metrics")
			if err != nil {
				return err
			}
			text, err := io.ReadAll(answer.Body)
			if err := answer.Body.Close(); err != nil {
				return err
			}
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(text)) {
				if strings.HasPrefix(line, beginning) && !strings.HasSuffix(strings.TrimSpace(line), " 0") {
					return nil
				}
			}
		}
		return fmt.Errorf("no pod shows %s", beginning)
	})
}

// refusing is an Alertmanager that takes nothing.
type refusing struct {
	url     string
	request chan struct{}
}

func (r *refusing) count() int { return len(r.request) }

func (s *scenario) startRefusing() *refusing {
	s.Helper()
	listener, err := net.Listen("tcp", node.Address+":0")
	s.must(err)
	r := &refusing{url: "http://" + listener.Addr().String(), request: make(chan struct{}, 10000)}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r.request <- struct{}{}
		http.Error(w, "start time must be before end time", http.StatusBadRequest)
	})}
	go func() { _ = server.Serve(listener) }()
	s.Cleanup(func() { _ = server.Close() })
	return r
}
