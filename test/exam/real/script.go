package real

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"rollcall.dev/rollcall/test/exam/witness"
)

// A fault is one thing that is broken for a time. What and How are as the witness counts them.
type fault struct {
	At, For   time.Duration // from the beginning of the exam; how long
	What, How string
}

// The ways in which a piece is broken.
const (
	killed     = "killed"
	frozen     = "frozen"
	inTheAct   = "killed in the act" // just after its next create was sent
	refused    = "refused"
	delayed    = "delayed"
	throttled  = "throttled"
	answerLost = "answers lost"
	cut        = "connections cut"
)

// An edit is what a user does to a CronWorkflow of the cast.
type edit struct {
	At   time.Duration
	What string
	Cron int // which of the cast
}

// What users do.
const (
	suspends  = "suspends"
	resumes   = "resumes"
	edits     = "edits the schedule"
	prolongs  = "edits the deadline"
	recreates = "deletes and creates anew"
	submits   = "submits by hand"
	resubmits = "resubmits a run"
	notes     = "annotates"
	squats    = "takes the name of a firing to come"
)

// A script is all that happens in an exam: the same for the same seed and length.
type script struct {
	Cast   []cron
	Faults []fault // in the order of At
	Edits  []edit  // likewise
	// Calm is when all faults are over.
	Calm time.Duration
}

// The exam begins with some calm, so that every CronWorkflow has a history, and ends with some, in which what was lost is
// brought back.
const (
	calmBefore = 75 * time.Second
	calmAfter  = 200 * time.Second // a schedule that Argo dropped shows within three minutes, whenever in a minute this begins
)

// newScript makes up what happens in an exam of that length.
func newScript(seed uint64, length time.Duration) script {
	rng := rand.New(rand.NewPCG(seed, 0x726f6c6c63616c6c))
	s := script{Cast: newCast(rng), Calm: length - calmAfter}
	s.Faults = slices.Concat(argoLane(rng, s.Calm), rollcallLane(rng, s.Calm), serverLane(rng, s.Calm), wayLane(rng, s.Calm))
	slices.SortStableFunc(s.Faults, func(a, b fault) int { return cmp.Compare(a.At, b.At) })
	s.Edits = newEdits(rng, s.Cast, s.Calm)
	return s
}

// between is a random time of [from, to), in tenths of a second.
func between(rng *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(rng.Int64N(int64(to-from)/int64(100*time.Millisecond)))*100*time.Millisecond
}

// seconds is a random number of them.
func seconds(rng *rand.Rand, from, to int) time.Duration {
	return between(rng, time.Duration(from)*time.Second, time.Duration(to)*time.Second)
}

// lane makes faults one after the other until the calm.
type lane struct {
	rng    *rand.Rand
	at     time.Duration
	end    time.Duration
	faults []fault
}

// add adds a fault after a gap; false when there is no time left for it.
func (l *lane) add(gap, length time.Duration, what, how string) bool {
	l.at += gap
	if l.at+length > l.end {
		return false
	}
	l.faults = append(l.faults, fault{l.at, length, what, how})
	l.at += length
	return true
}

// pick is one of some.
func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// argoLane: Argo is away again and again, the first time for long enough to lose a firing of each CronWorkflow.
func argoLane(rng *rand.Rand, end time.Duration) []fault {
	l := lane{rng: rng, at: calmBefore, end: end}
	l.add(seconds(rng, 0, 15), seconds(rng, 75, 110), witness.Argo, killed)
	for l.add(seconds(rng, 25, 100), pick(rng, seconds(rng, 5, 40), seconds(rng, 40, 160)), witness.Argo, pick(rng, killed, killed, frozen)) {
	}
	return l.faults
}

// storms says whether the time is one in which Rollcall and the API server have trouble too: they have some minutes of it, and
// then some without, or nothing would ever be recoverable for long.
func storm(at time.Duration) bool {
	return at < calmBefore || (at-calmBefore)%(6*time.Minute) < 210*time.Second
}

// lull is how long it takes until the next storm; zero in one.
func lull(at time.Duration) time.Duration {
	if storm(at) {
		return 0
	}
	return 6*time.Minute - (at-calmBefore)%(6*time.Minute)
}

func rollcallLane(rng *rand.Rand, end time.Duration) []fault {
	l := lane{rng: rng, at: calmBefore, end: end}
	l.add(seconds(rng, 40, 60), seconds(rng, 5, 25), witness.Leader, inTheAct)
	l.add(seconds(rng, 20, 40), seconds(rng, 62, 75), witness.Rollcall, pick(rng, killed, inTheAct))
	for {
		gap := seconds(rng, 15, 60)
		gap += lull(l.at + gap)
		what, how, length := witness.Leader, pick(rng, killed, inTheAct, frozen), seconds(rng, 3, 40)
		if rng.IntN(4) == 0 {
			what, how, length = witness.Rollcall, pick(rng, killed, inTheAct), seconds(rng, 5, 80)
		}
		if !l.add(gap, length, what, how) {
			return l.faults
		}
	}
}

func serverLane(rng *rand.Rand, end time.Duration) []fault {
	l := lane{rng: rng, at: calmBefore + 20*time.Second, end: end}
	for {
		gap := seconds(rng, 12, 60)
		gap += lull(l.at + gap)
		if !l.add(gap, pick(rng, seconds(rng, 2, 10), seconds(rng, 8, 35)), pick(rng, witness.APIServer, witness.Etcd), pick(rng, killed, frozen)) {
			return l.faults
		}
	}
}

func wayLane(rng *rand.Rand, end time.Duration) []fault {
	l := lane{rng: rng, at: calmBefore, end: end}
	for {
		gap := seconds(rng, 3, 20)
		gap += lull(l.at + gap)
		how := pick(rng, refused, delayed, throttled, answerLost, answerLost, cut)
		if !l.add(gap, seconds(rng, 8, 45), pick(rng, witness.WayOfRollcall, witness.WayOfRollcall, witness.WayOfArgo), how) {
			return l.faults
		}
	}
}

// newEdits makes up what users do, every few seconds, to that part of the cast that is theirs.
func newEdits(rng *rand.Rand, cast []cron, end time.Duration) []edit {
	var theirs []int
	for i := range cast {
		if cast[i].Theirs {
			theirs = append(theirs, i)
		}
	}
	var all []edit
	suspended := map[int]bool{}
	for at := calmBefore; ; {
		at += seconds(rng, 3, 18)
		if at > end {
			break
		}
		i := pick(rng, theirs...)
		what := pick(rng, suspends, edits, prolongs, recreates, submits, submits, resubmits, notes, squats)
		if suspended[i] {
			what = resumes
		}
		suspended[i] = what == suspends
		all = append(all, edit{at, what, i})
	}
	for _, i := range theirs { // nobody is left suspended by an edit
		if suspended[i] {
			all = append(all, edit{end, resumes, i})
		}
	}
	return all
}
