// Package e2e holds scenarios that only the real thing can decide: the rollcall binary against a real kube-apiserver and real
// Argo controllers.
//
// Schedules fire at minutes at the finest, so the scenarios wait for real minutes; they run side by side in one cluster, each
// in a namespace of its own with, where it needs an outage, an Argo controller of its own (scenario_test.go), or one that it shares
// with the others that live through the same outage (away_test.go). What the truth is they read from etcd, from the API server and
// from the controllers, never from Rollcall: a witness sees every Workflow there ever is (witness_test.go), and records, metrics
// and Events are held against it (roll_test.go).
package e2e
