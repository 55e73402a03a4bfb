package real

import (
	"reflect"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/exam/witness"
)

func TestAScriptIsTheSameForTheSameSeed(t *testing.T) {
	for seed := range uint64(20) {
		one, other := newScript(seed, 30*time.Minute), newScript(seed, 30*time.Minute)
		if !reflect.DeepEqual(one, other) {
			t.Fatalf("seed %d gave two scripts", seed)
		}
		if reflect.DeepEqual(one.Faults, newScript(seed+1, 30*time.Minute).Faults) {
			t.Fatalf("seeds %d and %d gave the same faults", seed, seed+1)
		}
	}
}

func TestEveryScriptBreaksWhatMattersAndEndsInCalm(t *testing.T) {
	for _, length := range []time.Duration{Shortest, 30 * time.Minute} {
		for seed := range uint64(200) {
			s := newScript(seed, length)
			hit := map[string]bool{}
			for _, f := range s.Faults {
				if f.At < calmBefore || f.At+f.For > length-calmAfter || f.For <= 0 {
					t.Fatalf("%s, seed %d: %+v is not between the calms", length, seed, f)
				}
				hit[f.What] = true
			}
			for _, e := range s.Edits {
				if e.At < calmBefore || e.At > length-calmAfter || !s.Cast[e.Cron].Theirs {
					t.Fatalf("%s, seed %d: %+v is none of theirs, or not between the calms", length, seed, e)
				}
			}
			for _, what := range []string{witness.Argo, witness.Leader, witness.Rollcall} {
				if !hit[what] {
					t.Fatalf("%s, seed %d: nothing hits %s: %+v", length, seed, what, s.Faults)
				}
			}
		}
	}
}

func TestTheCastCoversWhatItIsFor(t *testing.T) {
	for seed := range uint64(50) {
		cast := newScript(seed, Shortest).Cast
		if n := len(cast); n < 40 || n > 60 {
			t.Errorf("there are %d CronWorkflows", n)
		}
		names := map[string]bool{}
		for _, c := range cast {
			if names[c.Name] {
				t.Errorf("%s is there twice", c.Name)
			}
			names[c.Name] = true
			if len(c.Name) > 52 {
				t.Errorf("Argo schedules no name like %s", c.Name)
			}
			if _, err := c.manifest(); err != nil {
				t.Error(err)
			}
			if c.When != "" && whens[c.When] == nil {
				t.Errorf("nobody knows what %q amounts to", c.When)
			}
		}
	}
}
