package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/cluster"
)

// permission is one verb of what Rollcall needs to be allowed, and what is left when it is taken away.
type permission struct {
	verb, group, resource string
	// in is where: "" in the namespace that is watched (where the lease of the election is too), "argo" in Argo's, "cluster" in none.
	in string
	// blind: nothing can be audited without it.
	blind bool
	// brings: what is lost is still brought back.
	brings bool
	// blocks: somebody has to act before what is lost can be brought back, and Rollcall makes no run meanwhile.
	blocks bool
	// optional: who watches single namespaces mostly lacks it, so that no metric tells.
	optional bool
}

func (p permission) user() string {
	return strings.ReplaceAll(fmt.Sprintf("without-%s-%s%s", p.verb, p.resource, map[bool]string{true: "-" + p.in}[p.in != ""]), "/", "-")
}

const argoproj, rollcallDev, coordination = "argoproj.io", "rollcall.dev", "coordination.k8s.io"

// permissions is written out here, so that whoever needs one more changes this too.
var permissions = []permission{
	{verb: "get", group: argoproj, resource: "cronworkflows"},
	{verb: "list", group: argoproj, resource: "cronworkflows", blind: true},
	{verb: "watch", group: argoproj, resource: "cronworkflows"},
	{verb: "patch", group: argoproj, resource: "cronworkflows", blocks: true},
	{verb: "get", group: argoproj, resource: "workflows"},
	{verb: "list", group: argoproj, resource: "workflows", blind: true},
	{verb: "watch", group: argoproj, resource: "workflows"},
	{verb: "create", group: argoproj, resource: "workflows", blocks: true},
	{verb: "get", group: argoproj, resource: "workflowtemplates", brings: true},
	{verb: "get", group: argoproj, resource: "clusterworkflowtemplates", in: "cluster", brings: true, optional: true},
	{verb: "get", resource: "configmaps", in: "argo"},
	{verb: "get", group: coordination, resource: "leases", in: "argo", brings: true},
	{verb: "get", group: rollcallDev, resource: "cronaudits"},
	{verb: "list", group: rollcallDev, resource: "cronaudits"},
	{verb: "create", group: rollcallDev, resource: "cronaudits", blocks: true},
	{verb: "update", group: rollcallDev, resource: "cronaudits", brings: true},
	{verb: "update", group: rollcallDev, resource: "cronaudits/status", blocks: true},
	{verb: "create", resource: "events", brings: true},
	{verb: "patch", resource: "events", brings: true},
	{verb: "get", group: coordination, resource: "leases", blind: true},
	{verb: "create", group: coordination, resource: "leases", blind: true},
	{verb: "update", group: coordination, resource: "leases", blind: true}, // enough to lead for seconds
}

// everything is a user who lacks nothing.
const everything = "rollcall"

// controllerUsers are those that replicas act as when they may not do all.
func controllerUsers() []cluster.User {
	users := []cluster.User{{Name: everything}}
	for _, p := range permissions {
		users = append(users, cluster.User{Name: p.user()})
	}
	return users
}

// allow lets a user do what Rollcall needs, but for one thing, and makes the replica act as this user.
func (s *scenario) allow(user string, but permission) {
	s.Helper()
	rules := map[string]string{}
	for _, p := range permissions {
		if p != but {
			rules[p.in] += fmt.Sprintf("- {apiGroups: [%q], resources: [%q], verbs: [%q]}\n", p.group, p.resource, p.verb)
		}
	}
	subject := fmt.Sprintf("subjects: [{kind: User, name: %s, apiGroup: rbac.authorization.k8s.io}]\n", user)
	for in, list := range rules {
		kind, namespace := "Role", map[string]string{"": s.namespace, "argo": s.argoNamespace()}[in]
		if in == "cluster" {
			kind = "ClusterRole"
		}
		s.must(shared.Apply(s.ctx, namespace, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: %[1]s
metadata: {name: %[2]s}
rules:
%[3]s---
apiVersion: rbac.authorization.k8s.io/v1
kind: %[1]sBinding
metadata: {name: %[2]s}
roleRef: {kind: %[1]s, name: %[2]s, apiGroup: rbac.authorization.k8s.io}
%[4]s`, kind, user, list, subject)))
	}
	s.kubeconfig = shared.Kubeconfig(user)
}

// TestAccess takes one permission at a time away.
func TestAccess(t *testing.T) {
	parts := map[string]part{"nothing missing": func(s *scenario, o *outage) { access(s, o, permission{brings: true}) }}
	for _, p := range permissions {
		parts[p.user()] = func(s *scenario, o *outage) { access(s, o, p) }
	}
	live(t, 1, parts)
}

func access(s *scenario, o *outage, missing permission) {
	user := everything
	if missing.verb != "" {
		user = missing.user()
	}
	s.allow(user, missing)
	s.create(cron{name: "tick", deadline: 600})
	r := s.started("one")
	if missing.verb != "" {
		if !missing.optional {
			r.awaitMetric(1, "rollcall_permission_denied", "verb="+missing.verb, "resource="+missing.resource)
		}
		r.await("its log to say so", func() error {
			if !r.said(missing.verb, missing.resource) {
				return fmt.Errorf("it does not name %s %s", missing.verb, missing.resource)
			}
			return nil
		})
	}
	release := s.hold(o)
	s.before(o)
	if missing.brings {
		s.awaitRun("tick", o.lost[0])
	}
	if missing.blocks {
		s.awaitEvent(r, "tick", "BackfillBlocked")
		r.awaitMetric(1, "rollcall_backfill_blocked", "cronworkflow=tick")
		s.expectUntouched("tick")
	}
	release()
	s.await(o.back)
	s.expectLive([]string{"tick"}, o.next) // whatever Rollcall lacks, Argo goes on

	s.sleepUntil(o.next.Add(35 * time.Second)) // a collection that may only be listed is listed every 20 s
	m := r.mustScrape()
	if got := m.verdicts("tick", "OnTime"); !missing.blind && got == 0 {
		s.Errorf("%s: no firing was found to be OnTime\n%s", user, r.LogTail(40))
	}
	if missing.verb == "" {
		for _, p := range permissions {
			if got, ok := m.value("rollcall_permission_denied", "verb="+p.verb, "resource="+p.resource); !p.optional && (!ok || got != 0) {
				s.Errorf("is %s of %s denied? %v (it is said: %t)", p.verb, p.resource, got, ok)
			}
		}
		m, rolls := s.finish(r, "tick")
		s.agreeWith(m, rolls["tick"])
		s.expectRoll(rolls["tick"], []time.Time{o.first, o.lost[0], o.next}, ".", "b", ".")
		return
	}
	r.end()
	if n := len(r.lines()); n > 400 {
		s.Errorf("its log has %d lines", n)
	}
}
