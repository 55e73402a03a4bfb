// Package chart tests charts/rollcall as Helm renders it: that every example passes, that wrong values fail with their path, that the
// roles are what the controller asks for, that its settings are all there – and, on a real API server, that every object is accepted and
// that the CronAudit CRD is upgraded, and outlives the release.
//
// No node is needed: what runs as pods is tested in package install.
package chart
