package sim

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"rollcall.dev/rollcall/test/exam/fake"
)

// Beginnings of worlds: an ordinary day, and the nights in which clocks are set in Berlin, New York and on Lord Howe Island.
var beginnings = []time.Time{
	time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC),
	time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC),
	time.Date(2026, 3, 8, 6, 0, 0, 0, time.UTC),
	time.Date(2026, 11, 1, 5, 0, 0, 0, time.UTC),
	time.Date(2026, 4, 4, 14, 0, 0, 0, time.UTC),
}

// often is a list with most of it being the first value.
func often[T any](times int, usual T, others ...T) []T {
	var all []T
	for range times {
		all = append(all, usual)
	}
	return append(all, others...)
}

// upTo draws a number from 0 to n-1, each as often as any other: rapid's own draws prefer what is small. It shrinks to 0.
func upTo(t *rapid.T, n int, label string) int {
	return int(uint64(rapid.Uint32().Draw(t, label)*2654435761) >> 7 % uint64(n))
}

// one draws one of a list. It shrinks to the first.
func one[T any](t *rapid.T, label string, of []T) T { return of[upTo(t, len(of), label)] }

// worlds draws one.
func worlds(t *rapid.T) World {
	pick := func(label string, of ...int) int { return one(t, label, of) }
	w := World{
		Seed:     rapid.Uint64Range(0, 1<<20).Draw(t, "seed"),
		Start:    one(t, "start", often(5, beginnings[0], beginnings[1:]...)),
		Minutes:  20 + upTo(t, 160, "minutes"),
		Replicas: pick("replicas", often(3, 2, 1, 3)...),
	}
	w.ArgoAhead = pick("argo ahead", often(6, 0, -1500, 400, 1500, 3000)...)
	w.RollcallAhead = pick("rollcall ahead", often(6, 0, -600, 600)...)
	w.Singly = one(t, "singly", []bool{false, true})
	for i := range 1 + upTo(t, 6, "crons") {
		c := Cron{Name: fmt.Sprintf("c%d", i), Spec: specs(t)}
		c.Grace = one(t, "grace", often(8, "", "10s", "2m"))
		c.CatchUp = one(t, "catch up", often(8, "", "latest", "none"))
		c.Backfill = one(t, "backfill", often(12, "", "dry-run", "off"))
		c.Deadline = one(t, "default deadline", often(6, "", "10m"))
		w.Crons = append(w.Crons, c)
	}
	w.Events = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Do { return events(t, w) }), upTo(t, 14, "fewest"), 16).Draw(t, "events")
	return w
}

// outages draws more outages of Argo's, so that there is something to bring back.
func outages(t *rapid.T, w World) []Do {
	outage := rapid.Custom(func(t *rapid.T) Do {
		return Do{At: 1 + upTo(t, w.Minutes*60, "at outage"), What: one(t, "outage", []string{ArgoDies, ArgoFreezes, ArgoMakesRun}), For: one(t, "outage for", []int{130, 200, 400, 70})}
	})
	return rapid.SliceOfN(outage, 3, 8).Draw(t, "outages")
}

// byHand draws what people bring back in a world: mostly after something went wrong, or while it does.
func byHand(t *rapid.T, w World) []ByHand {
	hand := rapid.Custom(func(t *rapid.T) ByHand {
		b := ByHand{
			At: 1 + upTo(t, w.Minutes*60, "at by hand"), Back: one(t, "back", []int{3600, 10000, 600, 120}), Cron: one(t, "cron by hand", w.Crons).Name,
			Thinks: one(t, "thinks", []int{0, 3, 20, 90, 300}), IgnoreDeadline: one(t, "ignore deadline", []bool{true, false}),
			Recordless:  one(t, "recordless", []bool{false, true}),
			Interrupted: one(t, "interrupted", often(4, 0, 1, 5, 60)), Dies: one(t, "dies", often(4, 0, 1, 3, 5, 8, 13)),
		}
		if len(w.Events) > 0 && one(t, "afterwards", often(4, true, false)) {
			e := one(t, "after", w.Events)
			b.At = min(e.At+one(t, "how long after", []int{e.For, e.For / 2, e.For + 10, e.For + 35, e.For + 70}), w.Minutes*60)
		}
		return b
	})
	return rapid.SliceOfN(hand, 4, 16).Draw(t, "by hand")
}

