//go:build linux

package node

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/cluster"
)

// ArgoNamespace is where InstallArgo puts Argo's controller.
const ArgoNamespace = "argo"

// argoManifest is a plain installation of the controller, which may do everything. There is no executor image: templates that
// need a pod do not run.
const argoManifest = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: argo, namespace: argo}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: argo}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: argo, namespace: argo}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: workflow-controller-configmap, namespace: argo}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: workflow-controller, namespace: argo, labels: {app: workflow-controller}}
spec:
  selector: {matchLabels: {app: workflow-controller}}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {app: workflow-controller}}
    spec:
      serviceAccountName: argo
      terminationGracePeriodSeconds: 5
      containers:
        - name: workflow-controller
          image: %s
          imagePullPolicy: Never
          args: [--executor-image=none:none]
          env:
            - {name: LEADER_ELECTION_IDENTITY, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: ZONEINFO, value: /zoneinfo.zip}
          readinessProbe: {httpGet: {path: /healthz, port: 6060}, periodSeconds: 2}
`

// InstallArgo runs a release of Argo's controller in the cluster, as the Deployment argo/workflow-controller, and waits until it
// leads. Scaling it to 0 is an outage. For a cluster that was started WithoutArgo.
func (n *Node) InstallArgo(ctx context.Context, release binaries.Binary) error {
	paths, err := binaries.Ensure(ctx, nil, release)
	if err != nil {
		return err
	}
	root, err := goRoot(ctx)
	if err != nil {
		return err
	}
	ref := "rollcall.dev/test/" + string(release) + ":1"
	files := map[string]string{"/workflow-controller": paths.Exe(release), "/zoneinfo.zip": filepath.Join(root, "lib", "time", "zoneinfo.zip")}
	if err := n.importFiles(ctx, ref, []string{"/workflow-controller"}, files); err != nil {
		return err
	}
	if err := n.CreateNamespace(ctx, ArgoNamespace); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	if err := n.Apply(ctx, ArgoNamespace, fmt.Sprintf(argoManifest, ref)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return cluster.Await(ctx, "Argo's controller to lead", func(ctx context.Context) error {
		lease, err := n.Dynamic().Resource(cluster.Leases).Namespace(ArgoNamespace).Get(ctx, "workflow-controller", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if holder, _, _ := unstructured.NestedString(lease.Object, "spec", "holderIdentity"); holder == "" {
			return fmt.Errorf("nobody holds its lease")
		}
		return nil
	})
}
