// Package fake is an API server for simulated time, and what Rollcall is wired to instead of the real one: it implements
// operator.Cluster, backfill.Submitter, operator.Records and operator.Leadership, so nothing is encoded and no connection is made.
//
// It has what goes wrong with a real one: resourceVersions and conflicts, watches that are late, break off, go silent or have to
// begin anew because what they want is compacted, requests that are refused, hang, are throttled, denied or carried out without
// an answer. What a state loses on its way through a CronAudit, it loses here: records go through internal/record's conversion.
//
// It must not know what Argo's controller does with objects (test/exam/model) nor what makes a world (test/exam/sim).
package fake
