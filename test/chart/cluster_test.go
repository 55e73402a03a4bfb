package chart

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"rollcall.dev/rollcall/internal/record/v1alpha1"
	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/cluster"
)

var (
	crds        = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
)

// helm runs Helm on the cluster.
func helm(t *testing.T, c *cluster.Cluster, args ...string) (string, error) {
	t.Helper()
	return command(t, binaries.Helm, append(args, "--kubeconfig", c.Kubeconfig(cluster.Admin))...)
}

func mustHelm(t *testing.T, c *cluster.Cluster, args ...string) {
	t.Helper()
	if _, err := helm(t, c, args...); err != nil {
		t.Fatal(err)
	}
}

// withNamespaces has these namespaces exist.
func withNamespaces(t *testing.T, c *cluster.Cluster, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := c.CreateNamespace(t.Context(), name); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
}

// TestTheAPIServerAcceptsEveryObjectOfEveryExample: the kinds of the Prometheus operator are its own, and all pods meet the strictest of
// the Pod Security Standards.
func TestTheAPIServerAcceptsEveryObjectOfEveryExample(t *testing.T) {
	c := apiServer(t)
	withNamespaces(t, c, release, "argo", "etl", "batch", "workflows")
	for _, mode := range []string{"enforce", "warn"} { // pods are refused, of a Deployment it is said only
		kubectl(t, c, "label", "--overwrite", "namespace", release, "pod-security.kubernetes.io/"+mode+"=restricted")
	}
	install := func(file string) (string, error) {
		return helm(t, c, "install", release, chart, "--namespace", release, "--values", file, "--dry-run=server")
	}
	operated := filepath.Join(chart, "ci", "podmonitor-values.yaml")
	if _, err := install(operated); err == nil || !strings.Contains(err.Error(), "this cluster has no kind PodMonitor") {
		t.Errorf("without the Prometheus operator's kinds: %v", err)
	}
	for _, kind := range []string{"servicemonitors", "podmonitors", "prometheusrules"} {
		crd, err := os.ReadFile(filepath.Join(tools.CRDs(binaries.PrometheusOperator), "monitoring.coreos.com_"+kind+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Apply(t.Context(), "", string(crd)); err != nil {
			t.Fatal(err)
		}
		resource := schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: kind}
		await(t, kind+" to be served", func(ctx context.Context) error {
			_, err := c.Dynamic().Resource(resource).List(ctx, metav1.ListOptions{})
			return err
		})
	}
	for _, file := range examples(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if _, err := install(file); err != nil {
				t.Error(err)
			}
			text, err := template(t, "--values", file)
			if err != nil {
				t.Fatal(err)
			}
			kubectl := exec.CommandContext(t.Context(), c.Kubectl(), "--kubeconfig", c.Kubeconfig(cluster.Admin),
				"apply", "--server-side", "--force-conflicts", "--dry-run=server", "--filename=-")
			kubectl.Stdin = strings.NewReader(text)
			out, err := kubectl.CombinedOutput()
			if want := len(objects(t, text)); err != nil || strings.Contains(string(out), "Warning:") || strings.Count(string(out), "(server dry run)") != want {
				t.Errorf("want %d objects accepted without a warning, got %v\n%s", want, err, out)
			}
		})
	}
}

func await(t *testing.T, what string, cond func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := cluster.Await(ctx, what, cond); err != nil {
		t.Fatal(err)
	}
}

// columns are what kubectl shows of CronAudits.
func columns(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	crd, err := c.Dynamic().Resource(crds).Get(t.Context(), v1alpha1.Resource.GroupResource().String(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	text, err := json.Marshal(versions)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// checksum is what has the pods of a release restart when it changes.
func checksum(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	d, err := c.Dynamic().Resource(deployments).Namespace(release).Get(t.Context(), release, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sum, _, _ := unstructured.NestedString(d.Object, "spec", "template", "metadata", "annotations", "checksum/config")
	return sum
}

func TestTheCRDIsUpgradedAndOutlivesTheRelease(t *testing.T) {
	c := apiServer(t)
	withNamespaces(t, c, release, "elsewhere", "argo")
	withoutCRD(t, c)
	newer := filepath.Join(t.TempDir(), "rollcall")
	if err := os.CopyFS(newer, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	const column = "CHANGED"
	change(t, filepath.Join(newer, "files", "crds", "rollcall.dev_cronaudits.yaml"),
		"  - additionalPrinterColumns:\n", "  - additionalPrinterColumns:\n    - jsonPath: .metadata.uid\n      name: "+column+"\n      type: string\n")

	mustHelm(t, c, "install", release, chart, "--namespace", release)
	before := checksum(t, c)
	await(t, "CronAudits to be served", func(ctx context.Context) error {
		audit := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "rollcall.dev/v1alpha1", "kind": "CronAudit", "metadata": map[string]any{"name": "nightly"}}}
		_, err := c.Dynamic().Resource(v1alpha1.Resource).Namespace(release).Create(ctx, audit, metav1.CreateOptions{})
		return err
	})

	mustHelm(t, c, "upgrade", release, newer, "--namespace", release, "--set", "config.max-parallel=5")
	if !strings.Contains(columns(t, c), column) {
		t.Error("an upgrade has not changed the CRD")
	}
	if checksum(t, c) == before {
		t.Error("a changed setting would not restart the pods")
	}

	mustHelm(t, c, "rollback", release, "1", "--namespace", release)
	if strings.Contains(columns(t, c), column) {
		t.Error("a rollback has not brought back the former CRD")
	}
	if checksum(t, c) != before {
		t.Error("a rollback has not brought back the former settings")
	}

	mustHelm(t, c, "uninstall", release, "--namespace", release)
	if _, err := c.Dynamic().Resource(v1alpha1.Resource).Namespace(release).Get(t.Context(), "nightly", metav1.GetOptions{}); err != nil {
		t.Errorf("the records have not outlived the release: %v", err)
	}
	if _, err := c.Dynamic().Resource(deployments).Namespace(release).Get(t.Context(), release, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the Deployment has outlived the release: %v", err)
	}

	mustHelm(t, c, "install", release, chart, "--namespace", release) // the same release takes it back
	mustHelm(t, c, "uninstall", release, "--namespace", release)
	if _, err := helm(t, c, "install", release, chart, "--namespace", "elsewhere"); err == nil || !strings.Contains(err.Error(), "invalid ownership metadata") {
		t.Errorf("a release elsewhere: %v", err)
	}
	mustHelm(t, c, "install", release, newer, "--namespace", "elsewhere", "--take-ownership")
	if !strings.Contains(columns(t, c), column) {
		t.Error("--take-ownership has not changed the CRD")
	}
	mustHelm(t, c, "uninstall", release, "--namespace", "elsewhere")
}

// change replaces one text in a file.
func change(t *testing.T, path, before, after string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(data), before) != 1 {
		t.Fatalf("%s is not once in %s", before, path)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), before, after, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}
