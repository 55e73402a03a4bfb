package binaries

import (
	"fmt"
	"maps"
	"slices"
)

// A Binary names one program at one pinned release.
type Binary string

// What can be built. A name without a number exists once; of Argo there is one
// per release line.
const (
	Etcd          Binary = "etcd"
	KubeAPIServer Binary = "kube-apiserver"
	Kubectl       Binary = "kubectl"
	Argo36        Binary = "argo-3.6"
	Argo37        Binary = "argo-3.7"
	Argo40        Binary = "argo-4.0"
	// These make a node of the machine, together with Debian's containerd.
	KubeControllerManager Binary = "kube-controller-manager"
	KubeScheduler         Binary = "kube-scheduler"
	Kubelet               Binary = "kubelet"
	KubeProxy             Binary = "kube-proxy"
	// Promtool is not part of a cluster either: it checks the alerting rules, and tries them.
	Promtool Binary = "promtool"
	// GolangciLint is not part of a cluster; it is built here so that the linter is pinned and cached like the rest.
	GolangciLint Binary = "golangci-lint"
	// ControllerGen neither: it writes the CustomResourceDefinition and the deep copies of Rollcall's own kind (make generate).
	ControllerGen Binary = "controller-gen"
	// Helm renders and installs the chart, HelmUnittest runs the chart's own tests, HelmDocs writes its README.
	Helm         Binary = "helm"
	HelmUnittest Binary = "helm-unittest"
	HelmDocs     Binary = "helm-docs"
	// CycloneDX neither: it lists what the program in the container image is made of (make image).
	CycloneDX Binary = "cyclonedx-gomod"
	// PrometheusOperator is there for its CRDs; the program is the smallest that makes a module of them.
	PrometheusOperator Binary = "prometheus-operator"
)

// All is every program of a cluster, in the order in which they are best built: what is
// quick, and what most tests need, first.
func All() []Binary { return []Binary{Etcd, KubeAPIServer, Argo37, Kubectl, Argo36, Argo40} }

// Node is what a node needs beside All.
func Node() []Binary { return []Binary{KubeControllerManager, KubeScheduler, Kubelet, KubeProxy} }

// Chart is what the tests of the chart and its alerts need beside All.
func Chart() []Binary { return []Binary{Helm, HelmUnittest, HelmDocs, PrometheusOperator, Promtool} }

// recipe says how one Binary is made. The release itself stands in the
// module's go.mod only; ldflags that carry it get it from there.
type recipe struct {
	folder  string                        // of the pinning module, below this package
	module  string                        // the upstream module, whose version is the release
	pkg     string                        // the main package
	exe     string                        // name of the executable
	stamp   func(version string) []string // -ldflags beyond the common ones; may be nil
	tags    []string                      // build tags
	crdsDir string                        // folder of the upstream module kept beside the executable as "crds"
}

