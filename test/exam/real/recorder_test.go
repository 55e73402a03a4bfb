package real

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/test/exam/witness"
)

func TestTheRecorderMakesFactsOfWhatEtcdHolds(t *testing.T) {
	clock := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return clock.Add(time.Duration(s) * time.Second) }
	const cronKey, runKey, auditKey = "/registry/argoproj.io/cronworkflows/exam/tick", "/registry/argoproj.io/workflows/exam/tick-60", "/registry/rollcall.dev/cronaudits/exam/tick"
	r := newRecorder(map[string]func(time.Time) bool{}, "/registry/leases/rollcall/rollcall")
	for _, change := range []struct {
		key, value string
		at         int
	}{
		{cronKey, `{"metadata":{"name":"tick","namespace":"exam","uid":"u1","creationTimestamp":"2026-03-02T12:00:00Z","annotations":{"rollcall.dev/deadline":"10m"}},
			"spec":{"schedules":["* * * * *"],"successfulJobsHistoryLimit":0,"workflowSpec":{"ttlStrategy":{"secondsAfterCompletion":20}}}}`, 1},
		{runKey, `{"metadata":{"name":"tick-60","namespace":"exam","uid":"w1","creationTimestamp":"2026-03-02T12:01:00Z","labels":{"workflows.argoproj.io/cron-workflow":"tick","rollcall.dev/backfilled-by":"controller"},
			"annotations":{"workflows.argoproj.io/scheduled-time":"2026-03-02T12:01:00Z"},"ownerReferences":[{"kind":"CronWorkflow","uid":"u1","controller":true}]},"spec":{}}`, 60},
		{cronKey, `{"metadata":{"name":"tick","namespace":"exam","uid":"u1","creationTimestamp":"2026-03-02T12:00:00Z","annotations":{"rollcall.dev/deadline":"10m"}},
			"spec":{"schedules":["* * * * *"],"successfulJobsHistoryLimit":0,"workflowSpec":{"ttlStrategy":{"secondsAfterCompletion":20}}},
			"status":{"lastScheduledTime":"2026-03-02T12:01:00Z","active":[{"name":"tick-60"}]}}`, 61},
		{runKey, `{"metadata":{"name":"tick-60","namespace":"exam","uid":"w1","creationTimestamp":"2026-03-02T12:01:00Z"},"spec":{"shutdown":"Terminate"},"status":{"phase":"Failed","finishedAt":"2026-03-02T12:01:05Z"}}`, 65},
		{auditKey, `{"metadata":{"name":"tick","namespace":"exam"},"status":{"observedUID":"u1","notable":[{"scheduledTime":"2026-03-02T12:01:00Z","verdict":"Missed","certainty":"certain"}],
			"record":{"runs":[{"scheduledTime":"2026-03-02T12:02:00Z","verdict":"OnTime"}]}}}`, 66},
		{auditKey, `{"metadata":{"name":"tick","namespace":"exam"},"status":{"observedUID":"u1","notable":[{"scheduledTime":"2026-03-02T12:01:00Z","verdict":"Missed","certainty":"certain"}],
			"record":{"runs":[{"scheduledTime":"2026-03-02T12:02:00Z","verdict":"OnTime"}]}}}`, 67},
		{runKey, "", 70},
		{cronKey, "", 80},
		{cronKey, `{"metadata":{"name":"tick","namespace":"exam","uid":"u2","creationTimestamp":"2026-03-02T12:01:21Z"},"spec":{"schedule":"@daily","suspend":true}}`, 81},
	} {
		value := []byte(change.value)
		if change.value == "" {
			value = nil
		}
		r.take(change.key, value, at(change.at))
	}
	truth, said, bad := r.facts()
	if len(bad) > 0 {
		t.Error(bad)
	}
	want := witness.Truth{
		CronWorkflows: []witness.CronWorkflow{
			{
				Namespace: "exam", Name: "tick", UID: "u1", Created: at(0), Deleted: at(80), Served: at(61),
				Specs:    []witness.Spec{{From: at(0), Schedules: []string{"* * * * *"}, Deadline: 10 * time.Minute, FailedLimit: 1, TTL: 20 * time.Second}},
				Statuses: []witness.Status{{At: at(1)}, {At: at(61), LastScheduledTime: at(60), Active: 1}},
			},
			{
				Namespace: "exam", Name: "tick", UID: "u2", Created: at(81),
				Specs:    []witness.Spec{{From: at(81), Schedules: []string{"@daily"}, Suspend: true, SuccessfulLimit: 3, FailedLimit: 1, TTL: -1}},
				Statuses: []witness.Status{{At: at(81)}},
			},
		},
		Workflows: []witness.Workflow{{
			Namespace: "exam", Name: "tick-60", UID: "w1", OwnerUID: "u1", CronWorkflow: "tick", ScheduledTime: at(60), BackfilledBy: "controller",
			Created: at(60), Ended: at(65), Deleted: at(70), Terminated: at(65), Failed: true,
		}},
	}
	if diff := cmp.Diff(want, truth); diff != "" {
		t.Errorf("truth (-want +got):\n%s", diff)
	}
	wantSaid := []witness.Verdict{
		{Namespace: "exam", Name: "tick", UID: "u1", ScheduledTime: at(60), Verdict: "Missed", Certainty: "certain", SaidAt: at(66), Where: "CronAudit"},
		{Namespace: "exam", Name: "tick", UID: "u1", ScheduledTime: at(120), Verdict: "OnTime", SaidAt: at(66), Where: "CronAudit"},
	}
	if diff := cmp.Diff(wantSaid, said); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}
