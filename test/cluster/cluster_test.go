package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/process"
	"rollcall.dev/rollcall/test/cluster/proxy"
)

// Three seconds on an idle machine; the tests of other packages are built and run beside this one.
func TestAClusterIsUpInUnderHalfAMinute(t *testing.T) {
	if took := shared.SetUpTime(); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestTheAPIServerAndKubectlReportThePinnedVersion(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), shared.Kubectl(), "--kubeconfig", shared.Kubeconfig(cluster.Admin), "version", "-o", "json").Output()
	check(t, err)
	var v struct {
		ClientVersion, ServerVersion struct{ GitVersion, Major, Minor string }
	}
	check(t, json.Unmarshal(out, &v))
	if v.ServerVersion != v.ClientVersion || v.ServerVersion.GitVersion != "v1.36.3" || v.ServerVersion.Major != "1" || v.ServerVersion.Minor != "36" {
		t.Errorf("kubectl version: %+v", v)
	}
}

func TestAScheduleFires(t *testing.T) {
	t.Parallel()
	ctx := within(t, 90*time.Second)
	_, err := shared.StartArgo(ctx, cluster.ArgoOptions{Namespace: "fires-argo", ManagedNamespace: "fires"})
	check(t, err)
	check(t, shared.Apply(ctx, "fires", everyMinute("tick")))
	awaitPhase(ctx, t, shared, "fires", "tick-", "Succeeded")
}

func TestAPausedControllerFiresNothingAndAResumedOneDoes(t *testing.T) {
	t.Parallel()
	ctx := within(t, 90*time.Second)
	a, err := shared.StartArgo(ctx, cluster.ArgoOptions{Namespace: "paused-argo", ManagedNamespace: "paused"})
	check(t, err)
	check(t, a.Pause())
	workflows := shared.Dynamic().Resource(cluster.Workflows).Namespace("paused")
	_, err = workflows.Create(ctx, workflow("once"), metav1.CreateOptions{})
	check(t, err)
	// Nothing can be polled for: it is the absence of a reaction that counts.
	time.Sleep(2 * time.Second)
	if got, err := phases(ctx, shared, "paused"); err != nil || got["once"] != "" {
		t.Errorf("with the controller paused: %v, %v", got, err)
	}
	check(t, a.Resume())
	awaitPhase(ctx, t, shared, "paused", "once", "Succeeded")
}

func TestControllersServeOnlyTheirOwnNamespace(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	left, err := shared.StartArgo(ctx, cluster.ArgoOptions{Namespace: "left-argo", ManagedNamespace: "left"})
	check(t, err)
	_, err = shared.StartArgo(ctx, cluster.ArgoOptions{Namespace: "right-argo", ManagedNamespace: "right"})
	check(t, err)
	check(t, left.Kill())
	for _, ns := range []string{"left", "right"} {
		_, err := shared.Dynamic().Resource(cluster.Workflows).Namespace(ns).Create(ctx, workflow("once"), metav1.CreateOptions{})
		check(t, err)
	}
	awaitPhase(ctx, t, shared, "right", "once", "Succeeded")
	if got, err := phases(ctx, shared, "left"); err != nil || got["once"] != "" {
		t.Errorf("in the namespace without a controller: %v, %v", got, err)
	}
	check(t, left.Start(ctx))
	awaitPhase(ctx, t, shared, "left", "once", "Succeeded")
}

func TestAControllerWithAnInstanceIDHoldsALeaseNamedAfterIt(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	a, err := shared.StartArgo(ctx, cluster.ArgoOptions{Namespace: "instance-argo", ManagedNamespace: "instance", InstanceID: "blue", Identity: "blue-0"})
	check(t, err)
	lease, err := shared.Dynamic().Resource(cluster.Leases).Namespace("instance-argo").Get(ctx, "workflow-controller-blue", metav1.GetOptions{})
	check(t, err)
	if holder := lease.Object["spec"].(map[string]any)["holderIdentity"]; holder != "blue-0" {
		t.Errorf("held by %v", holder)
	}
	check(t, a.Stop())
}

