//go:build node

package alerts

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// alertmanager is one that runs with the example configuration, whose receivers are the test's.
type alertmanager struct {
	url string
	// pager and chat are the messages to the receivers of these names.
	pager, chat chan message
}

// message is what a webhook is sent.
type message struct {
	Status string `json:"status"`
	Alerts []struct {
		Labels map[string]string `json:"labels"`
	} `json:"alerts"`
	GroupLabels map[string]string `json:"groupLabels"`
}

func (m message) String() string {
	return fmt.Sprintf("%d %s, %s", len(m.Alerts), m.GroupLabels["alertname"], m.Status)
}

// tool is the path of a program of one of Debian's packages.
func tool(t *testing.T, name, of string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: apt-get install %s", err, of)
	}
	return path
}

// replace replaces what must be there.
func replace(t *testing.T, text, old, with string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not there", old)
	}
	return strings.ReplaceAll(text, old, with)
}

func receiver(t *testing.T) (url string, messages chan message) {
	messages = make(chan message, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		messages <- m
	}))
	t.Cleanup(server.Close)
	return server.URL, messages
}

// start starts an Alertmanager that waits for seconds where the example waits for minutes or an hour.
func start(t *testing.T) *alertmanager {
	t.Helper()
	exe := tool(t, "prometheus-alertmanager", "prometheus-alertmanager")
	var a alertmanager
	var pager, chat string
	pager, a.pager = receiver(t)
	chat, a.chat = receiver(t)
	text := read(t, examples+"/alertmanager.yml")
	for _, change := range [][2]string{
		{"http://pager.example/alerts", pager}, {"http://chat.example/alerts", chat},
		{"group_wait: 30s", "group_wait: 1s"}, {"group_interval: 5m", "group_interval: 500ms"}, {"group_interval: 1h", "group_interval: 6s"},
	} {
		text = replace(t, text, change[0], change[1])
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := free(t)
	cmd := exec.Command(exe, "--config.file="+file, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--cluster.listen-address=", "--log.level=warn")
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	a.url = "http://" + address
	await(t, "Alertmanager is ready", func() bool {
		answer, err := http.Get(a.url + "/-/ready")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return &a
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("not so after 30 s: %s", what)
		}
	}
}

// post posts alerts that begin now and end at a time.
func (a *alertmanager) post(t *testing.T, ends time.Time, alerts ...map[string]string) {
	t.Helper()
	var all []map[string]any
	for _, labels := range alerts {
		all = append(all, map[string]any{"labels": labels, "endsAt": ends})
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(a.url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(answer.Body)
		t.Fatalf("Alertmanager: %s: %s", answer.Status, said)
	}
}

// states are the alerts there are by name, and whether each is active or suppressed.
func (a *alertmanager) states(t *testing.T) map[string]string {
	t.Helper()
	answer, err := http.Get(a.url + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var all []struct {
		Labels map[string]string `json:"labels"`
		Status struct {
			State string `json:"state"`
		} `json:"status"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, alert := range all {
		states[alert.Labels["alertname"]] = alert.Status.State
	}
	return states
}

// next is the next message to a receiver.
func next(t *testing.T, messages chan message) message {
	t.Helper()
	select {
	case m := <-messages:
		return m
	case <-time.After(30 * time.Second):
		t.Fatal("no message in 30 s")
		return message{}
	}
}

// of are the labels of an alert of the rules, as it fires for a CronWorkflow or, if it is one of these, for Rollcall itself.
func of(t *testing.T, name, cronworkflow string) map[string]string {
	t.Helper()
	for _, r := range rules(t) {
		switch {
		case r.Alert != name:
		case strings.Contains(r.Expr, "by (namespace, cronworkflow)"):
			return map[string]string{"alertname": name, "severity": r.Labels["severity"], "namespace": "team-a", "cronworkflow": cronworkflow}
		default:
			return map[string]string{"alertname": name, "severity": r.Labels["severity"], "namespace": "rollcall", "job": "rollcall"}
		}
	}
	t.Fatalf("there is no rule %s", name)
	return nil
}

func TestTheExampleConfigurationOfAlertmanagerIsValid(t *testing.T) {
	succeeds(t, tool(t, "amtool", "prometheus-alertmanager"), "check-config", examples+"/alertmanager.yml")
}

func TestTheRulesDoTheSameInDebiansPrometheus(t *testing.T) {
	promtool := tool(t, "promtool", "prometheus")
	succeeds(t, promtool, "check", "rules", "--lint=all", "--lint-fatal", rulesFile)
	for file := range trials(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) { succeeds(t, promtool, "test", "rules", file) })
	}
}

func TestAnOutageOverAHundredCronWorkflowsDoesNotRingAgainForEachThatJoins(t *testing.T) {
	a := start(t)
	later := time.Now().Add(time.Hour)
	var lost []map[string]string
	// They are lost one after the other. The chat, which is told of something else each time, shows that Alertmanager has told of
	// what joined meanwhile where it was to.
	for wave := range 4 {
		for range 25 {
			lost = append(lost, of(t, "RollcallRunLost", fmt.Sprintf("report-%d", len(lost))))
		}
		a.post(t, later, append(lost[wave*25:len(lost):len(lost)], of(t, "RollcallScheduleStuck", fmt.Sprintf("stuck-%d", wave)))...)
		if m := next(t, a.chat); m.String() != fmt.Sprintf("%d RollcallScheduleStuck, firing", wave+1) {
			t.Errorf("the chat is told of %s", m)
		}
		if wave > 0 {
			continue
		}
		if m := next(t, a.pager); m.String() != "25 RollcallRunLost, firing" {
			t.Errorf("the pager rings for %s", m)
		}
	}
	if m := next(t, a.pager); m.String() != "100 RollcallRunLost, firing" {
		t.Errorf("the next time the pager rings for %s", m)
	}
	a.post(t, time.Now(), lost...)
	if m := next(t, a.pager); m.String() != "100 RollcallRunLost, resolved" {
		t.Errorf("in the end the pager rings for %s", m)
	}
}

func TestAWarningGoesToTheChatAndTheRestToThePager(t *testing.T) {
	a := start(t)
	later := time.Now().Add(time.Hour)
	a.post(t, later, of(t, "RollcallScheduleStuck", "report"), of(t, "RollcallDown", "report"))
	if m := next(t, a.chat); m.String() != "1 RollcallScheduleStuck, firing" {
		t.Errorf("the chat is told of %s", m)
	}
	if m := next(t, a.pager); m.String() != "1 RollcallDown, firing" {
		t.Errorf("the pager rings for %s", m)
	}
}

func TestThatAFiringIsMissedIsSilentWhereMoreIsKnownOfIt(t *testing.T) {
	a := start(t)
	later := time.Now().Add(time.Hour)
	var all []map[string]string
	want := map[string]string{}
	for _, r := range rules(t) {
		want[r.Alert] = "active"
		all = append(all, of(t, r.Alert, "report"))
	}
	want["RollcallRunMissed"] = "suppressed"
	a.post(t, later, all...)
	await(t, "every alert is as it should be", func() bool {
		got := a.states(t)
		for name, state := range want {
			if got[name] != state {
				t.Logf("%s is %s", name, got[name])
				return false
			}
		}
		return true
	})
}
