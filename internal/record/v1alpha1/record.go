package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Expression is a text out of a CronWorkflow's spec. It is never shortened: an epoch that does not fit is unknown.
//
// +kubebuilder:validation:MaxLength=4096
type Expression string

// SpecEpoch is a stretch of time, until the next one begins, in which the spec stayed the same.
type SpecEpoch struct {
	From metav1.MicroTime `json:"from"`
	// TracelessUntil is until when nobody watched the spec, and a field may have been removed from it without a trace, as with Argo's full
	// CRDs.
	//
	// +optional
	TracelessUntil *metav1.MicroTime `json:"tracelessUntil,omitempty"`
	// Unknown says that the spec of this stretch is not known, or too long for this record; the rest is then empty.
	//
	// +optional
	Unknown bool `json:"unknown,omitempty"`
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	// +optional
	Schedules []Expression `json:"schedules,omitempty"`
	// +optional
	Timezone Expression `json:"timezone,omitempty"`
	// +optional
	Suspend bool `json:"suspend,omitempty"`
	// +kubebuilder:validation:Enum=Allow;Forbid;Replace
	// +optional
	ConcurrencyPolicy string `json:"concurrencyPolicy,omitempty"`
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9000000000
	// +optional
	StartingDeadlineSeconds int64 `json:"startingDeadlineSeconds,omitempty"`
	// +optional
	When Expression `json:"when,omitempty"`
	// StopStrategy says that the spec has one.
	//
	// +optional
	StopStrategy bool `json:"stopStrategy,omitempty"`
}

// Record is what verdicts rest on and what cannot be read from the cluster any more.
type Record struct {
	// Runs are the firings that were seen to run.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	// +optional
	Runs []Run `json:"runs,omitempty"`
	// Recoveries are those of firings that are not in open.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	// +optional
	Recoveries []Recovery `json:"recoveries,omitempty"`
	// Moved are the values that Rollcall itself wrote to the CronWorkflow's status.lastScheduledTime.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	// +optional
	Moved []metav1.Time `json:"moved,omitempty"`
	// Active is how many runs the CronWorkflow's status.active held, each time that changed.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	// +optional
	Active []Active `json:"active,omitempty"`
	// SubmissionErrors are the times at which one first showed.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	// +optional
	SubmissionErrors []SubmissionError `json:"submissionErrors,omitempty"`
	// Stops are the times at which the CronWorkflow was seen stopped by its stopStrategy, and not stopped any more.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	// +optional
	Stops []Stop `json:"stops,omitempty"`
	// Coverage are the stretches in which Rollcall watched without a gap.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +optional
	Coverage []Stretch `json:"coverage,omitempty"`
	// Unseen are the stretches in which more runs ended than can be named.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=60
	// +optional
	Unseen []Stretch `json:"unseen,omitempty"`
	// Accounted is up to how many finished runs the CronWorkflow's status may count without one that nobody saw.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Accounted int64 `json:"accounted,omitempty"`
}

// Run is a firing that ran.
type Run struct {
	ScheduledTime metav1.Time `json:"scheduledTime"`
	// +optional
	CreatedAt metav1.Time `json:"createdAt,omitzero"`
	Verdict   RunVerdict  `json:"verdict"`
}

// RunVerdict is the verdict on a firing that ran.
//
// +kubebuilder:validation:Enum=OnTime;Late;Backfilled
type RunVerdict string

// Recovery is the attempt to bring a firing back.
type Recovery struct {
	ScheduledTime metav1.Time `json:"scheduledTime"`
	Attempts      `json:",inline"`
}

// Active is the length of status.active from At on.
type Active struct {
	At metav1.MicroTime `json:"at"`
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	Runs int64 `json:"runs"`
}

// SubmissionError is one that first showed at At.
type SubmissionError struct {
	At metav1.MicroTime `json:"at"`
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Message string `json:"message,omitempty"`
}

// Stop is the CronWorkflow seen to be stopped, or to be stopped no more.
type Stop struct {
	At      metav1.MicroTime `json:"at"`
	Stopped bool             `json:"stopped"`
}

// Stretch is the time from From to To, both included.
type Stretch struct {
	From metav1.MicroTime `json:"from"`
	To   metav1.MicroTime `json:"to"`
}
