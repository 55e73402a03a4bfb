// Package v1alpha1 is the kind CronAudit of the group rollcall.dev: what Rollcall has recorded of one CronWorkflow.
//
// The CustomResourceDefinition in charts/rollcall/files/crds and the deep copies are generated from these types: after a change run
// "make generate". Since the CustomResourceDefinition in a cluster may be of another release than the Rollcall that runs there, a schema
// must go on accepting what a newer one writes: only sets that are closed by design (verdicts, concurrency policies) are
// enumerated, reasons and causes are not.
//
// The package knows Kubernetes' metadata and nothing of how a record is judged or stored.
//
// +kubebuilder:object:generate=true
// +groupName=rollcall.dev
// +versionName=v1alpha1
package v1alpha1
