// Package alerts tries the alerting rules of charts/rollcall/files/rules.yaml, and what goes with them: the runbooks, the dashboard
// and the example configurations of Prometheus and Alertmanager.
//
// The rules are tried by promtool, built from a pinned Prometheus, with the files in rules: each has series as a scrape gives them,
// and says which alerts fire when. They begin without any series, as after a restart.
//
// What needs a running Alertmanager, which cannot be built from the module proxy since its web page is not in there, has the build
// tag node and takes the one of Debian's package prometheus-alertmanager: go test -tags node ./test/alerts. There the same files are
// tried by the promtool of Debian's package prometheus too: that of Debian 12 is 2.42, the oldest that knows keep_firing_for.
package alerts
