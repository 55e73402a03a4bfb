package chart

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/internal/record/v1alpha1"
	"rollcall.dev/rollcall/test/cluster"
)

// told is the one command of a document that begins and ends so, with the place of the chart as seen from here.
func told(t *testing.T, document, begin, end string) []string {
	t.Helper()
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, begin) && strings.HasSuffix(line, end) {
			found = append(found, strings.ReplaceAll(line, "charts/rollcall", chart))
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has not one command %s … %s: %q", document, begin, end, found)
	}
	return strings.Fields(found[0])
}

func kubectl(t *testing.T, c *cluster.Cluster, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), c.Kubectl(), append(args, "--kubeconfig", c.Kubeconfig(cluster.Admin))...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// withoutCRD has the cluster know no CronAudits, whoever installed them before.
func withoutCRD(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	name := v1alpha1.Resource.GroupResource().String()
	if err := c.Dynamic().Resource(crds).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	await(t, "the CRD to be gone", func(ctx context.Context) error {
		if _, err := c.Dynamic().Resource(crds).Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is there: %w", err)
		}
		return nil
	})
}

// TestWhatKubectlChangedIsTakenBackByWhatIsDocumented: Helm 4 applies server-side, and stops at what somebody else has set.
func TestWhatKubectlChangedIsTakenBackByWhatIsDocumented(t *testing.T) {
	c := apiServer(t)
	withNamespaces(t, c, release, "argo")
	withoutCRD(t, c)
	readme, runbooks := filepath.Join(chart, "README.md"), filepath.Join("..", "..", "docs", "runbooks")
	older := filepath.Join(t.TempDir(), "older.yaml")
	crd, err := os.ReadFile(filepath.Join(chart, "files", "crds", "rollcall.dev_cronaudits.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(older, crd, 0o600); err != nil {
		t.Fatal(err)
	}
	change(t, older, "  - additionalPrinterColumns:\n", "  - additionalPrinterColumns:\n    - jsonPath: .metadata.uid\n      name: FORMER\n      type: string\n")

	conflicts := func(t *testing.T, args ...string) {
		t.Helper()
		if _, err := helm(t, c, args...); err == nil || !strings.Contains(err.Error(), "conflict with") {
			t.Fatalf("helm %s would do too: %v", strings.Join(args, " "), err)
		}
	}
	kubectl(t, c, "apply", "--filename", older)
	conflicts(t, "install", release, chart, "--namespace", release, "--take-ownership")
	mustHelm(t, c, "uninstall", release, "--namespace", release) // Helm remembers the failure
	mustHelm(t, c, told(t, readme, "helm install", "--take-ownership --force-conflicts")[1:]...)
	mustHelm(t, c, "upgrade", release, chart, "--namespace", release) // so that there is something to roll back to
	if strings.Contains(columns(t, c), "FORMER") {
		t.Error("the older CRD is still there")
	}

	upgrade, rollback := "helm upgrade", "helm rollback"
	for name, of := range map[string]struct {
		change   []string // for kubectl
		what     []string // as kubectl get shows it
		document string
		begin    string
	}{
		"a role edited by hand": {
			[]string{"patch", "clusterrole", release, "--type=json", `--patch=[{"op": "remove", "path": "/rules/0"}]`},
			[]string{"clusterrole", release, "--output=jsonpath={.rules}"}, filepath.Join(runbooks, "RollcallPermissionDenied.md"), upgrade,
		},
		"an older CRD from kubectl": {
			[]string{"apply", "--filename", older},
			[]string{"crd", "cronaudits.rollcall.dev", "--output=jsonpath={.spec.versions}"}, filepath.Join(runbooks, "RollcallRecordNotWritten.md"), upgrade,
		},
		"a Deployment that was scaled": {
			[]string{"scale", "deployment", release, "--namespace", release, "--replicas=5"},
			[]string{"deployment", release, "--namespace", release, "--output=jsonpath={.spec.replicas}"}, readme, upgrade,
		},
		"another image, rolled back": {
			[]string{"set", "image", "deployment/" + release, "rollcall=example.com/other:1", "--namespace", release},
			[]string{"deployment", release, "--namespace", release, "--output=jsonpath={.spec.template.spec.containers[*].image}"},
			filepath.Join(runbooks, "RollcallDown.md"), rollback,
		},
	} {
		t.Run(name, func(t *testing.T) {
			get := append([]string{"get"}, of.what...)
			command := told(t, of.document, of.begin, "--force-conflicts")[1:]
			before := kubectl(t, c, get...)
			kubectl(t, c, of.change...)
			if kubectl(t, c, get...) == before {
				t.Fatal("kubectl has changed nothing")
			}
			conflicts(t, command[:len(command)-1]...)
			mustHelm(t, c, command...)
			if after := kubectl(t, c, get...); after != before {
				t.Errorf("want back\n%s\ngot\n%s", before, after)
			}
		})
	}
	mustHelm(t, c, "uninstall", release, "--namespace", release)
}

// TestWhatIsAppliedByTheClientNeedsNoForceAndRefusesIt: as Helm 4 goes on with what Helm 3 installed.
func TestWhatIsAppliedByTheClientNeedsNoForceAndRefusesIt(t *testing.T) {
	c := apiServer(t)
	withNamespaces(t, c, release, "argo")
	withoutCRD(t, c)
	mustHelm(t, c, "install", release, chart, "--namespace", release, "--server-side=false")
	rules := []string{"get", "clusterrole", release, "--output=jsonpath={.rules}"}
	before := kubectl(t, c, rules...)
	kubectl(t, c, "patch", "clusterrole", release, "--type=json", `--patch=[{"op": "remove", "path": "/rules/0"}]`)
	upgrade := []string{"upgrade", release, chart, "--namespace", release}
	if _, err := helm(t, c, append(upgrade, "--force-conflicts")...); err == nil || !strings.Contains(err.Error(), "forceConflicts enabled when serverSideApply disabled") {
		t.Errorf("with --force-conflicts: %v", err)
	}
	mustHelm(t, c, upgrade...)
	if after := kubectl(t, c, rules...); after != before {
		t.Errorf("want back\n%s\ngot\n%s", before, after)
	}
	mustHelm(t, c, "uninstall", release, "--namespace", release)
}
