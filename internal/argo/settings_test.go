package argo

import (
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/auditor"
)

func FuzzAnnotations(f *testing.F) {
	f.Add("off", "2h", "90s", "latest", "dry-run", "2026-11-23T04:05:00Z", "CRON_TZ=UTC */5 * * * *")
	f.Add("yes", "-1s", "1", "ALL", "", "yesterday", "")
	f.Add("on", "9999999h", "1ns", "none", "off", "9999-12-31T23:59:59Z", strings.Repeat("x", 5000))
	f.Add("on\n", "2h ", "+Inf", "all\x00", "\xff", "0001-01-01T00:00:00Z", "\u2028")
	f.Fuzz(func(t *testing.T, audit, deadline, grace, catchUp, backfill, intended, lastUsed string) {
		cron := cronObject("tick")
		values := map[string]string{
			"rollcall.dev/audit": audit, "rollcall.dev/deadline": deadline, "rollcall.dev/grace": grace, "rollcall.dev/catch-up": catchUp,
			"rollcall.dev/backfill": backfill, annotationIntended: intended, annotationLastSchedule: lastUsed,
		}
		set(cron, anyMap(values), "metadata", "annotations")
		got, snapshot := readOne(t, cron)
		if got.Err != nil || !got.CronWorkflow.Served {
			t.Fatalf("%+v", got)
		}
		s := got.CronWorkflow.Settings
		readable := func(value string, d time.Duration) bool {
			read, err := time.ParseDuration(value)
			return err == nil && read == d && d > 0
		}
		accepted := map[string]bool{
			"rollcall.dev/audit": s.Off && audit == "off" || !s.Off && audit == "on", "rollcall.dev/deadline": readable(deadline, s.Deadline),
			"rollcall.dev/grace": readable(grace, s.Grace), "rollcall.dev/catch-up": string(s.CatchUp) == catchUp && catchUp != "",
			"rollcall.dev/backfill": string(s.Backfill) == backfill && backfill != "", annotationIntended: isTime(intended),
		}
		for annotation, ok := range accepted {
			notes := mentioning(snapshot.Notes, "annotation "+annotation+" is ")
			if ok != (len(notes) == 0) || len(notes) > 1 || ok == strings.Contains(s.Invalid, "annotation "+annotation+" is ") {
				t.Errorf("%s %q: notes %q, invalid %q, settings %+v", annotation, values[annotation], notes, s.Invalid, s)
			}
		}
		if s.Off && audit != "off" || s.Deadline != 0 && !accepted["rollcall.dev/deadline"] || s.Grace != 0 && !accepted["rollcall.dev/grace"] ||
			s.CatchUp != "" && !accepted["rollcall.dev/catch-up"] || s.Backfill != "" && !accepted["rollcall.dev/backfill"] {
			t.Errorf("a value that is not accepted counts: %q, %+v", values, s)
		}
		if n := len(s.Invalid); n > 4000 {
			t.Errorf("what is invalid takes %d bytes", n)
		}
		window := auditor.Window{From: created, To: created.Add(time.Hour)}
		if _, err := auditor.Audit(got.Input, window, created.Add(time.Hour), auditor.Options{}); err != nil {
			t.Error(err)
		}
	})
}
