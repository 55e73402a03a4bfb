package main

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// FuzzAuditOfADump: whatever a dump holds, there is a report in JSON, or an error of one line that says where in the dump; nothing that
// a terminal would obey is written; and it takes little time and memory.
func FuzzAuditOfADump(f *testing.F) {
	outage, err := os.ReadFile("../../docs/examples/outage.yaml")
	if err != nil {
		f.Fatal(err)
	}
	whole := string(outage)
	f.Add(whole)
	for _, part := range []int{3, 7, 20, 50} {
		f.Add(whole[:len(whole)*part/100]) // truncated
	}
	head := "apiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\nmetadata: {name: tick, namespace: default, uid: u, creationTimestamp: 2026-11-23T04:00:00Z}\n"
	audit := "---\napiVersion: rollcall.dev/v1alpha1\nkind: CronAudit\nmetadata: {name: tick, namespace: default, ownerReferences: [{apiVersion: argoproj.io/v1alpha1, kind: CronWorkflow, name: tick, uid: u}]}\n"
	workflow := "---\napiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: \"tick-1795406700\", namespace: default, creationTimestamp: 2026-11-23T04:05:00Z, labels: {rollcall.dev/backfilled-by: \"\\e[1m\"}, ownerReferences: [{kind: CronWorkflow, uid: \"\\e[2m\"}]}\n"
	for _, text := range []string{
		"", "---\n---\n", "# nothing\n", "{", "[1]", "kind: Pod\napiVersion: v1\n", "kind: 5\n", "\xff\xfe{}", "\xef\xbb\xbf{}", "a: \x00", "a: \xc3\x28", "{} {} {", "{}\n---\n- a\n",
		strings.Repeat(`{"kind":"List","items":[`, 12) + strings.Repeat("]}", 12), strings.Repeat("[", 11000), `{"kind":"CronWorkflowList","apiVersion":"argoproj.io/v1alpha1","items":[null,5,"x",[]]}`,
		head + "spec: {schedule: \"* * * * *\", startingDeadlineSeconds: 9223372036854775807, successfulJobsHistoryLimit: 2147483647}\n",
		head + "spec: {schedule: \"* * * * *\", startingDeadlineSeconds: 1e400}\n",
		head + "spec: {schedules: [\"TZ=UTC\"], timezone: \"\\e[31m\"}\nstatus: {conditions: [{type: SubmissionError, status: \"True\", message: \"\\e]0;owned\\a\\u202e\"}], lastScheduledTime: 9999-12-31T23:59:59Z}\n",
		head + "spec: {schedule: \"* * * * *\", when: \"\\e[31m\"}\nstatus: {conditions: [{type: SubmissionError, status: \"True\", message: \"\\e]0;owned\\a\\u202e\"}, {type: SpecError, status: \"True\", message: \"\\r\"}], lastScheduledTime: 2026-11-23T04:01:00Z}\n" + workflow,
		head + "spec: {schedule: \"* * * * *\"}\nstatus: {conditions: [{type: SpecError, status: \"True\", message: \"\\e]0;owned\\a\"}], lastScheduledTime: 2026-11-23T04:01:00Z}\n" + workflow,
		head + "spec: {schedule: \"@every 1ns\"}\nstatus: {lastScheduledTime: 0001-01-01T00:00:00Z, active: [null]}\n",
		head + "spec: {schedule: \"* * * * *\", when: \"{{= repeat('x', 1000000000) }}\", timezone: Europe/Berlin}\n" + audit + "status: {observedUID: u, auditedThrough: 2026-11-23T04:10:00Z, open: [{scheduledTime: 2026-11-23T04:09:00Z, verdict: Missed, evidence: [\"\\e[2J\"]}]}\n",
		head + "spec: {schedule: \"* * * * *\"}\n" + audit + "status: {observedUID: u, strip: \"\\t\", record: {runs: [{scheduledTime: 2026-11-23T04:09:00Z, verdict: Missed}]}}\n",
		"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: tick--62135596800, namespace: default, creationTimestamp: 9999-01-01T00:00:00Z, labels: {workflows.argoproj.io/cron-workflow: tick}}\n---\n" + head + "spec: {schedule: \"* * * * *\"}\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, dump string) {
		hung := time.AfterFunc(20*time.Second, func() { panic("it takes more than 20s") })
		defer hung.Stop()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, command := range []string{"audit -A -f - -o json", "audit -A -f - -o wide", "explain tick -n default -f - --at 2026-11-23T04:05:00Z"} {
			env, out, errOut := testEnvironment()
			env.In = strings.NewReader(dump)
			st := run(t.Context(), env, strings.Fields(command))
			said := errOut.String()
			switch problem := lastLine(said); {
			case st != 0 && st != 1 && st != 2:
				t.Errorf("exit status %d", st)
			case st == 1 && !strings.HasPrefix(problem, "error: "):
				t.Errorf("exit status 1 without an error: %.1000s", said)
			case st == 1 && out.Len() == 0 && command[:5] == "audit" && !strings.Contains(problem, "standard input") && !strings.Contains(problem, "--now: the dump has no time in it"):
				t.Errorf("it does not say where: %.1000s", problem)
			case out.Len() > 0 && strings.HasSuffix(command, "json") && !json.Valid(out.Bytes()):
				t.Errorf("no JSON: %.1000s", out)
			}
			if strings.HasSuffix(command, "json") {
				out.Reset() // not for a terminal
			}
			for _, text := range []string{out.String(), said} {
				if i := strings.IndexFunc(text, obeyed); i >= 0 {
					t.Errorf("%q is written to the terminal: %.300q", text[i:i+1], text[max(0, i-100):])
				}
			}
		}
		runtime.ReadMemStats(&after)
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(512<<20+1000*len(dump)); took > most {
			t.Errorf("it takes %d MiB", took>>20)
		}
	})
}

func lastLine(text string) string {
	text = strings.TrimRight(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}
