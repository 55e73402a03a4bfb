package argo

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"
)

func TestOnlyArgosOwnTracesMakeACronWorkflowServed(t *testing.T) {
	last := func(object map[string]any) {
		set(object, map[string]any{"lastScheduledTime": after(time.Minute)}, "status")
	}
	registered := func(object map[string]any) {
		set(object, "* * * * *", "metadata", "annotations", annotationLastSchedule)
	}
	counted := func(object map[string]any) { set(object, int64(1), "status", "failed") }
	run := workflowObject("tick", "tick-"+unix(after(time.Minute)))
	backfilled := workflowObject("tick", "tick-"+unix(after(time.Minute)))
	set(backfilled, "cli", "metadata", "labels", labelBackfilledBy)
	for name, c := range map[string]struct {
		made []func(map[string]any)
		run  map[string]any
		want bool
	}{
		"nothing":                               {nil, backfilled, false},
		"a run of Argo's, and nothing else yet": {nil, run, true},
		"a last-used-schedule":                  {[]func(map[string]any){registered}, run, true},
		"a lastScheduledTime of Argo's":         {[]func(map[string]any){last}, run, true},
		"a lastScheduledTime of Rollcall's":     {[]func(map[string]any){last}, backfilled, false},
		"both, the time of Rollcall's":          {[]func(map[string]any){last, registered}, backfilled, true},
		"the end of Rollcall's run, counted":    {[]func(map[string]any){last, counted}, backfilled, true},
		"a lastScheduledTime whose run is gone": {[]func(map[string]any){last}, workflowObject("tick", "tick-60"), true},
	} {
		t.Run(name, func(t *testing.T) {
			cron := cronObject("tick")
			for _, make := range c.made {
				make(cron)
			}
			got, _ := readOne(t, cron, c.run)
			if got.CronWorkflow.Served != c.want {
				t.Errorf("served is %v", got.CronWorkflow.Served)
			}
		})
	}
}

func TestAFieldManagerThatOwnsSingleFieldsCanLoseThemWithoutATrace(t *testing.T) {
	for name, c := range map[string]struct {
		fields map[string]any
		want   bool
	}{
		"the whole spec, as with the minimal CRDs": {map[string]any{"f:spec": map[string]any{}}, false},
		"single fields, as with the full ones":     {map[string]any{"f:spec": map[string]any{"f:suspend": map[string]any{}}}, true},
		"none of it":                               {map[string]any{"f:status": map[string]any{}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			cron := cronObject("tick")
			set(cron, []any{wrote("kubectl", after(0), c.fields)}, "metadata", "managedFields")
			got, _ := readOne(t, cron, workflowObject("tick", "tick-60"))
			if traceless := got.CronWorkflow.Epochs[0].Traceless; traceless != c.want {
				t.Errorf("traceless is %v", traceless)
			}
		})
	}
}

// unix writes a time in RFC 3339 as seconds since 1970.
func unix(stamp string) string {
	at, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		panic(err)
	}
	return strconv.FormatInt(at.Unix(), 10)
}

func TestSinceWhenARunHasBeenActiveIsCertainWhereThatLeavesATrace(t *testing.T) {
	run := []any{map[string]any{"name": "tick-60"}}
	for name, c := range map[string]struct {
		status any
		active []any
		want   time.Time
	}{
		"the whole status, as with the minimal CRDs":        {map[string]any{}, nil, created.Add(time.Hour)},
		"single fields, as with the full ones: of a list":   {map[string]any{"f:active": map[string]any{}}, run, created.Add(time.Hour)},
		"the list that is there is not of whoever is known": {map[string]any{"f:phase": map[string]any{}}, run, time.Time{}},
		"that there is no list any more may leave no trace": {map[string]any{"f:phase": map[string]any{}}, nil, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			cron := cronObject("tick")
			set(cron, c.active, "status", "active")
			set(cron, []any{wrote(controllerManager, after(time.Hour), map[string]any{"f:status": c.status})}, "metadata", "managedFields")
			raw, err := json.Marshal(cron)
			if err != nil {
				t.Fatal(err)
			}
			var w wireCronWorkflow
			if err := json.Unmarshal(raw, &w); err != nil {
				t.Fatal(err)
			}
			if got := toCronWorkflow(&w, nil).Status; !got.ChangedAt.Equal(c.want) || got.WrittenAt.IsZero() {
				t.Errorf("changed at %s, written at %s", got.ChangedAt, got.WrittenAt)
			}
		})
	}
}
