package model

import (
	"fmt"
	"strings"
	"time"

	"rollcall.dev/rollcall/test/exam/fake"
)

// stage is where a scenario is played: the model, or a real controller. A scenario has one CronWorkflow, tick, and begins at the start of
// an even minute, at which Argo leads; times are seconds since then, and firings are counted from there, one a minute.
type stage interface {
	// create makes tick.
	create(spec fake.Spec)
	// suspend changes its suspend, lengthen how many seconds its runs take.
	suspend(suspended bool)
	lengthen(seconds int)
	stopArgo()
	startArgo()
	// make makes the run of a firing from outside, under its native name.
	make(firing int)
	// tell moves status.lastScheduledTime forward to a firing and, if active is not 0, appends the run of that one to status.active.
	tell(last, active int)
	// until waits until a time.
	until(seconds int)
	// seen are all runs that there were.
	seen() map[int]*seen
}

// seen is what was seen of the run of a firing.
type seen struct {
	created, ended, gone time.Duration // since the beginning; 0 for never
	outside, terminated  bool
}

// told is what became of the firings 1 to last, a line each, in what does not depend on how fast a machine is.
func told(s stage, last int) []string {
	var lines []string
	all := s.seen()
	for n := 1; n <= last; n++ {
		r := all[n]
		line := fmt.Sprintf("%d ", n)
		switch due := time.Duration(n) * time.Minute; {
		case r == nil:
			line += "none"
		case r.outside:
			line += "outside"
		case r.created < due+5*time.Second:
			line += "on time"
		default:
			line += "late"
		}
		if r != nil && r.terminated {
			line += ", terminated"
		}
		if r != nil && r.gone > 0 {
			line += ", gone"
		}
		for m, other := range all {
			// What Argo makes in one second with a run from outside came after that.
			after := r != nil && (other.created > r.created || other.created == r.created && r.outside && !other.outside)
			if m != n && after && (r.ended == 0 || other.created < r.ended) {
				line += fmt.Sprintf(", beside %d", m)
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func spec(changes ...func(*fake.Spec)) fake.Spec {
	keep := 20
	s := fake.Spec{Schedules: []string{"* * * * *"}, Timezone: "UTC", Deadline: 600, Runs: 1, Successful: &keep, Failed: &keep}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func runs(seconds int) func(*fake.Spec)       { return func(s *fake.Spec) { s.Runs = seconds } }
func policy(policy string) func(*fake.Spec)   { return func(s *fake.Spec) { s.Policy = policy } }
func deadline(seconds int) func(*fake.Spec)   { return func(s *fake.Spec) { s.Deadline = seconds } }
func when(expression string) func(*fake.Spec) { return func(s *fake.Spec) { s.When = expression } }

// begin has tick fire once, and Argo stop after that.
func begin(s stage, spec fake.Spec) {
	s.until(10)
	s.create(spec)
	s.until(80)
	s.stopArgo()
}

// scenario is what the model has to have in common with a real controller: it plays, and says what becomes of the firings 1 to last.
type scenario struct {
	play func(stage)
	last int
	want string
	race string // what a real controller may do instead, where it races with itself; "" for nothing
}

var scenarios = map[string]scenario{
	"after an outage the latest firing inside the deadline runs, and no other": {play: func(s stage) {
		begin(s, spec())
		s.until(260)
		s.startArgo()
		s.until(320)
	}, last: 5, want: "1 on time; 2 none; 3 none; 4 late; 5 on time"},
	"without a deadline none does": {play: func(s stage) {
		begin(s, spec(deadline(0)))
		s.until(200)
		s.startArgo()
		s.until(260)
	}, last: 4, want: "1 on time; 2 none; 3 none; 4 on time"},
	"the trap: a run that was made outside leaves the schedule unregistered": {play: func(s stage) {
		begin(s, spec())
		s.until(190)
		s.make(2)
		s.make(3)
		s.startArgo()
		s.until(320)
	}, last: 5, want: "1 on time; 2 outside; 3 outside; 4 none; 5 none"},
	"out of the trap by the forward write": {play: func(s stage) {
		begin(s, spec())
		s.until(190)
		s.make(2)
		s.make(3)
		s.startArgo()
		s.until(270)
		s.tell(3, 0)
		s.until(320)
	}, last: 5, want: "1 on time; 2 outside; 3 outside; 4 late; 5 on time"},
	"no trap where the time was moved before": {play: func(s stage) {
		begin(s, spec())
		s.until(190)
		s.make(2)
		s.make(3)
		s.tell(3, 3)
		s.startArgo()
		s.until(320)
	}, last: 5, want: "1 on time; 2 outside; 3 outside; 4 on time; 5 on time"},
	"Forbid runs two at once beside a run that it was not told of": {play: func(s stage) {
		begin(s, spec(policy("Forbid")))
		s.lengthen(100)
		s.until(190)
		s.make(2)
		s.tell(2, 0)
		s.startArgo()
		s.until(230)
	}, last: 3, want: "1 on time; 2 outside, beside 3; 3 late", race: "1 on time; 2 outside; 3 none"}, // its first pass was in time to tell it
	"Forbid waits for one in status.active": {play: func(s stage) {
		begin(s, spec(policy("Forbid")))
		s.lengthen(58)
		s.until(190)
		s.make(3)
		s.tell(3, 3)
		s.startArgo()
		s.until(290)
	}, last: 4, want: "1 on time; 2 none; 3 outside; 4 late"},
	// The first pass of a new Argo does not wait for its informers: on a busy machine it takes the run for one that is gone.
	"Forbid waits for one in status.active before it catches up, if its first pass knows that run": {play: func(s stage) {
		begin(s, spec(policy("Forbid")))
		s.lengthen(58)
		s.until(190)
		s.make(2)
		s.tell(2, 2)
		s.startArgo()
		s.until(290)
	}, last: 4, want: "1 on time; 2 outside; 3 none; 4 late", race: "1 on time; 2 outside, beside 3; 3 late; 4 late"},
	// What is skipped when it is resumed leaves the schedule registered with what Argo knew before: no run in status.active.
	"Forbid runs two at once by what it knew before it was resumed": {play: func(s stage) {
		s.until(10)
		s.create(spec(policy("Forbid")))
		s.until(80)
		s.suspend(true)
		s.lengthen(58)
		s.until(190)
		s.make(2)
		s.tell(2, 2)
		s.suspend(false)
		s.until(270)
	}, last: 4, want: "1 on time; 2 outside, beside 4; 3 none; 4 on time"},
	"Replace terminates a run that was made outside, and is trapped": {play: func(s stage) {
		begin(s, spec(policy("Replace")))
		s.lengthen(100)
		s.until(190)
		s.make(3)
		s.startArgo()
		s.until(320)
	}, last: 5, want: "1 on time; 2 none; 3 outside, terminated; 4 none; 5 none"},
	"Forbid skips while a run is active, and runs the skipped firing late when that ends": {play: func(s stage) {
		s.until(10)
		s.create(spec(policy("Forbid"), runs(80)))
		s.until(200)
	}, last: 3, want: "1 on time; 2 late; 3 none"},
	"what was skipped while suspended runs late when it is resumed inside the deadline": {play: func(s stage) {
		s.until(10)
		s.create(spec())
		s.until(90)
		s.suspend(true)
		s.until(200)
		s.suspend(false)
		s.until(260)
	}, last: 4, want: "1 on time; 2 none; 3 late; 4 on time"},
	"a restart while when is false leaves the schedule unregistered": {play: func(s stage) {
		s.until(10)
		s.create(spec(when("{{= now().Minute() % 2 == 0 }}")))
		s.until(140)
		s.stopArgo()
		s.until(190)
		s.startArgo()
		s.until(260)
	}, last: 4, want: "1 none; 2 on time; 3 none; 4 none"},
	"a ttlStrategy deletes runs": {play: func(s stage) {
		s.until(10)
		ttl := 20
		s.create(spec(func(s *fake.Spec) { s.TTL = &ttl }))
		s.until(136)
	}, last: 2, want: "1 on time, gone; 2 on time"},
	"a stopStrategy ends the schedule with the second run that fails": {play: func(s stage) {
		s.until(10)
		s.create(spec(runs(5), func(s *fake.Spec) { s.StopAfter, s.FailEvery = 2, 1 }))
		s.until(250)
	}, last: 4, want: "1 on time; 2 on time; 3 none; 4 none"},
	"two expressions that name the same minute run it once": {play: func(s stage) {
		s.until(10)
		s.create(spec(func(s *fake.Spec) { s.Schedules = []string{"* * * * *", "*/1 * * * *"} }))
		s.until(190)
	}, last: 3, want: "1 on time; 2 on time; 3 on time"},
	"history limits keep the newest": {play: func(s stage) {
		s.until(10)
		one := 1
		s.create(spec(func(s *fake.Spec) { s.Successful = &one }))
		s.until(210)
	}, last: 3, want: "1 on time, gone; 2 on time, gone; 3 on time"},
}

func compare(t interface {
	Errorf(string, ...any)
	Helper()
}, got []string, want string) {
	t.Helper()
	if g := strings.Join(got, "; "); g != want {
		t.Errorf("want %s\n got %s", want, g)
	}
}
