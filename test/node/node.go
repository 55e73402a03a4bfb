//go:build linux

package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/process"
)

// Name is the node's, and Address its bridge's, under which pods reach the API server and everything else on this machine.
const (
	Name    = "node1"
	Address = "10.244.0.1"
)

// Options for Start.
type Options struct {
	// Cluster is what to start below it. NodeAddress and Users are added to.
	Cluster cluster.Options
	// Dir is a folder with a short path, on a file system that overlays can lie on. Its base name is that of the node's control
	// groups.
	Dir string
}

// A Node is a cluster in which pods run.
type Node struct {
	*cluster.Cluster
	// Containerd and Kubelet may be stopped and started again by a test.
	Containerd, Kubelet *process.Process

	dir   string
	paths binaries.Paths
}

// users are whom the pieces of the node act as. What they may do comes with Kubernetes.
var users = []cluster.User{
	{Name: "system:kube-controller-manager"},
	{Name: "system:kube-scheduler"},
	{Name: "system:kube-proxy"},
	{Name: "system:node:" + Name, Groups: []string{"system:nodes"}},
}

// Start starts a cluster with a node and waits until that is ready: once built, some 20 s. On error nothing is left running.
func Start(ctx context.Context, o Options) (*Node, error) {
	if err := ForNode.Missing(); err != nil {
		return nil, err
	}
	paths, err := binaries.Ensure(ctx, o.Cluster.Progress, binaries.Node()...)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := makeNetwork(ctx, o.Dir); err != nil {
		return nil, err
	}
	o.Cluster.NodeAddress = Address
	o.Cluster.Users = append(users, o.Cluster.Users...)
	o.Cluster.Dir = o.Dir
	c, err := cluster.Start(ctx, o.Cluster)
	if err != nil {
		return nil, err
	}
	n := &Node{Cluster: c, dir: filepath.Join(o.Dir, "node"), paths: paths}
	if err := n.start(ctx, filepath.Base(o.Dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("start node: %w", err), c.Stop())
	}
	if o.Cluster.Progress != nil {
		fmt.Fprintf(o.Cluster.Progress, "node: ready %s after the start of the cluster's first process\n", time.Since(begun).Round(100*time.Millisecond))
	}
	return n, nil
}

func (n *Node) start(ctx context.Context, groups string) error {
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return err
	}
	if err := n.startContainerd(ctx); err != nil {
		return err
	}
	if err := n.importPause(ctx); err != nil {
		return err
	}
	startKubelet := func(ctx context.Context) error { return n.startKubelet(ctx, groups) }
	// The proxy waits for the node's address, for half a minute if need be: it comes last.
	for _, start := range []func(context.Context) error{n.startControllers, n.startScheduler, startKubelet, n.startProxy} {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return n.awaitUsable(ctx)
}

// The kinds of which a node's readiness can be told.
var (
	nodes           = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	serviceAccounts = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
)

// awaitUsable waits until a pod would be accepted and run.
func (n *Node) awaitUsable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := cluster.Await(ctx, "node "+Name+" to be ready", func(ctx context.Context) error {
		got, err := n.Dynamic().Resource(nodes).Get(ctx, Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if taints, _, _ := unstructured.NestedSlice(got.Object, "spec", "taints"); len(taints) > 0 {
			return fmt.Errorf("it has taints: %v", taints)
		}
		return cluster.ConditionTrue(got, "Ready")
	})
	if err != nil {
		return fmt.Errorf("%w; end of %s:\n%s", err, n.Kubelet.LogFile(), n.Kubelet.LogTail(20))
	}
	return cluster.Await(ctx, "the service account default", func(ctx context.Context) error {
		_, err := n.Dynamic().Resource(serviceAccounts).Namespace("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}
