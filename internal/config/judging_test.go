package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"rollcall.dev/rollcall/auditor"
)

func TestLoadJudging(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	defaults := Judging{Grace: auditor.DefaultGrace, LateAfter: auditor.DefaultLateAfter, ControllerZone: time.UTC, ArgoNamespace: "argo"}
	for name, c := range map[string]struct {
		args  []string
		env   map[string]string
		want  func(Judging) Judging
		error string
	}{
		"nothing set gives the defaults": {},
		"flags are read": {
			args: []string{"--grace=2m", "--late-after=90s", "--controller-timezone=Europe/Berlin", "--instance-id=blue", "--argo-namespace=workflows"},
			want: func(Judging) Judging {
				return Judging{Grace: 2 * time.Minute, LateAfter: 90 * time.Second, ControllerZone: berlin, InstanceID: "blue", ArgoNamespace: "workflows"}
			},
		},
		"the environment stands in for flags that are not given": {
			env:  map[string]string{"ROLLCALL_LATE_AFTER": "5m", "ROLLCALL_ARGO_NAMESPACE": "workflows"},
			want: func(j Judging) Judging { j.LateAfter, j.ArgoNamespace = 5*time.Minute, "workflows"; return j },
		},
		"a flag beats the environment": {
			args: []string{"--grace=10s"},
			env:  map[string]string{"ROLLCALL_GRACE": "not a duration"},
			want: func(j Judging) Judging { j.Grace = 10 * time.Second; return j },
		},
		"every problem is named at once, by what set it": {
			args: []string{"--grace=soon", "--controller-timezone=Mars/Olympus", "--argo-namespace="},
			env:  map[string]string{"ROLLCALL_LATE_AFTER": "-1m"},
			error: `--grace: "soon" is not a duration such as 30s, 5m or 1h30m` + "\n" +
				"ROLLCALL_LATE_AFTER: -1m is not more than 0\n" +
				`--controller-timezone: "Mars/Olympus" is not a timezone of the IANA database (such as UTC or Europe/Berlin)` + "\n" +
				"--argo-namespace: must not be empty",
		},
		"Local is no timezone: it differs from machine to machine": {
			args:  []string{"--controller-timezone=Local"},
			error: `--controller-timezone: "Local" is not the name of a timezone such as UTC or Europe/Berlin`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range c.env {
				t.Setenv(variable, value)
			}
			flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
			AddJudging(flags)
			if err := flags.Parse(c.args); err != nil {
				t.Fatal(err)
			}
			got, err := LoadJudging(flags)
			if c.error != "" {
				if err == nil || err.Error() != c.error {
					t.Fatalf("error\n%v\nwant\n%s", err, c.error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := defaults
			if c.want != nil {
				want = c.want(defaults)
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestAFlagThatIsNotDefinedIsAnError(t *testing.T) {
	if _, err := LoadJudging(pflag.NewFlagSet("test", pflag.ContinueOnError)); err == nil {
		t.Error("no error")
	}
}
