package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kind is the kind of a CronAudit.
const Kind = "CronAudit"

// GroupVersion and Resource are where the API server serves CronAudits.
var (
	GroupVersion = schema.GroupVersion{Group: "rollcall.dev", Version: "v1alpha1"}
	Resource     = GroupVersion.WithResource("cronaudits")
)

// CronAudit is what Rollcall has recorded of the CronWorkflow of the same name and namespace, which owns it. Rollcall writes it;
// there is nothing in it to set. Deleting it loses history, never correctness.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=caudit
// +kubebuilder:printcolumn:name="LAST",type=string,JSONPath=`.status.summary.lastVerdict`,description="The verdict on the newest firing"
// +kubebuilder:printcolumn:name="MISSED",type=integer,JSONPath=`.status.summary.missed`,description="Firings that are missed and may still be recovered"
// +kubebuilder:printcolumn:name="LOST",type=integer,JSONPath=`.status.summary.lost`,description="Firings that were lost for good since the first look"
// +kubebuilder:printcolumn:name="BACKFILLED",type=integer,priority=1,JSONPath=`.status.totals.Backfilled`,description="Firings that Rollcall ran since the first look"
// +kubebuilder:printcolumn:name="UNKNOWN",type=integer,priority=1,JSONPath=`.status.totals.Unknown`,description="Firings that cannot be judged, since the first look"
// +kubebuilder:printcolumn:name="ROLL",type=string,JSONPath=`.status.summary.roll`,description="The verdicts on the last 20 firings, oldest first: . OnTime, L Late, b Backfilled, s Skipped, M Missed, E Expired, G GaveUp, ? Unknown"
// +kubebuilder:printcolumn:name="HEALTHY",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Healthy")].reason`,description="Why it is, or is not, healthy"
// +kubebuilder:printcolumn:name="AUDITED-THROUGH",type=date,JSONPath=`.status.auditedThrough`,description="How long ago: every firing until then has a verdict"
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type CronAudit struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// +optional
	Status CronAuditStatus `json:"status,omitzero"`
}

// CronAuditList is a list of CronAudits.
//
// +kubebuilder:object:root=true
type CronAuditList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []CronAudit `json:"items"`
}

// The most that a CronAudit holds; of more, the newest are kept. Lists are also bounded in bytes (record.StatusOf), so that a
// CronAudit is always smaller than MaxBytes as JSON.
const (
	MaxBytes         = 256 << 10
	MaxEpochs        = 20
	MaxSchedules     = 100
	MaxExpression    = 4096
	MaxOpen          = 300
	MaxUnsettled     = 200
	MaxUnconfirmed   = 1000
	MaxNotable       = 20
	MaxStrip         = 60
	MaxSeen          = 500 // runs, recoveries, moved, active, submission errors
	MaxStops         = 100
	MaxCoverage      = 20
	MaxUnseen        = 60
	MaxEvidence      = 3
	MaxEvidenceBytes = 240
	MaxErrorBytes    = 256
	// RollLength is how many verdicts the summary's roll shows.
	RollLength = 20
)

// CronAuditStatus is the record. Scheduled times are whole seconds; times of observation are kept to the microsecond. Lists are
// ascending in time.
type CronAuditStatus struct {
	// ObservedUID is the UID of the CronWorkflow that this is the record of.
	//
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ObservedUID string `json:"observedUID,omitempty"`
	// Revision is one more with every write, and WrittenBy is the process that wrote: with them a Rollcall notices that another
	// one has written what it has not read.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Revision int64 `json:"revision,omitempty"`
	// +kubebuilder:validation:MaxLength=320
	// +optional
	WrittenBy string `json:"writtenBy,omitempty"`
	// Summary says for people what the rest amounts to; nothing is read back from it.
	//
	// +optional
	Summary Summary `json:"summary,omitzero"`
	// Conditions are Healthy and Recovering.
	//
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// AuditedThrough is the scheduled time up to which every firing has a verdict that Totals counts, or is in Open, Unsettled or
	// Unconfirmed.
	//
	// +optional
	AuditedThrough metav1.Time `json:"auditedThrough,omitzero"`
	// Totals counts final verdicts since the first look.
	//
	// +optional
	Totals Totals `json:"totals,omitzero"`
	// Strip is one letter for each of the last 60 firings, oldest first: . OnTime, L Late, b Backfilled, _ Pending, s Skipped,
	// M Missed, E Expired, G GaveUp, ? Unknown.
	//
	// +kubebuilder:validation:MaxLength=60
	// +kubebuilder:validation:Pattern=`^[.Lb_sMEG?]*$`
	// +optional
	Strip string `json:"strip,omitempty"`
	// Open are the firings that are Missed: lost, and still to be recovered.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=300
	// +optional
	Open []Firing `json:"open,omitempty"`
	// Unsettled are the other firings whose verdict is not final yet: Argo may still start what was skipped, given up or could not
	// be judged.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=200
	// +optional
	Unsettled []Firing `json:"unsettled,omitempty"`
	// Unconfirmed are the scheduled times of firings that were found absent, which the API server has not confirmed yet.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1000
	// +optional
	Unconfirmed []metav1.Time `json:"unconfirmed,omitempty"`
	// Notable are the last firings that were anything but OnTime or Skipped, newest last.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +optional
	Notable []Firing `json:"notable,omitempty"`
	// SpecEpochs are the stretches of time in which the spec stayed the same, as far back as they are known.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +optional
	SpecEpochs []SpecEpoch `json:"specEpochs,omitempty"`
	// Record is what later verdicts rest on beside these.
	//
	// +optional
	Record Record `json:"record,omitzero"`
}

// Summary is what "kubectl get cronaudits" shows.
type Summary struct {
	// LastVerdict is the verdict on the newest firing.
	//
	// +optional
	LastVerdict Verdict `json:"lastVerdict,omitempty"`
	// Missed is how many firings are missed and may still be recovered.
	//
	// +kubebuilder:validation:Minimum=0
	Missed int32 `json:"missed"`
	// Lost is how many firings were lost for good (Expired, GaveUp) since the first look.
	//
	// +kubebuilder:validation:Minimum=0
	Lost int64 `json:"lost"`
	// Roll is the end of Strip.
	//
	// +kubebuilder:validation:MaxLength=20
	// +optional
	Roll string `json:"roll,omitempty"`
}

// Conditions of a CronAudit.
const (
	// Healthy is false while a firing is missed, or when the newest one was lost.
	Healthy = "Healthy"
	// Recovering is true while a missed firing is being brought back.
	Recovering = "Recovering"
)
