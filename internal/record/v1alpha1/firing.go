package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Verdict says what became of one firing.
//
// +kubebuilder:validation:Enum=OnTime;Late;Backfilled;Pending;Missed;Expired;GaveUp;Skipped;Unknown
type Verdict string

// Word refines a verdict: its reason, or its cause.
//
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:Pattern=`^[A-Za-z]+$`
type Word string

// Evidence is a sentence of what a verdict rests on.
//
// +kubebuilder:validation:MaxLength=240
type Evidence string

// Totals counts firings by verdict. None is written as 0, for kubectl to show.
type Totals struct {
	// +kubebuilder:validation:Minimum=0
	// +optional
	OnTime int64 `json:"OnTime"`
	// +kubebuilder:validation:Minimum=0
	// +optional
	Late int64 `json:"Late"`
	// +kubebuilder:validation:Minimum=0
	// +optional
	Backfilled int64 `json:"Backfilled"`
	// +kubebuilder:validation:Minimum=0
	// +optional
	Pending int64 `json:"Pending"`
	// +kubebuilder:validation:Minimum=0
	// +optional
	Missed int64 `json:"Missed"`
	// +kubebuilder:validation:Minimum=0
	// +optional
	Expired int64 `json:"Expired"`
	// +kubebuilder:validation:Minimum=0
	// +optional
	GaveUp int64 `json:"GaveUp"`
	// +kubebuilder:validation:Minimum=0
	// +optional
	Skipped int64 `json:"Skipped"`
	// +kubebuilder:validation:Minimum=0
	// +optional
	Unknown int64 `json:"Unknown"`
}

// Firing is one scheduled time and what became of it.
type Firing struct {
	ScheduledTime metav1.Time `json:"scheduledTime"`
	Verdict       Verdict     `json:"verdict"`
	// +optional
	Reason Word `json:"reason,omitempty"`
	// Certainty says how sure it is that there was no run.
	//
	// +kubebuilder:validation:Enum=certain;likely
	// +optional
	Certainty string `json:"certainty,omitempty"`
	// Cause says why the firing was lost.
	//
	// +optional
	Cause Word `json:"cause,omitempty"`
	// CreatedAt is when its run was created.
	//
	// +optional
	CreatedAt metav1.Time `json:"createdAt,omitzero"`
	// Deadline is when it becomes too late for a run.
	//
	// +optional
	Deadline metav1.Time `json:"deadline,omitzero"`
	// Evidence is what the verdict rests on, shortened.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=3
	// +optional
	Evidence []Evidence `json:"evidence,omitempty"`
	// Recovery is how far its recovery has come; only in open.
	//
	// +optional
	Recovery *Attempts `json:"recovery,omitempty"`
}

// Attempts say how far a recovery has come.
type Attempts struct {
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	Attempts int64 `json:"attempts"`
	// LastError is what the last attempt ended with, shortened.
	//
	// +kubebuilder:validation:MaxLength=256
	// +optional
	LastError string `json:"lastError,omitempty"`
	// Ended is the reason for which the recovery was given up; without it, it goes on.
	//
	// +optional
	Ended Word `json:"ended,omitempty"`
}