func TestAControllerWithoutALeaseLeads(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	_, err := shared.StartArgo(ctx, cluster.ArgoOptions{Namespace: "single-argo", ManagedNamespace: "single", NoLease: true})
	check(t, err)
	_, err = shared.Dynamic().Resource(cluster.Workflows).Namespace("single").Create(ctx, workflow("once"), metav1.CreateOptions{})
	check(t, err)
	awaitPhase(ctx, t, shared, "single", "once", "Succeeded")
	leases, err := shared.Dynamic().Resource(cluster.Leases).Namespace("single-argo").List(ctx, metav1.ListOptions{})
	check(t, err)
	if len(leases.Items) > 0 {
		t.Errorf("there are leases: %v", leases.Items)
	}
}

func TestUsersHaveTheRightsRBACGivesThemAndNobodyHasNone(t *testing.T) {
	t.Parallel()
	ctx := within(t, 30*time.Second)
	check(t, shared.CreateNamespace(ctx, "rights"))
	check(t, shared.Apply(ctx, "rights", `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: list}
rules: [{apiGroups: [argoproj.io], resources: [workflows], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: list}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: list}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: reader}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: writers}
`))
	list := func(ctx context.Context, user string) error {
		client, err := dynamic.NewForConfig(shared.RESTConfig(user))
		check(t, err)
		_, err = client.Resource(cluster.Workflows).Namespace("rights").List(ctx, metav1.ListOptions{})
		return err
	}
	for _, user := range []string{"reader", "writer"} {
		// The authorizer learns of the binding by a watch.
		check(t, cluster.Await(ctx, user+" to be let in", func(ctx context.Context) error { return list(ctx, user) }))
	}
	if err := list(ctx, cluster.Nobody); !apierrors.IsForbidden(err) {
		t.Errorf("%s lists Workflows: %v", cluster.Nobody, err)
	}
	if err := list(ctx, "stranger"); !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
		t.Errorf("a user that is not in the options lists Workflows: %v", err)
	}
}

func TestAQuotaOnWorkflowsIsEnforced(t *testing.T) {
	t.Parallel()
	ctx := within(t, 30*time.Second)
	check(t, shared.CreateNamespace(ctx, "quota"))
	check(t, shared.Quota(ctx, "quota", "runs", "count/workflows.argoproj.io", 2, 0))
	workflows := shared.Dynamic().Resource(cluster.Workflows).Namespace("quota")
	created := 0
	err := cluster.Await(ctx, "the quota to refuse a create", func(ctx context.Context) error {
		_, err := workflows.Create(ctx, workflow(fmt.Sprintf("run-%d", created)), metav1.CreateOptions{})
		if apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota: runs") {
			return nil
		}
		if err == nil {
			created++
		}
		return fmt.Errorf("created %d, then %w", created, err)
	})
	check(t, err)
	if created != 2 {
		t.Errorf("%d creates went through, want 2", created)
	}
	check(t, shared.Quota(ctx, "quota", "runs", "count/workflows.argoproj.io", 3, 2))
	check(t, cluster.Await(ctx, "the raised quota to let one through", func(ctx context.Context) error {
		_, err := workflows.Create(ctx, workflow("run-raised"), metav1.CreateOptions{})
		return err
	}))
}

func TestAWriteWhoseAnswerIsLostWasCarriedOut(t *testing.T) {
	t.Parallel()
	ctx := within(t, 30*time.Second)
	check(t, shared.CreateNamespace(ctx, "lost"))
	p, err := shared.Proxy(cluster.Admin)
	check(t, err)
	p.Add(proxy.Rule{When: proxy.On(http.MethodPost, `/namespaces/lost/workflows$`), Times: 1, Do: proxy.LoseAnswer()})
	client, err := dynamic.NewForConfig(p.RESTConfig())
	check(t, err)
	workflows := client.Resource(cluster.Workflows).Namespace("lost")

	if _, err = workflows.Create(ctx, workflow("once"), metav1.CreateOptions{}); err == nil {
		t.Error("the client got an answer")
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		t.Errorf("the client got an answer: %v", err)
	}
	if _, err := workflows.Create(ctx, workflow("once"), metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("the second create: %v, want AlreadyExists", err)
	}
	posts := p.Requests(proxy.Writes)
	if len(posts) != 2 || posts[0].Upstream != http.StatusCreated || posts[1].Upstream != http.StatusConflict {
		t.Errorf("the proxy saw %+v", posts)
	}

	out, err := exec.CommandContext(ctx, shared.Kubectl(), "--kubeconfig", p.Kubeconfig(), "-n", "lost", "get", "workflow", "-o", "name").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "workflow.argoproj.io/once" {
		t.Errorf("kubectl through the proxy: %v: %s", err, out)
	}
}

