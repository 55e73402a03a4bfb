// Package record keeps what Rollcall knows of each CronWorkflow in a CronAudit beside it, so that a restart or a new leader goes
// on where the last one was: the conversion between auditor.State and the status of a CronAudit (StatusOf, StateOf), and the
// Store that reads and writes them. Read and Decode are for those who only want to know.
//
// # How it is written
//
// The Store replaces the whole status by an update that carries the resourceVersion it has last seen. A server-side apply
// would not do: with force it overwrites what another leader has just written, without it, it conflicts only over fields that
// another manager owns, and every Rollcall is the same manager. A record is one piece of knowledge, so it is replaced in one
// piece or not at all.
//
// # Two writers
//
// For a moment there may be two leaders. Each write counts status.revision up and says in status.writtenBy which process wrote.
// A Store whose update conflicts reads the CronAudit again. Where the revision is the one it knows, something else has changed
// (a label, an edit by hand) and it writes again; where the write is its own, whose answer was lost, it goes on from there; in
// every other case another Rollcall has written what this one has not read: then nothing is written, the error is ErrSuperseded,
// and all further writes of that record are refused until Reload or Load has read it. So older knowledge never replaces newer,
// whoever leads, and who acts on what it could not record is not told that it was recorded.
//
// # A CronWorkflow that is made again
//
// The record of a CronWorkflow that was deleted goes with it, when the garbage collector comes to it. Where one of the same name is
// made before that, its record is adopted: an update makes the new CronWorkflow the owner, and the next one replaces the status.
// In between, the record is of another CronWorkflow than its owner, and nobody relies on it. So the Store deletes nothing, and needs no
// permission to.
//
// # Losing it
//
// A record that is missing, broken or of a former CronWorkflow of the name loses history, never correctness: its CronWorkflow
// is judged like one that is seen for the first time.
//
// The package knows the API server, the kind CronAudit and the auditor's values. It does not know how they are judged, and of
// Argo only the reference to the owner.
package record
