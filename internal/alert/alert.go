package alert

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// The alerts there are. Those of the same names in charts/rollcall/files/rules.yaml, which Prometheus raises from the metrics, mean
// the same and have the same labels and severity.
const (
	// RunLost: a firing did not run and can no longer be recovered.
	RunLost = "RollcallRunLost"
	// BackfillBlocked: a missed firing is not recovered until somebody acts.
	BackfillBlocked = "RollcallBackfillBlocked"
)

// Alert is one thing that is wrong with a CronWorkflow.
type Alert struct {
	// Name becomes the label alertname.
	Name string
	// Labels are more labels; those that say which CronWorkflow it is cannot be changed by them, severity can. With its name they
	// are what the alert is known by: what changes from one firing to the next belongs into Annotations.
	Labels map[string]string
	// Annotations say what a human should read. The address of its runbook (runbook_url) is added where they have none.
	Annotations map[string]string
	// StartsAt is since when; zero for now. One in the future is taken for now, since Alertmanager takes none that ends before
	// it starts.
	StartsAt time.Time
}

// severities are those of alerts that have none of their own.
var severities = map[string]string{RunLost: "critical", BackfillBlocked: "warning"}

// runbooks is where what to do about an alert is written, under its name.
const runbooks = "https://rollcall.dev/runbooks/"

// labels are what an alert is known by. Empty ones are left out: to Alertmanager they are not there.
func (a Alert) labels(key auditor.Key) map[string]string {
	all := map[string]string{"severity": "warning"}
	if s := severities[a.Name]; s != "" {
		all["severity"] = s
	}
	maps.Copy(all, a.Labels)
	all["alertname"], all["namespace"], all["cronworkflow"] = a.Name, key.Namespace, key.Name
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

// annotations are what an alert says, and where its runbook is.
func (a Alert) annotations() map[string]string {
	all := map[string]string{"runbook_url": runbooks + a.Name}
	maps.Copy(all, a.Annotations)
	return all
}

// identity is the same for the same labels.
func identity(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(strconv.Quote(name) + "=" + strconv.Quote(labels[name]) + ",")
	}
	return b.String()
}

// firings is the annotation with how many alerts one stands for, where it is more than one.
const firings = "firings"

// content is what an alert says.
type content struct {
	labels, annotations map[string]string
	// startsAt is zero where the alert says that it is now.
	startsAt time.Time
}

func (c content) equal(d content) bool {
	return maps.Equal(c.labels, d.labels) && maps.Equal(c.annotations, d.annotations) && c.startsAt.Equal(d.startsAt)
}

// unite makes one of the alerts that have the same labels, by identity: it starts with the first, and says what the one says
// that started last.
func unite(key auditor.Key, alerts []Alert, now time.Time) map[string]content {
	began := func(a Alert) time.Time {
		if a.StartsAt.IsZero() || a.StartsAt.After(now) {
			return now
		}
		return a.StartsAt
	}
	sorted := slices.Clone(alerts)
	slices.SortStableFunc(sorted, func(a, b Alert) int { return began(a).Compare(began(b)) })
	all, counts := map[string]content{}, map[string]int{}
	for _, a := range sorted {
		labels := a.labels(key)
		id := identity(labels)
		counts[id]++
		c, some := all[id]
		if !some {
			c = content{labels: labels}
			if began(a).Before(now) {
				c.startsAt = a.StartsAt.UTC()
			}
		}
		c.annotations = a.annotations()
		if n := counts[id]; n > 1 && c.annotations[firings] == "" {
			c.annotations[firings] = strconv.Itoa(n)
		}
		all[id] = c
	}
	return all
}
