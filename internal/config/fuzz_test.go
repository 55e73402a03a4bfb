package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"rollcall.dev/rollcall/auditor"
)

// FuzzController: whatever the file, a variable and a flag hold, either all settings are inside their bounds or every line of the error
// names what set the one that is wrong; it is short, and loading it again says the same.
func FuzzController(f *testing.F) {
	for _, file := range []string{
		"", "{}", "[]", "null", "a", "grace: 1m", "backfill: on\nmax-parallel: 0x10\n", "max-parallel: 1e2\nmax-catch-up: 1_0\n", "max-parallel: 99999999999999999999\n", "max-parallel: .nan\nmax-catch-up: .inf\n",
		"namespace: [a, [b], {c: d}, null, 2026-11-23]\n", "namespace: {a: b}\n", "grace: &a [*a]\n", "? [a]\n: b\n", "1: 2\ntrue: false\n", "<<: {grace: 1m}\n", "grace: !!binary AAAA\n", "grace: !x y\n", "GRACE: 1m\n", "grace.x: 1m\n", "grace: {x: 1m}\n",
		"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ngrace: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
		strings.Repeat("[", 5000), strings.Repeat("{a: ", 2000), "\xff\xfe", "\xef\xbb\xbfgrace: 1m", "grace: \"\\ud800\"\n", "{\"grace\": \"1m\"} {}", "grace: 1m\n---\n", "%YAML 9.9\n---\ngrace: 1m\n", "http-address: ':99999'\n", "alertmanager-url: 'http://u:p@[::1'\n", "identity: " + strings.Repeat("x", 200),
	} {
		f.Add(file, "10", "2h")
	}
	f.Add("max-catch-up: 7", "-1", "")
	f.Add("max-catch-up: 7", strings.Repeat("1", 7000), strings.Repeat("\xb0", 7000))                          // once, all of it was repeated
	f.Add("x: &a "+strings.Repeat("y", 50_000)+"\nnamespace: [[*a"+strings.Repeat(",*a", 5000)+"]]\n", "", "") // and each of these
	f.Add("log-level: debug", "\x00", "-1ns")
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddJudging(flags)
	AddController(flags)
	keys := controllerKeys()
	f.Fuzz(func(t *testing.T, file, variable, flag string) {
		hung := time.AfterFunc(5*time.Second, func() { panic("it takes more than 5s") })
		defer hung.Stop()
		if !strings.ContainsRune(variable, 0) { // no variable can hold that
			t.Setenv("ROLLCALL_MAX_PARALLEL", variable)
		}
		for name, value := range map[string]string{File: "rollcall.yaml", DefaultDeadline: flag} {
			if err := flags.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
		read := func(string) ([]byte, error) { return []byte(file), nil }
		c, err := loadController(flags, read)
		if _, again := loadController(flags, read); fmt.Sprint(err) != fmt.Sprint(again) {
			t.Errorf("first %v, then %v", err, again)
		}
		if err == nil {
			inBounds(t, c)
			return
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			named := strings.HasPrefix(line, "rollcall.yaml: ") || strings.HasPrefix(line, "ROLLCALL_MAX_PARALLEL: ") || strings.HasPrefix(line, "--"+DefaultDeadline+": ") ||
				slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(line, "--"+key+": the default, ") })
			if !named {
				t.Errorf("it does not say what is wrong: %.300q", line)
			}
			if len(line) > 2000 {
				t.Errorf("it takes %d bytes to say what is wrong: %.300q", len(line), line)
			}
		}
	})
}

func inBounds(t *testing.T, c Controller) {
	t.Helper()
	for what, holds := range map[string]bool{
		"grace":            c.Grace > 0,
		"late-after":       c.LateAfter > 0,
		"zone":             c.ControllerZone != nil && c.ControllerZone.String() != "Local",
		"backfill":         slices.Contains(backfills, string(c.Backfill)),
		"catch-up":         slices.Contains(catchUps, string(c.CatchUp)),
		"max-parallel":     1 <= c.MaxParallel && c.MaxParallel <= mostParallel,
		"max-catch-up":     1 <= c.MaxCatchUp && c.MaxCatchUp <= auditor.MaxOpen,
		"default-deadline": c.DefaultDeadline == 0 || c.DefaultDeadline >= minDeadline,
		"namespaces":       slices.IsSorted(c.Namespaces) && !slices.Contains(c.Namespaces, ""),
		"argo-namespace":   c.ArgoNamespace != "",
		"log-format":       slices.Contains(logFormats, c.LogFormat),
		"identity":         c.Identity != "",
	} {
		if !holds {
			t.Errorf("%s is out of bounds: %+v", what, c)
		}
	}
}
