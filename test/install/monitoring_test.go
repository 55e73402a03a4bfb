//go:build node

package install

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/process"
	"rollcall.dev/rollcall/test/node"
)

// message is what Alertmanager tells a webhook.
type message struct {
	Status string
	Alerts []struct {
		Status              string
		Labels, Annotations map[string]string
	}
	received time.Time
}

// receiver is a webhook that keeps what it is told.
type receiver struct {
	url string

	mu       sync.Mutex
	messages []message
}

func (s *scenario) startReceiver() *receiver {
	s.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	r := &receiver{url: "http://" + listener.Addr().String()}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		m := message{received: time.Now()}
		if err := json.NewDecoder(request.Body).Decode(&m); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.messages = append(r.messages, m)
	})}
	go func() { _ = server.Serve(listener) }()
	s.Cleanup(func() { _ = server.Close() })
	return r
}

// told is when the receiver was first told that an alert of a CronWorkflow is in a status ("firing", "resolved"), with what its
// annotations said; zero when it was not.
func (r *receiver) told(status, alert, cronWorkflow string) (time.Time, map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.messages {
		for _, a := range m.Alerts {
			if a.Status == status && a.Labels["alertname"] == alert && a.Labels["namespace"]+"/"+a.Labels["cronworkflow"] == cronWorkflow {
				return m.received, a.Annotations
			}
		}
	}
	return time.Time{}, nil
}

// firing are the alerts that the receiver was told of, each once: "RollcallRunLost etl/report".
func (r *receiver) firing() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, m := range r.messages {
		for _, a := range m.Alerts {
			name := strings.TrimSuffix(fmt.Sprintf("%s %s/%s", a.Labels["alertname"], a.Labels["namespace"], a.Labels["cronworkflow"]), "/")
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// port is a free one.
func (s *scenario) port() int {
	s.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// start starts a server of the monitoring, and has it end with the test.
func (s *scenario) start(name, program, health string, args ...string) *process.Process {
	s.Helper()
	p, err := shared.Process(process.Spec{
		Name: name, Path: program, Args: args,
		Ready: func(ctx context.Context, _ time.Time) error {
			return cluster.AskOK(ctx, http.DefaultClient, health, "")
		},
	})
	s.must(err)
	s.must(p.Start(s.ctx))
	s.Cleanup(func() { _ = p.Stop() })
	return p
}

// folder is a new one for a server's data.
func (s *scenario) folder(name string) string {
	s.Helper()
	dir, err := os.MkdirTemp(scratch, name+"-")
	s.must(err)
	return dir
}

// startAlertmanager starts one that tells the receiver of everything at once. It listens where pods reach it.
func (s *scenario) startAlertmanager(name string, to *receiver) (url string) {
	s.Helper()
	dir, address := s.folder(name), fmt.Sprintf("%s:%d", node.Address, s.port())
	config := filepath.Join(dir, "alertmanager.yml")
	s.write(config, fmt.Sprintf(`
route: {receiver: test, group_by: [alertname, namespace, cronworkflow], group_wait: 100ms, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: test, webhook_configs: [{url: %q, send_resolved: true}]}]
`, to.url))
	url = "http://" + address
	s.start(name, "prometheus-alertmanager", url+"/-/ready", "--config.file="+config, "--storage.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--cluster.listen-address=")
	return url
}

func (s *scenario) write(path, text string) {
	s.Helper()
	s.must(os.WriteFile(path, []byte(text), 0o644))
}

// startPrometheus starts one with the configuration of docs/examples and these rules. Only where things are and how often they are
// looked at is changed. Where the pods are, the test says itself, since Debian's Prometheus is built without the discovery of
// Kubernetes: that part of the example, kubernetes_sd_configs, is checked by its syntax only (test/alerts). What follows it, the
// relabelling, is the example's.
func (s *scenario) startPrometheus(rules, alertmanager string) (url string) {
	s.Helper()
	dir, address := s.folder("prometheus"), fmt.Sprintf("127.0.0.1:%d", s.port())
	s.write(filepath.Join(dir, "rollcall.rules.yaml"), rules)
	example, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(chart)), "docs", "examples", "prometheus.yml"))
	s.must(err)
	var config map[string]any
	s.must(yaml.Unmarshal(example, &config))
	config["global"] = map[string]any{"scrape_interval": "1s", "evaluation_interval": "1s"}
	config["rule_files"] = []any{"rollcall.rules.yaml"}
	config["alerting"] = map[string]any{"alertmanagers": []any{map[string]any{
		"static_configs": []any{map[string]any{"targets": []any{strings.TrimPrefix(alertmanager, "http://")}}},
	}}}
	for _, scrape := range config["scrape_configs"].([]any) {
		delete(scrape.(map[string]any), "kubernetes_sd_configs")
		scrape.(map[string]any)["static_configs"] = s.discovered()
	}
	text, err := yaml.Marshal(config)
	s.must(err)
	file := filepath.Join(dir, "prometheus.yml")
	s.write(file, string(text))
	url = "http://" + address
	s.start("prometheus", "prometheus", url+"/-/ready", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address)
	return url
}

// discovered are the pods' ports as Prometheus' own discovery would tell of them before the relabelling.
func (s *scenario) discovered() []any {
	s.Helper()
	pods, err := shared.Dynamic().Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace("rollcall").
		List(s.ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=rollcall"})
	s.must(err)
	var all []any
	for _, pod := range pods.Items {
		address, _, _ := unstructured.NestedString(pod.Object, "status", "podIP")
		phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
		containers, _, _ := unstructured.NestedSlice(pod.Object, "spec", "containers")
		ports, _, _ := unstructured.NestedSlice(containers[0].(map[string]any), "ports")
		for _, port := range ports {
			port := port.(map[string]any)
			all = append(all, map[string]any{
				"targets": []any{fmt.Sprintf("%s:%d", address, port["containerPort"])},
				"labels": map[string]any{
					"__meta_kubernetes_namespace": pod.GetNamespace(), "__meta_kubernetes_pod_name": pod.GetName(), "__meta_kubernetes_pod_phase": phase,
					"__meta_kubernetes_pod_container_port_name":              port["name"],
					"__meta_kubernetes_pod_label_app_kubernetes_io_instance": pod.GetLabels()["app.kubernetes.io/instance"],
				},
			})
		}
	}
	return all
}

// query is what Prometheus answers to an instant query: the value of each series, by its labels as in "{a=\"b\"}".
func (s *scenario) query(url, expr string) ([]sample, error) {
	request, err := http.NewRequestWithContext(s.ctx, http.MethodGet, url+"/api/v1/query", nil)
	if err != nil {
		return nil, err
	}
	q := request.URL.Query()
	q.Set("query", expr)
	request.URL.RawQuery = q.Encode()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var body struct {
		Status, Error string
		Data          struct{ Result []sample }
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		return nil, err
	}
	if body.Status != "success" {
		return nil, fmt.Errorf("query %s: %s", expr, body.Error)
	}
	return body.Data.Result, nil
}

// sample is one series of an answer.
type sample struct {
	Metric map[string]string
	Value  [2]any
}
