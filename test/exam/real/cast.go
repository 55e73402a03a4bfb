package real

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// A cron is one CronWorkflow of the cast.
type cron struct {
	Name      string
	Schedules []string
	Timezone  string
	Policy    string
	Deadline  int // seconds; 0: none
	Runs      string
	Succeeded int // history limit
	Failed    int
	Suspend   bool
	When      string
	Stop      string
	TTL       int // seconds; 0: none
	Dies      int // seconds after which a run is ended; 0: never
	Notes     map[string]string
	// Theirs: users edit, delete and submit it in the course of the exam.
	Theirs bool
}

// whens are the when expressions of the cast, and what they amount to.
var whens = map[string]func(time.Time) bool{
	"{{= now().UTC().Minute() % 2 == 0 }}": func(t time.Time) bool { return t.UTC().Minute()%2 == 0 },
	"{{= now().UTC().Minute() % 3 != 1 }}": func(t time.Time) bool { return t.UTC().Minute()%3 != 1 },
}

var everyMinute = []string{"* * * * *"}

// newCast makes up the CronWorkflows: some of each policy whose lost firings are to be recovered, whatever the seed, and others.
func newCast(rng *rand.Rand) []cron {
	var cast []cron
	add := func(c cron) {
		if c.Schedules == nil {
			c.Schedules = everyMinute
		}
		c.Name = fmt.Sprintf("%s-%02d", c.Name, len(cast))
		cast = append(cast, c)
	}
	for _, policy := range []string{"Allow", "Forbid", "Replace"} {
		name := map[string]string{"Allow": "allow", "Forbid": "forbid", "Replace": "replace"}[policy]
		add(cron{Name: name, Policy: policy, Deadline: 900, Runs: "1s", Succeeded: 3, Failed: 1})
		add(cron{Name: name, Policy: policy, Deadline: 600, Runs: "5s", Succeeded: 5, Failed: 2})
		add(cron{Name: name, Policy: policy, Deadline: 900, Runs: "1s", Succeeded: 0, Failed: 0})
		add(cron{Name: name, Policy: policy, Deadline: 900, Runs: "2s", Succeeded: 1, Failed: 1})
		add(cron{Name: name + "-long", Policy: policy, Deadline: 600, Runs: "25s", Succeeded: 3, Failed: 1})
		add(cron{Name: name + "-longer", Policy: policy, Deadline: 600, Runs: "90s", Succeeded: 3, Failed: 3})
		add(cron{Name: name + "-sparse", Policy: policy, Deadline: 900, Runs: "40s", Succeeded: 3, Failed: 1, Schedules: []string{pick(rng, "*/2 * * * *", "*/3 * * * *")}})
		add(cron{Name: name + "-none", Policy: policy, Runs: "1s", Succeeded: 3, Failed: 1})
		add(cron{Name: name + "-noted", Policy: policy, Runs: "1s", Succeeded: 3, Failed: 1, Notes: map[string]string{"rollcall.dev/deadline": "10m"}})
		add(cron{Name: name + "-noted-long", Policy: policy, Runs: "35s", Succeeded: 3, Failed: 1, Notes: map[string]string{"rollcall.dev/deadline": "15m"}})
		for range 4 {
			add(cron{
				Name: name + "-any", Policy: policy, Deadline: pick(rng, 0, 20, 45, 90, 150, 300, 600, 900),
				Runs: pick(rng, "1s", "3s", "10s", "20s", "35s", "58s", "70s", "90s"), Succeeded: rng.IntN(6), Failed: rng.IntN(4),
				Schedules: pick(rng, everyMinute, everyMinute, []string{"*/2 * * * *", "1-59/2 * * * *"}, []string{"*/2 * * * *", "* * * * *"}),
				Timezone:  pick(rng, "", "UTC", "America/New_York", "Asia/Kathmandu"),
			})
		}
		for range 2 {
			add(cron{
				Name: name + "-theirs", Policy: policy, Deadline: pick(rng, 0, 90, 300, 600), Runs: pick(rng, "1s", "10s", "30s"),
				Succeeded: rng.IntN(6), Failed: rng.IntN(3), Theirs: true,
			})
		}
	}
	add(cron{Name: "suspended", Deadline: 600, Runs: "1s", Suspend: true, Succeeded: 3, Failed: 1})
	for _, when := range slices.Sorted(maps.Keys(whens)) {
		add(cron{Name: "when", Deadline: 600, Runs: "1s", When: when, Succeeded: 3, Failed: 1})
	}
	add(cron{Name: "every", Schedules: []string{"@every 45s"}, Deadline: 600, Runs: "1s", Succeeded: 3, Failed: 1})
	add(cron{Name: "ttl", Deadline: 600, Runs: "1s", TTL: 20, Succeeded: 5, Failed: 5})
	add(cron{Name: "stops", Deadline: 600, Runs: "1s", Stop: "cronworkflow.succeeded >= 5", Succeeded: 5, Failed: 1})
	add(cron{Name: "fails", Deadline: 600, Runs: "50s", Dies: 3, Succeeded: 1, Failed: 2})
	add(cron{Name: "latest", Deadline: 600, Runs: "1s", Succeeded: 3, Failed: 1, Notes: map[string]string{"rollcall.dev/catch-up": "latest"}})
	add(cron{Name: "off", Deadline: 600, Runs: "1s", Succeeded: 3, Failed: 1, Notes: map[string]string{"rollcall.dev/backfill": "off"}})
	add(cron{Name: "patient", Deadline: 600, Runs: "1s", Succeeded: 3, Failed: 1, Notes: map[string]string{"rollcall.dev/grace": "15s"}})
	return cast
}

// manifest is the CronWorkflow as JSON.
func (c cron) manifest() (string, error) {
	workflow := map[string]any{
		"entrypoint": "main", "templates": []any{map[string]any{"name": "main", "suspend": map[string]any{"duration": c.Runs}}},
	}
	if c.TTL > 0 {
		workflow["ttlStrategy"] = map[string]any{"secondsAfterCompletion": c.TTL}
	}
	if c.Dies > 0 {
		workflow["activeDeadlineSeconds"] = c.Dies
	}
	spec := map[string]any{
		"schedules": c.Schedules, "successfulJobsHistoryLimit": c.Succeeded, "failedJobsHistoryLimit": c.Failed, "workflowSpec": workflow,
	}
	for field, value := range map[string]string{"timezone": c.Timezone, "concurrencyPolicy": c.Policy, "when": c.When} {
		if value != "" {
			spec[field] = value
		}
	}
	if c.Deadline > 0 {
		spec["startingDeadlineSeconds"] = c.Deadline
	}
	if c.Suspend {
		spec["suspend"] = true
	}
	if c.Stop != "" {
		spec["stopStrategy"] = map[string]any{"expression": c.Stop}
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": map[string]any{"name": c.Name, "annotations": c.Notes}, "spec": spec,
	})
	return string(text), err
}
