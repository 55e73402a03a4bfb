// Package alert tells Alertmanager of what is lost or about to be, for those who want a page without Prometheus in between.
//
// It is a client of its own of one request of Alertmanager's v2 API, POST /api/v2/alerts: the four fields of wire (post.go)
// are all of it, and the upstream module would bring hundreds of packages for them.
//
// # Which alerts are one
//
// Alertmanager knows an alert by its labels, and whoever is paged has one thing to look at for each. So a CronWorkflow has at
// most one alert of a name at a time, and there is no label for the firing: sixty firings lost in an outage are one alert that
// says sixty, not sixty pages. Sender makes one of several (alert.go): it began when the first did, says what the newest says,
// and has their number in the annotation "firings". A firing that is lost while the alert rings changes its annotations and
// rings again by Alertmanager's repeat_interval only. Severity is "critical" for RollcallRunLost: a run is lost for good. It is "warning" for
// RollcallBackfillBlocked: what is blocked is tried again every minute until its deadline, and is lost only then. A label severity
// of the alert's own overrules it.
//
// # How long they last
//
// What fires is sent again every minute with an end a few minutes ahead, so that it ends by itself where Rollcall does. What
// fires no longer is resolved, and that is tried for an hour. Who is no longer the leader falls silent and resolves nothing
// (Clear): the next leader goes on under the same labels.
//
// The package knows Alertmanager and the auditor's Key. What deserves an alert it does not know.
package alert
