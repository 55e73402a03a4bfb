package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	core "k8s.io/api/core/v1"
)

// fakeWget prints what it is asked for, and what the metrics must have.
const fakeWget = `#!/bin/sh
for url; do :; done
echo "rollcall_build_info from $url"
echo "$url" >>"$ASKED"
`

// TestTheHelmTestAsksTheServiceWhateverItsNameAndAddress runs what the pod runs, in the environment that a kubelet gives it.
func TestTheHelmTestAsksTheServiceWhateverItsNameAndAddress(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "wget"), []byte(fakeWget), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args              []string
		variable, address string // of the Service
		want              []string
	}{
		"IPv4": {nil, "ROLLCALL_SERVICE_HOST", "10.0.0.1", []string{"http://10.0.0.1:8080/readyz", "http://10.0.0.1:9090/metrics"}},
		"IPv6": {nil, "ROLLCALL_SERVICE_HOST", "fd00::1", []string{"http://[fd00::1]:8080/readyz", "http://[fd00::1]:9090/metrics"}},
		"a name that begins with a digit": {
			[]string{"--set", "fullnameOverride=1-abc,service.httpPort=80"},
			"1_ABC_SERVICE_HOST", "10.0.0.1", []string{"http://10.0.0.1:80/readyz", "http://10.0.0.1:9090/metrics"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pods := ofKind[core.Pod](t, rendered(t, c.args...), "Pod")
			if len(pods) != 1 {
				t.Fatalf("there are %d pods", len(pods))
			}
			asked := filepath.Join(t.TempDir(), "asked")
			container := pods[0].Spec.Containers[0]
			cmd := exec.CommandContext(t.Context(), container.Command[0], container.Command[1:]...)
			cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "ASKED=" + asked, c.variable + "=" + c.address}
			for _, e := range container.Env {
				cmd.Env = append(cmd.Env, e.Name+"="+strings.ReplaceAll(e.Value, "$("+c.variable+")", c.address))
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got, err := os.ReadFile(asked)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, strings.Fields(string(got))); diff != "" {
				t.Errorf("-want +asked\n%s", diff)
			}
		})
	}
}