func TestAnAPIServerAndAnEtcdComeBackWithTheirData(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	c, err := cluster.Start(ctx, cluster.Options{FullCRDs: true, WithoutArgo: true, Dir: t.TempDir(), Progress: t.Output()})
	check(t, err)
	t.Cleanup(func() { check(t, c.Stop()) })
	workflows := c.Dynamic().Resource(cluster.Workflows).Namespace("default")
	_, err = workflows.Create(ctx, workflow("kept"), metav1.CreateOptions{})
	check(t, err)
	awaitKept := func() {
		t.Helper()
		check(t, cluster.Await(ctx, "Workflow kept", func(ctx context.Context) error {
			_, err := workflows.Get(ctx, "kept", metav1.GetOptions{})
			return err
		}))
	}

	check(t, c.APIServer.Kill())
	if _, err := phases(ctx, c, "default"); err == nil {
		t.Error("an API server that was killed answers")
	}
	check(t, c.APIServer.Start(ctx))
	awaitKept()

	check(t, c.Etcd.Stop())
	check(t, c.Etcd.Start(ctx))
	awaitKept()
}

func TestAfterStopNothingIsLeft(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	c, err := cluster.Start(ctx, cluster.Options{Dir: t.TempDir()})
	check(t, err)
	p, err := c.Proxy(cluster.Admin)
	check(t, err)
	sleeper, err := c.Process(process.Spec{Name: "sleeper", Path: "/bin/sleep", Args: []string{"1000"}})
	check(t, err)
	check(t, sleeper.Start(ctx))
	check(t, c.Argo.Pause()) // a paused process ends too
	pids := c.Pids()
	if len(pids) != 4 {
		t.Fatalf("%d processes run, want etcd, kube-apiserver, argo and the sleeper", len(pids))
	}
	check(t, c.Stop())
	for _, pid := range pids {
		if exists(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	if _, err := os.Stat(c.DataDir()); !os.IsNotExist(err) {
		t.Errorf("the data folder is left: %v", err)
	}
	if err := c.APIServer.Start(ctx); err == nil {
		t.Error("a part of a stopped cluster was started again")
	}
	if conn, err := net.Dial("tcp", strings.TrimPrefix(p.RESTConfig().Host, "https://")); err == nil {
		conn.Close()
		t.Error("the proxy is left")
	}
	check(t, c.Stop())
}

func TestStartRefusesUsersItCannotTellApart(t *testing.T) {
	for name, users := range map[string][]cluster.User{
		"a reserved name":             {{Name: cluster.Admin}},
		"the same name twice":         {{Name: "a"}, {Name: "a"}},
		"a name that is no file name": {{Name: "../a"}},
		"no name":                     {{}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := cluster.Start(t.Context(), cluster.Options{Users: users}); err == nil || !strings.Contains(err.Error(), "Options.Users") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEveryReleaseOfArgoRunsAWorkflow(t *testing.T) {
	t.Parallel()
	for _, release := range []binaries.Binary{binaries.Argo36, binaries.Argo37, binaries.Argo40} {
		t.Run(string(release), func(t *testing.T) {
			t.Parallel()
			ctx := within(t, 10*time.Minute) // it may have to be built
			ns := strings.ReplaceAll(string(release), ".", "-")
			_, err := shared.StartArgo(ctx, cluster.ArgoOptions{Release: release, Namespace: ns + "-argo", ManagedNamespace: ns})
			check(t, err)
			_, err = shared.Dynamic().Resource(cluster.Workflows).Namespace(ns).Create(ctx, workflow("once"), metav1.CreateOptions{})
			check(t, err)
			awaitPhase(ctx, t, shared, ns, "once", "Succeeded")
		})
	}
}
