// Package install tries the chart as those do who install it: with helm and kubectl, on a node that runs the pods, beside an Argo
// controller in a pod, a Prometheus and two Alertmanagers.
//
// Its tests are behind the build tag node: they need root and packages of Debian's. `make test-node` runs them.
package install
