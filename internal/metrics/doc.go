// Package metrics shows what the controller knows as Prometheus metrics, all those of Rollcall but the counters that
// backfill.Executor keeps itself. docs/metrics.md lists them all, and a test holds it to what is registered.
//
// Metrics is one collector. The series of a CronWorkflow (series.go) come and go together: they exist, the counters at 0, from
// the moment it is known, and are gone when it is forgotten. What concerns the controller as a whole is in controller.go.
//
// A timestamp that there is not is no series, never 0: rules compare timestamps with the present time, and 0 would be a firing
// that has been missed since 1970.
//
// The package knows the auditor's values and Prometheus. It has no clock, judges nothing and knows no client.
package metrics