// specs draws one of a CronWorkflow.
func specs(t *rapid.T) fake.Spec {
	limit := func(label string) *int {
		n := one(t, label, often(6, -1, 0, 1, 2, 3, 4, 5))
		if n < 0 {
			return nil
		}
		return &n
	}
	s := fake.Spec{
		Schedules: one(t, "schedule", often(8, []string{"* * * * *"},
			[]string{"*/2 * * * *"}, []string{"*/5 * * * *"}, []string{"0,1,30 * * * *"}, []string{"*/3 * * * *", "*/5 * * * *"},
			[]string{"* * * * *", "*/10 * * * *"}, []string{"@every 90s"}, []string{"@every 25m"}, []string{"*/10 1-3 * * *"}, []string{"@hourly"})),
		Timezone: one(t, "zone", often(6, "", "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")),
		Policy:   one(t, "policy", []string{"", "Forbid", "Replace"}),
		Deadline: one(t, "deadline", often(4, 600, 0, 15, 45, 90, 300, 1200, 3600)),
		When:     one(t, "when", append(often(30, ""), fake.Conditions()...)),
		Suspend:  one(t, "suspended", often(20, false, true)),

		StopAfter:  one(t, "stop after", often(10, 0, 3)),
		Successful: limit("successful"), Failed: limit("failed"),
		Runs:      one(t, "runs", []int{1, 5, 20, 40, 58, 75, 170, 400}),
		FailEvery: one(t, "fail every", often(3, 0, 1, 2, 5)),
	}
	if ttl := one(t, "ttl", often(10, -1, 0, 30, 300)); ttl >= 0 {
		s.TTL = &ttl
	}
	return s
}

// events draws one of a world.
func events(t *rapid.T, w World) Do {
	d := Do{
		At: 1 + upTo(t, w.Minutes*60, "at"),
		What: one(t, "what", []string{
			ArgoDies, ArgoDies, ArgoDies, ArgoMakesRun, ArgoFreezes, RollcallDies, RollcallStops, RollcallFreezes, LeaderDies, LeaderFreezes, LeaderCrashes, LeaderCrashes,
			LeaderCrashesAt, LeaderMakesRun, LeaderMakesRun, LeaderTells, FaultBegins, FaultBegins, FaultBegins, FaultBegins, FaultBegins, FaultBegins, FaultBegins, Compacts, ArgoClock, Edits,
			Suspends, Deletes, Touches, Submits, TakesName, Resubmits, DeletesRun, Retries, Resumes,
		}),
	}
	d.For = one(t, "for", []int{1, 3, 8, 14, 20, 45, 70, 130, 200, 400, 900})
	d.Cron = one(t, "cron", w.Crons).Name
	switch d.What {
	case FaultBegins:
		d.Cron = ""
		f := fake.Fault{
			Who:     one(t, "who", []string{"", "argo", "rollcall", "rollcall-1"}),
			How:     one(t, "how", fake.Hows()),
			Percent: one(t, "percent", []int{0, 0, 10, 50}),
		}
		if what := one(t, "of", often(4, "", "workflows", "cronworkflows", "cronaudits", "leases")); what != "" {
			f.What = []string{what}
		}
		if f.How == fake.Quota {
			f.Who = "" // it is the namespace's
		}
		d.Fault = &f
	case Edits:
		s := specs(t)
		d.Spec, d.For = &s, 0
	case Deletes:
		if one(t, "for good", often(3, false, true)) {
			d.For = 0
		}
	case ArgoMakesRun, LeaderMakesRun, LeaderTells:
		d.Which, d.Cron = upTo(t, 2, "request"), ""
	case LeaderCrashes, LeaderCrashesAt:
		d.Which, d.Cron = upTo(t, 30, "request"), ""
	case ArgoClock:
		d.Which, d.Cron = one(t, "jump", []int{-4000, -1000, 1000, 4000, 70000}), ""
	case DeletesRun, Resubmits, Retries, TakesName:
		d.Which = upTo(t, 5, "which")
	case RollcallDies, RollcallStops, RollcallFreezes:
		d.Which, d.Cron = upTo(t, w.Replicas, "replica"), ""
	case Compacts, ArgoDies, ArgoFreezes, LeaderDies, LeaderFreezes:
		d.Cron = ""
	}
	return d
}
