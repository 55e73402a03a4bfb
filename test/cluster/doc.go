// Package cluster starts a real Kubernetes control plane for tests: etcd,
// kube-apiserver and any number of Argo workflow-controllers, as processes on
// 127.0.0.1 and without a container engine.
//
//	c, err := cluster.Start(ctx, cluster.Options{Progress: os.Stderr})
//	...
//	defer c.Stop()
//
// # What it is and what it is not
//
// There are no nodes (package node adds one): nothing runs a Pod, so a Workflow finishes only if it
// needs none, like a template with `suspend: {duration: "1s"}`. There is no
// kube-controller-manager: a deleted namespace stays in Terminating, objects
// whose owner is deleted stay, and a ResourceQuota needs Cluster.Quota to take
// effect. RBAC is on. ServiceAccount admission is off.
//
// # Outages
//
// Every piece can be stopped, killed, paused and started again with the same
// data and ports. An outage of the API server or of etcd hits everything in the
// cluster; to give one scenario an outage of its own, give it its own Argo
// controller (StartArgo) and its own way to the API server (package proxy).
//
// # Lifetime
//
// No process outlives the one that called Start, however that ends (see package
// process). The data folder is removed by Stop, and one that a killed process
// left behind by a later Start.
//
// The package knows Kubernetes and Argo. It must not know Rollcall.
package cluster
