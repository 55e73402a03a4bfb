package sim

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"rollcall.dev/rollcall/test/exam/witness"
)

var world = flag.String("world", "", "a case as in testdata: play it, and log all that happens in it")

// rules are the witness's, but for the share of Unknown, which is of all worlds together.
func rules() witness.Rules {
	r := witness.DefaultRules()
	r.UnknownShare = 1
	return r
}

// happens lets a world happen in a bubble of its own.
func happens(t *testing.T, w World, log slog.Handler) (report witness.Report, wrong []witness.Mistake) {
	t.Helper()
	var err error
	synctest.Test(t, func(*testing.T) { report, err = Play(w, rules(), log) })
	if err != nil {
		t.Fatal(err)
	}
	return report, slices.DeleteFunc(slices.Clone(report.Mistakes), func(m witness.Mistake) bool { return !m.Kind.Rollcalls() })
}

func spelled(all []witness.Mistake) string {
	var b strings.Builder
	for _, m := range all {
		fmt.Fprintf(&b, "%s %s %s: %s\n", m.Kind, m.Name, m.ScheduledTime.Format("15:04:05"), m.Why)
	}
	return b.String()
}

// open reads a case.
func open(t *testing.T, path string) World {
	t.Helper()
	c, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Files) != 1 || c.Files[0].Name != "world.yaml" {
		t.Fatalf("%s has to have one file, world.yaml", path)
	}
	w, err := Read(c.Files[0].Data)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return w
}

// again is how often a case is played: what happens at one moment happens in any order, and differs from time to time.
const again = 3

func TestNoCaseIsAMistakeAnyMore(t *testing.T) {
	if *world != "" {
		report, wrong := happens(t, open(t, *world), slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug}))
		t.Logf("%+v", report)
		if len(wrong) > 0 {
			t.Error(spelled(wrong))
		}
		return
	}
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatal("no cases: ", err)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			for range again {
				if _, wrong := happens(t, open(t, path), nil); len(wrong) > 0 {
					t.Fatal(spelled(wrong))
				}
			}
		})
	}
}

func TestAWorldIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := worlds(rt)
		read, err := Read([]byte(w.String()))
		if err != nil || read.String() != w.String() {
			rt.Errorf("%v, and it is\n%s", err, read)
		}
	})
}