var recipes = map[Binary]recipe{
	Etcd:                  {folder: "etcd", module: "go.etcd.io/etcd/server/v3", pkg: "go.etcd.io/etcd/server/v3", exe: "etcd"},
	KubeAPIServer:         kubernetes("kube-apiserver"),
	Kubectl:               kubernetes("kubectl"),
	KubeControllerManager: kubernetes("kube-controller-manager"),
	KubeScheduler:         kubernetes("kube-scheduler"),
	Kubelet:               kubernetes("kubelet"),
	KubeProxy:             kubernetes("kube-proxy"),
	GolangciLint:          {folder: "golangci-lint", module: "github.com/golangci/golangci-lint/v2", pkg: "github.com/golangci/golangci-lint/v2/cmd/golangci-lint", exe: "golangci-lint", stamp: lintStamp},
	ControllerGen:         {folder: "controller-gen", module: "sigs.k8s.io/controller-tools", pkg: "sigs.k8s.io/controller-tools/cmd/controller-gen", exe: "controller-gen", stamp: controllerGenStamp},
	Helm:                  {folder: "helm", module: "helm.sh/helm/v4", pkg: "helm.sh/helm/v4/cmd/helm", exe: "helm", stamp: helmStamp},
	HelmUnittest:          {folder: "helm-unittest", module: "github.com/helm-unittest/helm-unittest", pkg: "github.com/helm-unittest/helm-unittest/cmd/helm-unittest", exe: "helm-unittest"},
	HelmDocs:              {folder: "helm-docs", module: "github.com/norwoodj/helm-docs", pkg: "github.com/norwoodj/helm-docs/cmd/helm-docs", exe: "helm-docs", stamp: lintStamp},
	CycloneDX:             {folder: "cyclonedx-gomod", module: "github.com/CycloneDX/cyclonedx-gomod", pkg: "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod", exe: "cyclonedx-gomod"},
	PrometheusOperator:    {folder: "prometheus-operator", module: "github.com/prometheus-operator/prometheus-operator", pkg: "github.com/prometheus-operator/prometheus-operator/cmd/po-rule-migration", exe: "po-rule-migration", crdsDir: "example/prometheus-operator-crd"},
	Promtool:              promtool(),
	Argo36:                argo("argo-3.6", "github.com/argoproj/argo-workflows/v3"),
	Argo37:                argo("argo-3.7", "github.com/argoproj/argo-workflows/v3"),
	Argo40:                argo("argo-4.0", "github.com/argoproj/argo-workflows/v4"),
}

func kubernetes(program string) recipe {
	return recipe{folder: "kubernetes", module: "k8s.io/kubernetes", pkg: "k8s.io/kubernetes/cmd/" + program, exe: program, stamp: kubernetesStamp}
}

func argo(folder, module string) recipe {
	return recipe{
		folder: folder, module: module, pkg: module + "/cmd/workflow-controller", exe: "workflow-controller",
		stamp:   func(version string) []string { return []string{"-X", module + ".version=" + version} },
		crdsDir: "manifests/base/crds",
	}
}

// promtool leaves out the service discovery of a dozen clouds, which would take most of the time that it takes to build.
func promtool() recipe {
	return recipe{
		folder: "prometheus", module: "github.com/prometheus/prometheus", pkg: "github.com/prometheus/prometheus/cmd/promtool", exe: "promtool",
		tags: []string{"remove_all_sd", "enable_kubernetes_sd"},
	}
}

// kubernetesStamp gives Kubernetes its version: unstamped, the API server
// reports v0.0.0-master+$Format, and clients that gate on a minor refuse it.
func kubernetesStamp(version string) []string {
	const pkg = "k8s.io/component-base/version."
	var major, minor int
	if _, err := fmt.Sscanf(version, "v%d.%d.", &major, &minor); err != nil {
		return nil // a pseudo-version: better unstamped than wrong
	}
	return []string{
		"-X", pkg + "gitVersion=" + version,
		"-X", fmt.Sprintf("%sgitMajor=%d", pkg, major),
		"-X", fmt.Sprintf("%sgitMinor=%d", pkg, minor),
		"-X", pkg + "gitTreeState=clean",
	}
}

func lintStamp(version string) []string {
	return []string{"-X", "main.version=" + version}
}

// controllerGenStamp: it writes its version into what it generates.
func controllerGenStamp(version string) []string {
	return []string{"-X", "sigs.k8s.io/controller-tools/pkg/version.version=" + version}
}

// helmStamp gives Helm its whole version: unstamped, it knows only the minor.
func helmStamp(version string) []string {
	return []string{"-X", "helm.sh/helm/v4/internal/version.version=" + version}
}

func lookUp(b Binary) (recipe, error) {
	r, ok := recipes[b]
	if !ok {
		return recipe{}, fmt.Errorf("binaries: no recipe for %q, have %v", b, slices.Sorted(maps.Keys(recipes)))
	}
	return r, nil
}
