package argo

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	group      = "argoproj.io"
	apiVersion = "argoproj.io/v1alpha1"

	labelCronWorkflow = "workflows.argoproj.io/cron-workflow"
	labelInstanceID   = "workflows.argoproj.io/controller-instanceid"
	labelCompleted    = "workflows.argoproj.io/completed"
	// labelCronCompleted is on a CronWorkflow whose stopStrategy has come true: Argo's controller then heeds no event on it
	// (isCompleted in workflow/cron/controller.go of v3.7.18).
	labelCronCompleted = "workflows.argoproj.io/cron-workflow-completed"
	labelPhase         = "workflows.argoproj.io/phase"

	annotationScheduledTime = "workflows.argoproj.io/scheduled-time"
	annotationLastSchedule  = "cronworkflows.argoproj.io/last-used-schedule"

	labelBackfilledBy  = "rollcall.dev/backfilled-by"
	annotationPrefix   = "rollcall.dev/"
	annotationReason   = "rollcall.dev/reason"
	annotationIntended = "rollcall.dev/intended"
	annotationTouched  = "rollcall.dev/touched"
	// Those that people give a CronWorkflow.
	annotationAudit    = "rollcall.dev/audit"
	annotationDeadline = "rollcall.dev/deadline"
	annotationGrace    = "rollcall.dev/grace"
	annotationCatchUp  = "rollcall.dev/catch-up"
	annotationBackfill = "rollcall.dev/backfill"

	// controllerManager is the field manager of what Argo's controller writes. The API server takes it from the user agent,
	// which starts with the name of the controller's binary: workflow-controller in every image and build of Argo's. A
	// controller whose binary was renamed is not recognised; its writes then say nothing, which costs a cause, not a verdict.
	controllerManager = "workflow-controller"
	// leaseName is Argo's leader election lease; with an instanceID, "-" and that follow.
	leaseName = "workflow-controller"
	// configName is Argo's default name for the ConfigMap with the controller's settings.
	configName = "workflow-controller-configmap"
	// nodeLeases is where each node has a lease, which it renews by its own clock.
	nodeLeases = "kube-node-lease"
	// defaultArgoNamespace is where Scope.ArgoNamespace is empty.
	defaultArgoNamespace = "argo"
)

var (
	cronWorkflows            = schema.GroupVersionResource{Group: group, Version: "v1alpha1", Resource: "cronworkflows"}
	workflows                = schema.GroupVersionResource{Group: group, Version: "v1alpha1", Resource: "workflows"}
	workflowTemplates        = schema.GroupVersionResource{Group: group, Version: "v1alpha1", Resource: "workflowtemplates"}
	clusterWorkflowTemplates = schema.GroupVersionResource{Group: group, Version: "v1alpha1", Resource: "clusterworkflowtemplates"}
	leases                   = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}
	configMaps               = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	namespaces               = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
)

// objectName names an object of a namespace, or of none.
type objectName struct{ namespace, name string }

func (n objectName) String() string {
	if n.namespace == "" {
		return n.name
	}
	return n.namespace + "/" + n.name
}

// cronOf returns the CronWorkflow after whose firing a Workflow is named: <cronworkflow>-<unix seconds>. Seconds before 1970
// have a sign, as the zero time has in Argo's slip <cronworkflow>--62135596800.
func cronOf(workflow string) (cron string, ok bool) {
	cut := strings.LastIndexByte(workflow, '-')
	if cut < 1 {
		return "", false
	}
	if workflow[cut-1] == '-' {
		cut--
	}
	seconds := workflow[cut+1:]
	n, err := strconv.ParseInt(seconds, 10, 64)
	if cut == 0 || err != nil || strconv.FormatInt(n, 10) != seconds {
		return "", false
	}
	return workflow[:cut], true
}

func leaseOf(instanceID string) string {
	if instanceID == "" {
		return leaseName
	}
	return leaseName + "-" + instanceID
}
