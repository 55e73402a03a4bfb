// Package events tells people of what happens to a CronWorkflow by Kubernetes Events, which `kubectl describe cronworkflow` and
// `kubectl get events` show.
//
// The Events are of core/v1. Both commands read that API, and it lets a message be changed: events.k8s.io/v1, which shows the
// same objects, refuses a change of anything but the series (ValidateEventUpdate in Kubernetes' pkg/apis/core/validation). An
// outage loses many firings of a CronWorkflow, and one Event whose message goes on ("… (12 since 04:29)") tells that better than
// twelve do.
//
// Recorder takes news without ever blocking (recorder.go) and posts them in an order and at a pace that an API server can take
// (post.go). Events are for people and may be lost: nothing is decided by them, and what the API server does not take after a
// few times is dropped and logged.
//
// The package knows the API server's Events and, of Argo, the name of the kind. It judges nothing, and which firing an Event is
// about it knows only as text.
package events
