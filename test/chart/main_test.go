package chart

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/cluster"
)

const (
	// chart is the chart under test.
	chart = "../../charts/rollcall"
	// release is its name and namespace here.
	release = "rollcall"
)

var (
	update = flag.Bool("update", false, "write what is generated, instead of comparing it")
	// tools are the programs that the tests need.
	tools binaries.Paths
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	tools, err = binaries.Ensure(context.Background(), os.Stderr, binaries.Helm, binaries.HelmUnittest, binaries.HelmDocs, binaries.PrometheusOperator)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Helm keeps what it downloads and remembers in the home of the user; nothing here needs that.
	home, err := os.MkdirTemp("", "rollcall-chart-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(home)
	for _, variable := range []string{"HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"} {
		if err := os.Setenv(variable, home); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	status := m.Run()
	if err := stopCluster(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = max(status, 1)
	}
	return status
}

// startCluster starts the cluster that tests share when the first of them needs it.
var startCluster = sync.OnceValues(func() (*cluster.Cluster, error) {
	return cluster.Start(context.Background(), cluster.Options{WithoutArgo: true, StopOnSignal: true, Progress: os.Stderr})
})

// clusterWanted says whether a test asked for a cluster.
var clusterWanted bool

func apiServer(t *testing.T) *cluster.Cluster {
	t.Helper()
	clusterWanted = true
	c, err := startCluster()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func stopCluster() error {
	if !clusterWanted {
		return nil
	}
	c, err := startCluster()
	if err != nil {
		return nil // the test has said so
	}
	return c.Stop()
}

// command runs a program and returns what it writes; the error has what it says is wrong.
func command(t *testing.T, binary binaries.Binary, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tools.Exe(binary), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w\n%s%s", binary, strings.Join(args, " "), err, stderr.String(), stdout.String())
	}
	return stdout.String(), nil
}

// template is `helm template` of the chart.
func template(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return command(t, binaries.Helm, append([]string{"template", release, chart, "--namespace", release}, args...)...)
}

// rendered are the objects that the chart renders to.
func rendered(t *testing.T, args ...string) []*unstructured.Unstructured {
	t.Helper()
	text, err := template(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, text)
}

func objects(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 64<<10)
	for {
		o := &unstructured.Unstructured{}
		switch err := decoder.Decode(&o.Object); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		case len(o.Object) > 0:
			all = append(all, o)
		}
	}
}

// ofKind are those objects of a kind, in their Go type.
func ofKind[T any](t *testing.T, all []*unstructured.Unstructured, kind string) []T {
	t.Helper()
	var of []T
	for _, o := range all {
		if o.GetKind() != kind {
			continue
		}
		var typed T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &typed); err != nil {
			t.Fatal(err)
		}
		of = append(of, typed)
	}
	return of
}

// examples are the files with example values.
func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(chart, "ci", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(errors.Join(err, errors.New("there are no examples")))
	}
	return files
}
