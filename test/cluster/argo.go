package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/cluster/internal/loopback"
	"rollcall.dev/rollcall/test/cluster/process"
)

// What a test most often asks for.
var (
	CronWorkflows = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "cronworkflows"}
	Workflows     = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "workflows"}
	Namespaces    = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	ConfigMaps    = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	Leases        = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}
)

// An Argo is one workflow-controller. As a Process it can be stopped, killed,
// paused and started again; Start waits until it leads.
//
// One that could not renew its lease for 10 s, because the API server was away,
// ends of its own accord, as it does in production. There the kubelet starts it
// again; here that is for the test to do.
type Argo struct {
	*process.Process
	// Options it runs with, defaults filled in.
	Options ArgoOptions
}

// StartArgo starts a workflow-controller and waits until it leads. Several can
// run in one cluster if they differ in ManagedNamespace (or InstanceID) and in
// Namespace, where the lease and the configuration are. The namespaces are
// created if they do not exist, the ConfigMap is written from the options. Mind
// the one that Start starts unless told WithoutArgo: without a ManagedNamespace
// it serves what the others serve.
func (c *Cluster) StartArgo(ctx context.Context, o ArgoOptions) (*Argo, error) {
	o = o.withDefaults(c.options.Argo.Release)
	paths, err := binaries.Ensure(ctx, c.options.Progress, o.Release)
	if err != nil {
		return nil, fmt.Errorf("start argo: %w", err)
	}
	for _, ns := range []string{o.Namespace, o.ManagedNamespace} {
		if ns == "" {
			continue
		}
		if err := c.CreateNamespace(ctx, ns); err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, fmt.Errorf("start argo: %w", err)
		}
	}
	if err := c.writeArgoConfig(ctx, o); err != nil {
		return nil, fmt.Errorf("start argo: %w", err)
	}
	kubeconfig := o.Kubeconfig
	if kubeconfig == "" {
		kubeconfig = c.Kubeconfig(Admin)
	}
	args := []string{"--kubeconfig=" + kubeconfig, "--namespace=" + o.Namespace, "--executor-image=none:none"}
	if o.ManagedNamespace != "" {
		args = append(args, "--namespaced", "--managed-namespace="+o.ManagedNamespace)
	}
	env := []string{"LEADER_ELECTION_IDENTITY=" + o.Identity}
	if o.NoLease {
		env = append(env, "LEADER_ELECTION_DISABLE=true")
	}
	a := &Argo{Options: o}
	a.Process, err = c.Process(process.Spec{
		Name: "argo-" + o.Identity,
		Path: paths.Exe(o.Release),
		Args: append(args, o.Args...),
		Env:  append(env, o.Env...),
		Ready: func(ctx context.Context, started time.Time) error {
			if o.NoLease {
				return saidItLeads(a.Process)
			}
			return c.holdsLease(ctx, o, started)
		},
		ReadyWithin: time.Minute, // another holder's lease runs out after 15 s
		StopWithin:  5 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	_ = shutArgoOut()
	if err := a.Start(ctx); err != nil {
		return nil, err
	}
	return a, nil
}

// writeArgoConfig writes the controller's ConfigMap. Metrics are off unless the
// caller configures them: all controllers would listen on the same port, and
// the one that cannot does not live on.
func (c *Cluster) writeArgoConfig(ctx context.Context, o ArgoOptions) error {
	data := map[string]any{"metricsConfig": "enabled: false\n"}
	if o.InstanceID != "" {
		data["instanceID"] = o.InstanceID
	}
	for k, v := range o.Config {
		data[k] = v
	}
	cm := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "workflow-controller-configmap", "namespace": o.Namespace},
		"data":     data,
	}}
	_, err := c.dynamic.Resource(ConfigMaps).Namespace(o.Namespace).Apply(ctx, cm.GetName(), cm, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	if err != nil {
		return fmt.Errorf("apply ConfigMap %s/%s: %w", o.Namespace, cm.GetName(), err)
	}
	return nil
}

// holdsLease returns nil if the controller has renewed its lease since it
// started.
func (c *Cluster) holdsLease(ctx context.Context, o ArgoOptions, started time.Time) error {
	lease, err := c.dynamic.Resource(Leases).Namespace(o.Namespace).Get(ctx, o.lease(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	holder, _, _ := unstructured.NestedString(lease.Object, "spec", "holderIdentity")
	renewed, _, _ := unstructured.NestedString(lease.Object, "spec", "renewTime")
	at, err := time.Parse(time.RFC3339Nano, renewed)
	if err != nil {
		return fmt.Errorf("lease %s/%s: renewTime: %w", o.Namespace, o.lease(), err)
	}
	if holder != o.Identity || at.Before(started.Truncate(time.Microsecond)) {
		return fmt.Errorf("lease %s/%s is held by %q since %s, not by %q", o.Namespace, o.lease(), holder, renewed, o.Identity)
	}
	return nil
}

func saidItLeads(p *process.Process) error {
	log, err := p.Log()
	if err != nil {
		return err
	}
	if !strings.Contains(log, "starting leading") {
		return errors.New(`its log does not say "starting leading" yet`)
	}
	return nil
}

// shutArgoOut takes port 6060 on the loopback interface for as long as this
// process lives. Every Argo controller wants to serve its health there, on all
// interfaces and with no way to say otherwise, and carries on when it cannot.
// A test must not open a port to the network, and the first controller should
// not differ from the rest. If somebody else has the port, so much the better.
var shutArgoOut = sync.OnceValue(func() net.Listener { // a listener nobody keeps is closed
	l, err := net.Listen("tcp", loopback.Addr(6060))
	if err != nil {
		return nil
	}
	return l
})
