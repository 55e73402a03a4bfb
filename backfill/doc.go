// Package backfill brings lost firings back, exactly once each, or says why not.
//
// It decides and acts in separate steps. NewPlan (plan.go) says from an audit's findings and a policy which firings to
// recover, and why the others are left. Admit (admit.go) looks at the live state just before one create and says: go, wait
// until a time, or refuse. Both are pure. The Executor (executor.go) carries a plan out through the small interfaces of
// submitter.go, sorts errors into classes (class.go) and retries with backoff.
//
// The package knows schedule and auditor, and Kubernetes' error values; no Argo object and no client. internal/argo
// implements the interfaces against an API server.
package backfill
