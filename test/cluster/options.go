package cluster

import (
	"fmt"
	"io"
	"regexp"

	"rollcall.dev/rollcall/test/binaries"
)

// Admin is a user that may do anything; Nobody one without a single right of
// its own. Both exist in every cluster.
const (
	Admin  = "admin"
	Nobody = "nobody"
)

// DefaultNamespace is where an Argo controller lives unless told otherwise.
const DefaultNamespace = "argo"

// A User can authenticate to the API server. What it may do is for RBAC
// objects to say.
type User struct {
	Name   string
	Groups []string
}

// Options for Start. The zero value is a cluster with one Argo controller of
// the default release that serves all namespaces.
type Options struct {
	// Users beside Admin and Nobody.
	Users []User
	// FullCRDs applies Argo's CRDs with their whole schema; without it, the
	// minimal ones that a plain installation has. They take seconds longer.
	FullCRDs bool
	// WithoutArgo starts no controller. CRDs are there all the same.
	WithoutArgo bool
	// Argo configures the controller that Start starts. Its Release is also
	// where the CRDs come from, and the default for StartArgo.
	Argo ArgoOptions
	// NodeAddress is an address of this machine that pods reach; empty: there are
	// none. With it the API server listens on all interfaces, so this is for a
	// network namespace of its own, and it demands service accounts, which
	// kube-controller-manager makes (package node).
	NodeAddress string
	// APIServerArgs are added to kube-apiserver's command line.
	APIServerArgs []string
	// Dir is where the data folder is made; empty: the system's folder for
	// temporary files.
	Dir string
	// Keep leaves the data folder, with all logs, when the cluster stops.
	Keep bool
	// StopOnSignal ends the cluster on SIGINT and SIGTERM, removes its data and
	// then ends this process the way the signal would have. For a TestMain or
	// main that does not handle signals itself.
	StopOnSignal bool
	// Progress receives a line per step; nil: nowhere.
	Progress io.Writer
}

// ArgoOptions configure one Argo workflow-controller.
type ArgoOptions struct {
	// Release is which build to run; empty: binaries.Argo37.
	Release binaries.Binary
	// Namespace it lives in: its ConfigMap and its lease are there. Created if
	// it does not exist. Empty: DefaultNamespace.
	Namespace string
	// ManagedNamespace is the only namespace it serves; created if it does not
	// exist. Empty: it serves all of them.
	ManagedNamespace string
	// InstanceID makes it serve only objects with this instance label.
	InstanceID string
	// Identity it holds its lease under; empty: "<Namespace>-argo". A
	// controller that comes back under the same identity leads at once, one
	// with another waits until the lease has run out, up to 15 s.
	Identity string
	// NoLease turns leader election off, as Argo's Helm chart does for a single
	// replica.
	NoLease bool
	// Config is added to the data of its ConfigMap.
	Config map[string]string
	// Env is added to its environment, "name=value".
	Env []string
	// Args are added to its command line.
	Args []string
	// Kubeconfig is its way to the API server, for one through a proxy; empty:
	// directly, as Admin.
	Kubeconfig string
}

func (o ArgoOptions) withDefaults(release binaries.Binary) ArgoOptions {
	if o.Release == "" {
		o.Release = release
	}
	if o.Release == "" {
		o.Release = binaries.Argo37
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.Identity == "" {
		o.Identity = o.Namespace + "-argo"
	}
	return o
}

// lease is the name of the Lease the controller holds.
func (o ArgoOptions) lease() string {
	if o.InstanceID != "" {
		return "workflow-controller-" + o.InstanceID
	}
	return "workflow-controller"
}

// userName is stricter than Kubernetes: the names also become file names and
// fields of a CSV file.
var userName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.:@_-]*$`)

func (o Options) users() ([]User, error) {
	users := []User{{Name: Admin, Groups: []string{"system:masters"}}, {Name: Nobody}}
	seen := map[string]bool{Admin: true, Nobody: true}
	for _, u := range o.Users {
		switch {
		case !userName.MatchString(u.Name):
			return nil, fmt.Errorf("cluster: Options.Users: name %q does not match %s", u.Name, userName)
		case seen[u.Name]:
			return nil, fmt.Errorf("cluster: Options.Users: %q is there twice (%s and %s always exist)", u.Name, Admin, Nobody)
		}
		seen[u.Name] = true
		users = append(users, u)
	}
	return users, nil
}
