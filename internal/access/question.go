package access

import (
	"fmt"
	"slices"
	"strings"

	authorization "k8s.io/api/authorization/v1"
)

// question is one permission in one namespace.
type question struct {
	permission int // in Permissions
	namespace  string
}

// questions are what is to be asked with these options, in the order of the permissions.
func (o Options) questions() []question {
	watched := o.Namespaces
	if len(watched) == 0 {
		watched = []string{""}
	}
	var all []question
	for i, p := range Permissions() {
		namespaces := watched
		switch {
		case p.Recovers && !o.Recovers:
			continue
		case p.Where == Argo:
			namespaces = []string{o.ArgoNamespace}
		case p.Where == Election && o.ElectionNamespace == "":
			continue
		case p.Where == Election:
			namespaces = []string{o.ElectionNamespace}
		case p.Where == Cluster:
			namespaces = []string{""}
		}
		for _, namespace := range namespaces {
			all = append(all, question{i, namespace})
		}
	}
	return all
}

// optional says whether a permission is one that many do without. Who watches some namespaces only mostly has no permissions
// outside of them, nor templates of the whole cluster.
func (o Options) optional(p Permission) bool {
	return p.Optional || p.Where == Cluster && len(o.Namespaces) > 0
}

// Names that Argo gives what its controller keeps (the defaults; LeaseName and ConfigMapName of its settings are rarely changed).
const (
	argoLease  = "workflow-controller"
	argoConfig = "workflow-controller-configmap"
)

func (o Options) name(p Permission) string {
	switch p.Name {
	case ArgoLease:
		if o.InstanceID != "" {
			return argoLease + "-" + o.InstanceID
		}
		return argoLease
	case ArgoConfig:
		return argoConfig
	case ElectionLease:
		return o.ElectionName
	}
	return ""
}

// attributes are the question in the words of the API server.
func (o Options) attributes(q question) *authorization.ResourceAttributes {
	p := Permissions()[q.permission]
	return &authorization.ResourceAttributes{
		Namespace: q.namespace, Verb: p.Verb, Group: p.Group, Resource: p.Resource, Subresource: p.Subresource, Name: o.name(p),
	}
}

// resource is what a permission is for, as the API server's errors and RBAC rules name it: cronaudits/status.
func (p Permission) resource() string {
	if p.Subresource != "" {
		return p.Resource + "/" + p.Subresource
	}
	return p.Resource
}

// in says in which namespaces; at most maxNamed are named.
func (p Permission) in(namespaces []string) string {
	switch {
	case p.Where == Cluster:
		return "in the cluster"
	case slices.Contains(namespaces, ""):
		return "in all namespaces"
	case len(namespaces) == 1:
		return "in namespace " + namespaces[0]
	case len(namespaces) > maxNamed:
		return fmt.Sprintf("in namespaces %s and %d more", strings.Join(namespaces[:maxNamed], ", "), len(namespaces)-maxNamed)
	}
	return "in namespaces " + strings.Join(namespaces, ", ")
}

const maxNamed = 10

// what is a permission in words: patch cronworkflows.argoproj.io.
func (o Options) what(p Permission) string {
	what := p.resource()
	if p.Group != "" {
		what += "." + p.Group
	}
	if p.Subresource != "" && p.Group != "" {
		what = p.Resource + "." + p.Group + "/" + p.Subresource
	}
	if name := o.name(p); name != "" {
		what += " " + name
	}
	return p.Verb + " " + what
}
