package access

// Permission is something that the controller asks of the API server.
type Permission struct {
	Verb     string
	Group    string
	Resource string
	// Subresource is such as "status"; empty for the object itself.
	Subresource string
	// Where is in which namespaces it is needed.
	Where Place
	// Name is the only object that it is needed for; empty for all.
	Name Name
	// For says what it is for, as the end of "to …".
	For string
	// Without is a sentence about what happens where it is missing.
	Without string
	// Recovers says that it is needed only to recover firings.
	Recovers bool
	// Optional says that many clusters do without it: where it is missing, that is said, but it is no fault.
	Optional bool
}

// Place is a kind of namespace.
type Place int

const (
	// Watched: the namespaces whose CronWorkflows are watched.
	Watched Place = iota
	// Argo: where Argo's controller keeps its lease and settings.
	Argo
	// Election: where the Lease of leader election is.
	Election
	// Cluster: in none.
	Cluster
)

// Name is a kind of name.
type Name int

const (
	// Any: all objects.
	Any Name = iota
	// ArgoLease and ArgoConfig are what Argo's controller keeps, ElectionLease is the one of leader election.
	ArgoLease
	ArgoConfig
	ElectionLease
)

const (
	argoGroup     = "argoproj.io"
	rollcallGroup = "rollcall.dev"
	leaseGroup    = "coordination.k8s.io"
)

// Permissions are all that the controller asks of the API server for, beside its version.
func Permissions() []Permission {
	const (
		notSeen     = "CronWorkflows there are not audited."
		noRuns      = "Nothing there can be judged: what ran cannot be told from what did not."
		noRecovery  = "Missed firings are recorded and reported, and not recovered."
		noRecord    = "What was found out about firings is lost at a restart, and nothing is recovered before it is on record."
		noRetention = "The template may make Argo delete runs, so the absence of a run is never certain for CronWorkflows that refer to one, and their firings are not recovered."
		noLeader    = "No replica leads, so nothing is judged or recovered."
	)
	return []Permission{
		{Verb: "get", Group: argoGroup, Resource: "cronworkflows", For: "look at a CronWorkflow just before anything is done about it",
			Without: "Missed firings are not recovered, and what may have been deleted meanwhile stays unsettled."},
		{Verb: "list", Group: argoGroup, Resource: "cronworkflows", For: "know the CronWorkflows", Without: notSeen},
		{Verb: "watch", Group: argoGroup, Resource: "cronworkflows", For: "hear of changes of CronWorkflows", Without: "They are listed every 20 s instead, which costs the API server more, and what changes twice in between is not seen."},
		{Verb: "patch", Group: argoGroup, Resource: "cronworkflows", Recovers: true, For: "tell Argo of recovered runs",
			Without: "A recovery ends after its first run, and Argo, which does not get to know of that, may leave the schedule standing still after its next restart."},
		{Verb: "get", Group: argoGroup, Resource: "workflows", For: "look once more before a firing is called missed", Without: "No firing is called missed, so none is recovered or raises an alert."},
		{Verb: "list", Group: argoGroup, Resource: "workflows", For: "know the runs", Without: noRuns},
		{Verb: "watch", Group: argoGroup, Resource: "workflows", For: "hear of runs", Without: "They are listed every 20 s instead, which costs the API server more, and runs that come and go in between are not seen."},
		{Verb: "create", Group: argoGroup, Resource: "workflows", Recovers: true, For: "run what was missed", Without: noRecovery},
		{Verb: "update", Group: argoGroup, Resource: "cronworkflows", Subresource: "finalizers", Recovers: true, Optional: true,
			For: "have CronWorkflows own recovered runs where the API server checks that (OwnerReferencesPermissionEnforcement, as on OpenShift)", Without: "Where it does, missed firings are not recovered."},
		{Verb: "get", Group: argoGroup, Resource: "workflowtemplates", For: "know how long the runs of CronWorkflows with a workflowTemplateRef are kept", Without: noRetention},
		{Verb: "get", Group: argoGroup, Resource: "clusterworkflowtemplates", Where: Cluster, For: "know how long the runs of CronWorkflows with a workflowTemplateRef are kept", Without: noRetention},
		{Verb: "get", Resource: "configmaps", Where: Argo, Name: ArgoConfig, For: "know how long Argo keeps runs by default",
			Without: "Its workflowDefaults may make Argo delete runs, so the absence of a run is certain only where Rollcall watched all the time."},
		{Verb: "get", Group: leaseGroup, Resource: "leases", Where: Argo, Name: ArgoLease, For: "know whether Argo's controller is alive",
			Without: "That is judged by what it writes, which tells less about the cause of a loss."},
		{Verb: "get", Group: rollcallGroup, Resource: "cronaudits", For: "write on top of what is on record", Without: noRecord},
		{Verb: "list", Group: rollcallGroup, Resource: "cronaudits", For: "go on from what is on record", Without: noRecord},
		{Verb: "create", Group: rollcallGroup, Resource: "cronaudits", For: "begin a record", Without: noRecord},
		{Verb: "update", Group: rollcallGroup, Resource: "cronaudits", For: "adopt the record of a CronWorkflow that was deleted and made again",
			Without: "The record of such a CronWorkflow is not written, and nothing is recovered for it, until the garbage collector has deleted the old one."},
		{Verb: "update", Group: rollcallGroup, Resource: "cronaudits", Subresource: "status", For: "write the record", Without: noRecord},
		{Verb: "create", Resource: "events", For: "tell of firings in Events", Without: "There are no Events on CronWorkflows."},
		{Verb: "patch", Resource: "events", For: "carry Events on", Without: "What goes on for a while has one Event for its beginning only."},
		{Verb: "get", Group: leaseGroup, Resource: "leases", Where: Election, Name: ElectionLease, For: "elect a leader", Without: noLeader},
		// Which name an object gets is not known to the API server when it decides on a create.
		{Verb: "create", Group: leaseGroup, Resource: "leases", Where: Election, For: "elect a leader", Without: "No replica leads until the Lease exists, so nothing is judged or recovered."},
		{Verb: "update", Group: leaseGroup, Resource: "leases", Where: Election, Name: ElectionLease, For: "elect a leader", Without: noLeader},
	}
}
