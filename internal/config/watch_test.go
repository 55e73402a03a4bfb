package config

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// said is what a line of the log says.
type said struct {
	Level    string   `json:"level"`
	File     string   `json:"file"`
	Keys     []string `json:"keys,omitempty"`
	Problems []string `json:"problems,omitempty"`
}

func TestAFileThatChangesIsSaidAndNothingElse(t *testing.T) {
	const path = "rollcall.yaml"
	rewrite := func(content string) func(*testing.T) { return func(t *testing.T) { write(t, path, content) } }
	for name, c := range map[string]struct {
		change func(*testing.T)
		want   []said
	}{
		"one that stays as it is": {func(*testing.T) {}, nil},
		"settings that a restart would change": {
			rewrite("max-parallel: 5\nlog-level: debug\ngrace: 60s\n"), []said{{Level: "WARN", File: path, Keys: []string{"max-parallel", "log-level"}}},
		},
		"a setting that a flag beats": {rewrite("max-parallel: 4\ngrace: 1m\nbackfill: off\n"), []said{{Level: "INFO", File: path}}},
		"a mistake": {
			rewrite("max-parallels: 5\n"), []said{{Level: "ERROR", File: path, Problems: []string{`rollcall.yaml: there is no setting "max-parallels": did you mean max-parallel?`}}},
		},
		"a file that is taken away": {
			func(t *testing.T) {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			},
			[]said{{Level: "ERROR", File: path, Problems: []string{"--config: open rollcall.yaml: no such file or directory"}}},
		},
		"one that is only written by halves at a look": {
			func(t *testing.T) {
				write(t, path, "max-paral")
				time.Sleep(lookEvery)
				write(t, path, "max-parallel: 5\ngrace: 1m\n")
			},
			[]said{{Level: "WARN", File: path, Keys: []string{"max-parallel"}}},
		},
		"a change that is taken back": {
			func(t *testing.T) {
				write(t, path, "max-parallel: 5\ngrace: 1m\n")
				time.Sleep(time.Hour)
				write(t, path, "max-parallel: 4\ngrace: 1m\n")
			},
			[]said{{Level: "WARN", File: path, Keys: []string{"max-parallel"}}, {Level: "INFO", File: path}},
		},
		"a ConfigMap that is updated, whose files are links into a folder that is swapped": {
			func(t *testing.T) {
				write(t, "data2/"+path, "max-parallel: 6\ngrace: 1m\n")
				link(t, "data2")
			},
			[]said{{Level: "WARN", File: path, Keys: []string{"max-parallel"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			flags := controllerFlags(t, "--config="+path, "--backfill=on")
			for _, dir := range []string{"data1", "data2"} {
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			write(t, "data1/"+path, "max-parallel: 4\ngrace: 1m\n")
			link(t, "data1")
			if err := os.Symlink("..data/"+path, path); err != nil {
				t.Fatal(err)
			}
			current, err := LoadController(flags)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			synctest.Test(t, func(t *testing.T) {
				go WatchFile(t.Context(), flags, current, slog.New(slog.NewJSONHandler(&log, nil)))
				time.Sleep(time.Hour + time.Second)
				c.change(t)
				time.Sleep(time.Hour)
			})
			var got []said
			for line := range bytes.Lines(log.Bytes()) {
				var s said
				if err := json.Unmarshal(line, &s); err != nil {
					t.Fatal(err)
				}
				got = append(got, s)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// link has ..data lead to a folder, in one step, as the kubelet does.
func link(t *testing.T, to string) {
	t.Helper()
	if err := os.Symlink(to, "..new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename("..new", "..data"); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutAFileThereIsNothingToWatch(t *testing.T) {
	WatchFile(t.Context(), controllerFlags(t), Controller{}, slog.New(slog.DiscardHandler))
}
