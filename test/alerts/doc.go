// Package alerts tries the alerting rules of charts/rollcall/files/rules.yaml, and what goes with them: the runbooks, the dashboard
// and the example configurations of Prometheus and Alertmanager.
//
// The rules are tried by promtool, built from a pinned Prometheus, with the files in rules: each has series as a scrape gives them,
// and says which alerts fire when. They begin without any series, as after a restart. The same files pass with the promtool of
// Prometheus 2.42, the oldest that knows keep_firing_for.
//
// What needs a running Alertmanager, which cannot be built from the module proxy since its web page is not in there, has the build
// tag node and takes the one of Debian's package prometheus-alertmanager: go test -tags node ./test/alerts.
package alerts
