//go:build linux

package node

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/process"
)

// run starts one of Kubernetes' programs and waits until it answers at a URL.
func (n *Node) run(ctx context.Context, b binaries.Binary, health string, args ...string) (*process.Process, error) {
	p, err := n.Process(process.Spec{
		Name: string(b), Path: n.paths.Exe(b), Args: args, StopWithin: 5 * time.Second, ReadyWithin: time.Minute,
		Ready: func(ctx context.Context, _ time.Time) error {
			return cluster.AskOK(ctx, http.DefaultClient, health, "")
		},
	})
	if err != nil {
		return nil, err
	}
	return p, p.Start(ctx)
}

// write writes a configuration file of one of Kubernetes' programs.
func (n *Node) write(name, format string, args ...any) (string, error) {
	path := filepath.Join(n.dir, name)
	return path, os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o644)
}

func (n *Node) startControllers(ctx context.Context) error {
	// It serves TLS only: without a check of who asks, its port would be no secret either. That it works shows in the service
	// accounts that it makes.
	p, err := n.Process(process.Spec{
		Name: "kube-controller-manager", Path: n.paths.Exe(binaries.KubeControllerManager), StopWithin: 5 * time.Second,
		Args: []string{
			"--kubeconfig=" + n.Kubeconfig("system:kube-controller-manager"),
			"--service-account-private-key-file=" + n.ServiceAccountKey(), "--root-ca-file=" + n.CA(),
			"--use-service-account-credentials=true", "--leader-elect=false", "--bind-address=127.0.0.1",
			"--cert-dir=" + filepath.Join(n.dir, "controllers"),
		},
	})
	if err != nil {
		return err
	}
	return p.Start(ctx)
}

func (n *Node) startScheduler(ctx context.Context) error {
	p, err := n.Process(process.Spec{
		Name: "kube-scheduler", Path: n.paths.Exe(binaries.KubeScheduler), StopWithin: 5 * time.Second,
		Args: []string{
			"--kubeconfig=" + n.Kubeconfig("system:kube-scheduler"), "--leader-elect=false", "--bind-address=127.0.0.1",
			"--authentication-kubeconfig=", "--authorization-kubeconfig=", "--cert-dir=" + filepath.Join(n.dir, "scheduler"),
		},
	})
	if err != nil {
		return err
	}
	return p.Start(ctx)
}

const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
bindAddress: %[1]s
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
hostnameOverride: %[2]s
clusterCIDR: 10.244.0.0/24
conntrack: {maxPerCore: 0, min: 0}
clientConnection: {kubeconfig: %[3]q}
`

func (n *Node) startProxy(ctx context.Context) error {
	config, err := n.write("proxy.yaml", proxyConfig, Address, Name, n.Kubeconfig("system:kube-proxy"))
	if err != nil {
		return err
	}
	// Its /healthz asks for the node, which is not there yet.
	_, err = n.run(ctx, binaries.KubeProxy, "http://127.0.0.1:10249/healthz", "--config="+config)
	return err
}

// kubeletConfig: nothing is evicted, whatever the disk and the memory of the machine; who asks the kubelet is not checked, since
// nobody outside of this network can.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://%[1]s
cgroupDriver: cgroupfs
cgroupRoot: /%[2]s
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
evictionHard: {memory.available: 1Mi, nodefs.available: 0%%, nodefs.inodesFree: 0%%, imagefs.available: 0%%, imagefs.inodesFree: 0%%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
localStorageCapacityIsolation: false
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
registerNode: true
healthzBindAddress: 127.0.0.1
healthzPort: 10248
nodeStatusUpdateFrequency: 5s
volumePluginDir: %[3]q
shutdownGracePeriod: 0s
resolvConf: ""
`

func (n *Node) startKubelet(ctx context.Context, groups string) error {
	if err := makeGroups(groups); err != nil {
		return err
	}
	config, err := n.write("kubelet.yaml", kubeletConfig, n.Socket(), groups, filepath.Join(n.dir, "volume-plugins"))
	if err != nil {
		return err
	}
	n.Kubelet, err = n.run(ctx, binaries.Kubelet, "http://127.0.0.1:10248/healthz",
		"--config="+config, "--kubeconfig="+n.Kubeconfig("system:node:"+Name), "--root-dir="+filepath.Join(n.dir, "kubelet"),
		"--cert-dir="+filepath.Join(n.dir, "kubelet-certs"), "--node-ip="+Address, "--hostname-override="+Name)
	return err
}

// makeGroups makes the control groups below which the kubelet puts those of pods: one in each hierarchy of version 1, or the one
// of version 2.
func makeGroups(name string) error {
	hierarchies, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	if err != nil {
		return err
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		hierarchies = []string{"/sys/fs/cgroup/cgroup.procs"}
	}
	if len(hierarchies) == 0 {
		return fmt.Errorf("there are no control groups below /sys/fs/cgroup")
	}
	for _, procs := range hierarchies {
		group := filepath.Join(filepath.Dir(procs), name)
		if err := os.MkdirAll(group, 0o755); err != nil {
			return fmt.Errorf("make control group: %w", err)
		}
	}
	return nil
}
