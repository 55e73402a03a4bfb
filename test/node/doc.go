// Package node raises a cluster with a node, so that pods run: what package cluster starts, and kube-controller-manager,
// kube-scheduler, containerd, kubelet and kube-proxy beside it, all on this machine and without a container engine.
//
// It takes the machine's network for its own and listens on all interfaces: call isolate.Enter first. Of Debian it needs the
// packages of ForNode; images come from image.Image values or tar files (Node.Import), since nothing can be pulled.
// There is no DNS in the cluster: pods reach each other by address.
//
// The package must not know Rollcall.
package node
