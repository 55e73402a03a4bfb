// Package binaries builds the real programs the tests run against: etcd,
// kube-apiserver, kubectl and Argo's workflow-controller; and the tools of the
// house, so that they are pinned too: linter, generator, Helm.
//
// Each folder beside this file that holds a go.mod is a module of its own. It
// pins one upstream release and everything that release is built from, so the
// programs come out of the Go module proxy, checked against go.sum, and the
// main module never inherits a Kubernetes or Argo dependency. What is built is
// kept in a cache outside the tree and rebuilt only when a pin, the Go version
// or a build flag changes.
//
// To add a release of Argo: copy argo-3.7 to a new folder, change the version
// in its go.mod, run `go mod tidy` there, and add one constant and one row to
// the table in recipe.go.
//
// The package knows how to build and where the results are. It must not know
// how they are run: that is package cluster.
package binaries
