package cluster_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/test/cluster"
)

// shared is the cluster of all tests that need no outage of the whole of it.
var shared *cluster.Cluster

// asChild makes this test binary start a cluster of its own and wait: the
// subject of the tests about its end.
const asChild = "ROLLCALL_TEST_CLUSTER_CHILD"

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(asChild) != "" {
		os.Exit(child())
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if testing.Short() {
		fmt.Println("test/cluster: a cluster takes minutes to build and to test, skipped with -short")
		return 0
	}
	c, err := cluster.Start(context.Background(), cluster.Options{
		Users:        []cluster.User{{Name: "reader"}, {Name: "writer", Groups: []string{"writers", "people"}}},
		StopOnSignal: true,
		Progress:     os.Stderr,
		WithoutArgo:  true, // each test brings its own
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = c
	defer func() {
		if err := c.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

func child() int {
	c, err := cluster.Start(context.Background(), cluster.Options{Dir: os.Getenv(asChild), StopOnSignal: true})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	// One line: the parent reads it as soon as it is there.
	fmt.Println(strings.Trim(fmt.Sprint(c.Pids()), "[]"))
	select {}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// everyMinute is a CronWorkflow whose runs finish without a node.
func everyMinute(name string) string {
	return fmt.Sprintf(`
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: %s}
spec:
  schedules: ["* * * * *"]
  workflowSpec:
    entrypoint: main
    templates: [{name: main, suspend: {duration: "1s"}}]
`, name)
}

func workflow(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
		"metadata": map[string]any{"name": name},
		"spec": map[string]any{"entrypoint": "main", "templates": []any{
			map[string]any{"name": "main", "suspend": map[string]any{"duration": "1s"}},
		}},
	}}
}

// phases is what has become of the Workflows of a namespace, by name.
func phases(ctx context.Context, c *cluster.Cluster, namespace string) (map[string]string, error) {
	list, err := c.Dynamic().Resource(cluster.Workflows).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, w := range list.Items {
		phase, _, _ := unstructured.NestedString(w.Object, "status", "phase")
		out[w.GetName()] = phase
	}
	return out, nil
}

func awaitPhase(ctx context.Context, t *testing.T, c *cluster.Cluster, namespace, prefix, phase string) {
	t.Helper()
	check(t, cluster.Await(ctx, fmt.Sprintf("a Workflow %s/%s* to be %s", namespace, prefix, phase), func(ctx context.Context) error {
		got, err := phases(ctx, c, namespace)
		if err != nil {
			return err
		}
		for name, p := range got {
			if strings.HasPrefix(name, prefix) && p == phase {
				return nil
			}
		}
		return fmt.Errorf("there are %v", got)
	}))
}
