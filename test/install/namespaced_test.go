//go:build node

package install

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// team is a namespace with a CronWorkflow that fires every minute and may start late.
const team = `
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s}
---
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: export, namespace: %[1]s}
spec:
  schedules: ["* * * * *"]
  timezone: UTC
  startingDeadlineSeconds: 600
  successfulJobsHistoryLimit: 20
  workflowSpec: {entrypoint: main, templates: [{name: main, suspend: {duration: "1s"}}]}
`

// question is what `kubectl auth can-i` is asked: a verb, a resource with the name of an object where that matters, a namespace.
type question struct{ verb, resource, namespace string }

func TestANamespacedInstallationSeesAndTouchesItsNamespacesOnly(t *testing.T) {
	s := begin(t, 8*time.Minute)
	for _, namespace := range []string{"team-a", "team-b", "team-c"} {
		s.apply(fmt.Sprintf(team, namespace))
		s.Cleanup(func() { s.forget(namespace) })
	}
	s.installed("teams", "teams")
	s.helm("install", "teams", chart, "--namespace", "teams", "--create-namespace", "--set", "config.namespace={team-a,team-b}",
		"--set", "config.grace=10s", "--wait", "--timeout", "60s")

	if roles := s.kubectl("get", "clusterroles,clusterrolebindings", "-l", "app.kubernetes.io/instance=teams", "-o", "name"); roles != "" {
		s.Errorf("it has roles in the whole cluster: %s", roles)
	}
	s.expectPermissions("system:serviceaccount:teams:teams-rollcall")

	s.awaitLive("team-a", "export")
	s.awaitLive("team-c", "export")
	lost := s.outage(1)[0]
	for _, namespace := range []string{"team-a", "team-b"} {
		s.await("the recovery in "+namespace, time.Minute, func() error { return s.madeByController(namespace, "export", lost) })
		s.must(s.recorded(namespace, "export"))
	}
	s.until(lost.Add(30 * time.Second)) // three times its grace
	if run, err := s.workflow("team-c", "export", lost); err == nil {
		s.Errorf("it made %s in a namespace that is not its own", run.GetName())
	}
	if left := s.kubectl("-n", "team-c", "get", "cronaudits", "-o", "name") + s.kubectl("-n", "team-c", "get", "events", "--field-selector", "source=rollcall", "-o", "name"); left != "" {
		s.Errorf("it left %s in a namespace that is not its own", left)
	}
	// What it says it lacks is the one thing that only a ClusterRole could give, and what that means.
	lacks := 0
	for line := range strings.Lines(s.kubectl("-n", "teams", "logs", "-l", "app.kubernetes.io/component=controller", "--tail=-1")) {
		if strings.Contains(line, "orbidden") || strings.Contains(line, "not permitted") {
			lacks++
			if !hasAll(line, []string{"not permitted to get clusterworkflowtemplates.argoproj.io", "never certain"}) {
				s.Errorf("it lacks a permission: %s", line)
			}
		}
	}
	if lacks != 2 {
		s.Errorf("that it lacks a permission is said %d times, want once by each replica", lacks)
	}
}

// expectPermissions holds every verb that there is on every resource of interest against what a namespaced installation needs.
func (s *scenario) expectPermissions(account string) {
	s.Helper()
	needs := map[question]bool{}
	need := func(namespace, resource string, verbs ...string) {
		for _, verb := range verbs {
			needs[question{verb, resource, namespace}] = true
		}
	}
	for _, own := range []string{"team-a", "team-b"} {
		need(own, "cronworkflows.argoproj.io", "get", "list", "watch", "patch")
		need(own, "cronworkflows.argoproj.io/finalizers", "update")
		need(own, "workflows.argoproj.io", "get", "list", "watch", "create")
		need(own, "workflowtemplates.argoproj.io", "get")
		need(own, "cronaudits.rollcall.dev", "get", "list", "create", "update")
		need(own, "cronaudits.rollcall.dev/status", "update")
		need(own, "events", "create", "patch")
	}
	need("argo", "leases.coordination.k8s.io/workflow-controller", "get")
	need("argo", "configmaps/workflow-controller-configmap", "get")
	need("teams", "leases.coordination.k8s.io/rollcall", "get", "update")
	// Which name an object gets is not known when a create is decided on.
	for _, lease := range []string{"", "/rollcall", "/workflow-controller"} {
		need("teams", "leases.coordination.k8s.io"+lease, "create")
	}

	resources := []string{
		"cronworkflows.argoproj.io", "cronworkflows.argoproj.io/finalizers", "workflows.argoproj.io", "workflowtemplates.argoproj.io",
		"clusterworkflowtemplates.argoproj.io", "cronaudits.rollcall.dev", "cronaudits.rollcall.dev/status", "events",
		"leases.coordination.k8s.io", "leases.coordination.k8s.io/workflow-controller", "leases.coordination.k8s.io/rollcall",
		"configmaps", "configmaps/workflow-controller-configmap", "secrets", "pods", "pods/exec", "serviceaccounts",
		"roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io", "nodes", "namespaces",
		"customresourcedefinitions.apiextensions.k8s.io",
	}
	asked := 0
	for _, namespace := range []string{"team-a", "team-b", "team-c", "argo", "teams", "kube-system", "default"} {
		for _, resource := range resources {
			for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"} {
				q := question{verb, resource, namespace}
				got, err := s.mayI(account, q)
				s.must(err)
				asked++
				if got != needs[q] {
					s.Errorf("may it %s %s in %s? %t, want %t", verb, resource, namespace, got, needs[q])
				}
			}
		}
	}
	// And as a user would ask.
	for _, ask := range []struct {
		what string
		want string
	}{
		{"create workflows.argoproj.io -n team-a", "yes"}, {"create workflows.argoproj.io -n team-c", "no"},
		{"patch cronworkflows.argoproj.io -n team-b", "yes"}, {"delete cronworkflows.argoproj.io -n team-b", "no"},
		{"delete workflows.argoproj.io -n team-a", "no"}, {"delete cronaudits.rollcall.dev -n team-a", "no"},
		{"get secrets -n teams", "no"}, {"list namespaces", "no"}, {"* * -n team-a", "no"},
	} {
		out, _ := s.try(shared.Kubectl(), append(strings.Fields("auth can-i --as "+account), strings.Fields(ask.what)...)...) // no ends with 1
		if got := strings.TrimSpace(out); got != ask.want {
			s.Errorf("kubectl auth can-i %s: %q, want %s", ask.what, got, ask.want)
		}
	}
	s.Logf("%d permissions asked for, %d of them given", asked, len(needs))
}
