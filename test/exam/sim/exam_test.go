//go:build exam

package sim

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/test/exam/witness"
)

var (
	seed    = flag.Int("seed", 1, "of the worlds; 0: the present time")
	firings = flag.Int("firings", 100_000, "how many firings the worlds of the exam have together")
	survey  = flag.String("survey", "", "a folder: go on after mistakes, and leave the worlds in which they were made there")
)

const (
	// shards are how many parts of the exam can go on side by side. Their number is part of what a seed means.
	shards = 4
	// fewest is how many firings a world has at the least, on average.
	fewest = 50
)

// exam is the sum of all worlds.
type exam struct {
	mu     sync.Mutex
	worlds int
	sum    witness.Report
}

func (e *exam) add(r witness.Report) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.worlds++
	e.sum.Firings += r.Firings
	e.sum.Ran += r.Ran
	e.sum.Recovered += r.Recovered
	e.sum.ByHand += r.ByHand
	e.sum.Evidenced += r.Evidenced
	e.sum.Accusations += r.Accusations
	for _, m := range []struct {
		into *map[string]int
		from map[string]int
	}{{&e.sum.Unknown, r.Unknown}, {&e.sum.Verdicts, r.Verdicts}, {&e.sum.Faults, r.Faults}} {
		if *m.into == nil {
			*m.into = map[string]int{}
		}
		for k, n := range m.from {
			(*m.into)[k] += n
		}
	}
	for _, m := range r.Mistakes {
		if !m.Kind.Rollcalls() {
			e.sum.Mistakes = append(e.sum.Mistakes, m)
		}
	}
}

// share is how many of the firings with evidence were called Unknown.
func (e *exam) share() float64 {
	n := 0
	for _, of := range e.sum.Unknown {
		n += of
	}
	return float64(n) / float64(max(e.sum.Evidenced, 1))
}

func (e *exam) figures(t *testing.T) {
	t.Helper()
	s := e.sum
	t.Logf("%d worlds, %d firings: %d ran, %d of them recovered, %d by hand; %d certain accusations", e.worlds, s.Firings, s.Ran, s.Recovered, s.ByHand, s.Accusations)
	named, ofOurs := map[witness.Kind]int{}, 0
	for _, m := range s.Mistakes {
		named[m.Kind]++
		if strings.Contains(m.Why, "by Rollcall") {
			ofOurs++
		}
	}
	t.Logf("named, and no mistakes of Rollcall's: %v; in %d of them a run of Rollcall's was concerned", named, ofOurs)
	t.Logf("Unknown are %.3f %% of the %d with evidence: %v", 100*e.share(), s.Evidenced, s.Unknown)
	t.Logf("verdicts: %v", s.Verdicts)
	var faults []string
	for _, k := range slices.Sorted(maps.Keys(s.Faults)) {
		faults = append(faults, fmt.Sprintf("%s %d", k, s.Faults[k]))
	}
	t.Logf("faults: %s", strings.Join(faults, ", "))
}

// apart is how far the seeds of two shards are from each other: rapid's n-th world has a seed that is some n²/2 more.
const apart = 100_000_007

// seeding keeps the shards from reading each other's seed: rapid takes it from a flag when a check begins.
var seeding sync.Mutex

func TestNoFiringIsLostDoubledOrWronglyAccused(t *testing.T) { examine(t, worlds) }

func TestRecoveriesByHandDoNoHarm(t *testing.T) {
	examine(t, func(t *rapid.T) World {
		w := worlds(t)
		for i := range w.Crons { // what the add-on leaves
			w.Crons[i].Backfill = one(t, "left to people", []string{string(auditor.BackfillOff), w.Crons[i].Backfill})
		}
		w.Events = append(w.Events, outages(t, w)...)
		w.ByHand = byHand(t, w)
		return w
	})
}

func examine(t *testing.T, draw func(*rapid.T) World) {
	t.Helper()
	from := cmp.Or(*seed, int(time.Now().Unix()))
	t.Logf("seed %d", from)
	all := &exam{}
	began := time.Now()
	t.Run("shard", func(t *testing.T) {
		for shard := range shards {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				all.shard(t, draw, from, shard, *firings/shards)
			})
		}
	})
	all.figures(t)
	t.Logf("it took %s", time.Since(began).Round(time.Second))
	if !t.Failed() && (all.sum.Firings < *firings || all.sum.Ran < all.sum.Firings/2 || *firings >= 10_000 && all.sum.Recovered == 0) {
		t.Errorf("that shows too little: %d firings were to be judged, at least half of them were to run, and some to be recovered", *firings)
	}
	if most := witness.DefaultRules().UnknownShare; *survey == "" && !t.Failed() && all.share() > most {
		t.Errorf("Unknown are more than %g of the firings for which evidence existed", most)
	}
}

// keep leaves a world in a folder as a case: with the mistakes as its comment.
func keep(folder, name string, w World, wrong []witness.Mistake) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	c := &txtar.Archive{Comment: []byte(spelled(wrong)), Files: []txtar.File{{Name: "world.yaml", Data: []byte(w.String())}}}
	return os.WriteFile(filepath.Join(folder, name+".txtar"), txtar.Format(c), 0o600)
}

// shard makes up worlds until they have so many firings.
func (e *exam) shard(t *testing.T, draw func(*rapid.T) World, from, shard, firings int) {
	seeding.Lock()
	read := sync.OnceFunc(seeding.Unlock)
	defer read()
	for name, value := range map[string]int{"rapid.seed": (from*shards + shard) * apart, "rapid.checks": max(firings/fewest, 1)} {
		if err := flag.Set(name, fmt.Sprint(value)); err != nil {
			t.Fatal(err)
		}
	}
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		t.Fatal(err)
	}
	n, done, failed := 0, 0, false
	rapid.Check(t, func(rt *rapid.T) {
		read()
		if done >= firings && !failed {
			return
		}
		w := draw(rt)
		report, wrong := happens(t, w, nil)
		if !failed {
			n++
			done += report.Firings
			e.add(report)
		}
		switch name := fmt.Sprintf("seed-%d-%d", from, shard); {
		case len(wrong) == 0:
		case *survey != "":
			t.Errorf("world %d-%d:\n%s", shard, n, spelled(wrong))
			if err := keep(*survey, fmt.Sprintf("%s-%d", name, n), w, wrong); err != nil {
				t.Error(err)
			}
		default: // of the worlds that it shrinks to, the last one stays
			failed = true
			if err := keep("testdata", name, w, wrong); err != nil {
				t.Error(err)
			}
			rt.Fatalf("%s\nkept as testdata/%s.txtar\n%s", spelled(wrong), name, w)
		}
	})
}
