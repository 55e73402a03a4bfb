package chart

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbac "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/internal/access"
)

// grant is one thing that one may do, as a sentence: "etl: create workflows.argoproj.io".
func grant(namespace, verb, group, resource, name string) string {
	if namespace == "" {
		namespace = "everywhere"
	}
	what := resource
	if group != "" {
		what += "." + group
	}
	return strings.TrimSpace(fmt.Sprintf("%s: %s %s %s", namespace, verb, what, name))
}

// granted is what the rendered roles permit their ServiceAccount, sorted and each once.
func granted(t *testing.T, all []*unstructured.Unstructured) []string {
	t.Helper()
	rules := map[string][]rbac.PolicyRule{}
	for _, r := range ofKind[rbac.ClusterRole](t, all, "ClusterRole") {
		rules["/"+r.Name] = r.Rules
	}
	for _, r := range ofKind[rbac.Role](t, all, "Role") {
		rules[r.Namespace+"/"+r.Name] = r.Rules
	}
	var grants []string
	bound := func(namespace string, ref rbac.RoleRef, subjects []rbac.Subject) {
		if want := []rbac.Subject{{Kind: "ServiceAccount", Name: release, Namespace: release}}; cmp.Diff(want, subjects) != "" {
			t.Errorf("%s is bound to %v", ref.Name, subjects)
		}
		for _, rule := range rules[namespace+"/"+ref.Name] {
			names := rule.ResourceNames
			if len(names) == 0 {
				names = []string{""}
			}
			for _, verb := range rule.Verbs {
				for _, group := range rule.APIGroups {
					for _, resource := range rule.Resources {
						for _, name := range names {
							grants = append(grants, grant(namespace, verb, group, resource, name))
						}
					}
				}
			}
		}
	}
	for _, b := range ofKind[rbac.ClusterRoleBinding](t, all, "ClusterRoleBinding") {
		bound("", b.RoleRef, b.Subjects)
	}
	for _, b := range ofKind[rbac.RoleBinding](t, all, "RoleBinding") {
		bound(b.Namespace, b.RoleRef, b.Subjects)
	}
	slices.Sort(grants)
	return slices.Compact(grants)
}

// place is where the controller needs its permissions.
type place struct {
	watched                      []string // empty for the cluster
	argo, argoLease              string
	election, electionLease      string // empty for no Lease
	noRecoveries, noClusterRoles bool
}

// needed is what the controller asks for there.
func (p place) needed() []string {
	watched := p.watched
	if len(watched) == 0 {
		watched = []string{""}
	}
	names := map[access.Name]string{access.ArgoLease: p.argoLease, access.ArgoConfig: "workflow-controller-configmap", access.ElectionLease: p.electionLease}
	var grants []string
	for _, permission := range access.Permissions() {
		namespaces := map[access.Place][]string{access.Watched: watched, access.Argo: {p.argo}, access.Election: {p.election}, access.Cluster: {""}}[permission.Where]
		switch {
		case permission.Recovers && p.noRecoveries,
			permission.Where == access.Election && p.election == "",
			permission.Where == access.Cluster && p.noClusterRoles:
			continue
		}
		resource := permission.Resource
		if permission.Subresource != "" {
			resource += "/" + permission.Subresource
		}
		for _, namespace := range namespaces {
			grants = append(grants, grant(namespace, permission.Verb, permission.Group, resource, names[permission.Name]))
		}
	}
	slices.Sort(grants)
	return slices.Compact(grants)
}

func TestTheRolesPermitWhatTheControllerAsksForAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		place place
	}{
		"all namespaces": {nil, place{argo: "argo", argoLease: "workflow-controller", election: release, electionLease: "rollcall"}},
		"two namespaces, without any cluster role": {
			[]string{"--set", "config.namespace={etl,batch,etl}"},
			place{watched: []string{"etl", "batch"}, argo: "argo", argoLease: "workflow-controller", election: release, electionLease: "rollcall", noClusterRoles: true},
		},
		"two namespaces, and templates of the cluster": {
			[]string{"--set", "config.namespace={etl,batch},rbac.clusterWorkflowTemplates=true"},
			place{watched: []string{"etl", "batch"}, argo: "argo", argoLease: "workflow-controller", election: release, electionLease: "rollcall"},
		},
		"all namespaces, without templates of the cluster": {
			[]string{"--set", "rbac.clusterWorkflowTemplates=false"},
			place{argo: "argo", argoLease: "workflow-controller", election: release, electionLease: "rollcall", noClusterRoles: true},
		},
		"Argo's own namespace, watched": {
			[]string{"--set", "config.namespace={argo},config.leader-elect-namespace=argo"},
			place{watched: []string{"argo"}, argo: "argo", argoLease: "workflow-controller", election: "argo", electionLease: "rollcall", noClusterRoles: true},
		},
		"another Argo installation": {
			[]string{"--set", "config.instance-id=blue,config.argo-namespace=workflows,config.leader-elect-namespace=leases"},
			place{argo: "workflows", argoLease: "workflow-controller-blue", election: "leases", electionLease: "rollcall-blue"},
		},
		"a Lease of another name": {
			[]string{"--set", "config.instance-id=blue,config.leader-elect-name=roll"},
			place{argo: "argo", argoLease: "workflow-controller-blue", election: release, electionLease: "roll"},
		},
		"no Lease": {
			[]string{"--set", "config.leader-elect=false,replicas=1"},
			place{argo: "argo", argoLease: "workflow-controller"},
		},
		"no recoveries": {
			[]string{"--set", "config.backfill=dry-run,rbac.recoveries=false"},
			place{argo: "argo", argoLease: "workflow-controller", election: release, electionLease: "rollcall", noRecoveries: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := rendered(t, c.args...)
			if diff := cmp.Diff(c.place.needed(), granted(t, all)); diff != "" {
				t.Errorf("-asked for +permitted\n%s", diff)
			}
			if c.place.noClusterRoles && len(c.place.watched) > 0 {
				for _, o := range all {
					if strings.HasPrefix(o.GetKind(), "ClusterRole") {
						t.Errorf("there is a %s %s", o.GetKind(), o.GetName())
					}
				}
			}
		})
	}
}

func TestNoRoleHasAWildcardOrADelete(t *testing.T) {
	for _, file := range examples(t) {
		for _, g := range granted(t, rendered(t, "--values", file)) {
			for _, never := range []string{"*", "delete", "secrets"} {
				if strings.Contains(g, never) {
					t.Errorf("%s: %s", file, g)
				}
			}
		}
	}
}

func TestWithoutRBACThereAreNoRoles(t *testing.T) {
	for _, o := range rendered(t, "--set", "rbac.create=false") {
		if strings.Contains(o.GetKind(), "Role") {
			t.Errorf("there is a %s %s", o.GetKind(), o.GetName())
		}
	}
}
