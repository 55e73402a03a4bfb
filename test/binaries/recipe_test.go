package binaries

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestEveryRecipeHasAModuleThatPinsItAndKeepsWhatItNeeds(t *testing.T) {
	for b, r := range recipes {
		t.Run(string(b), func(t *testing.T) {
			goMod, err := os.ReadFile(filepath.Join(r.folder, "go.mod"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := required(goMod, r.module); err != nil {
				t.Error(err)
			}
			// Without the directive `go mod tidy` empties the module.
			var tools []string
			for line := range strings.Lines(string(goMod)) {
				tools = append(tools, strings.TrimPrefix(strings.TrimSpace(line), "tool "))
			}
			if !slices.Contains(tools, r.pkg) {
				t.Errorf("%s/go.mod has no tool directive for %s", r.folder, r.pkg)
			}
		})
	}
	for _, b := range slices.Concat(All(), Node(), Chart()) {
		if _, err := lookUp(b); err != nil {
			t.Error(err)
		}
	}
}

func TestAnUnknownBinaryIsRefusedWithWhatThereIs(t *testing.T) {
	_, err := Ensure(t.Context(), nil, "kubeadm")
	if err == nil || !strings.Contains(err.Error(), `"kubeadm"`) || !strings.Contains(err.Error(), string(Etcd)) {
		t.Errorf("got %v", err)
	}
}

func TestKubernetesIsStampedWithItsVersion(t *testing.T) {
	got := strings.Join(kubernetesStamp("v1.36.3"), " ")
	for _, want := range []string{".gitVersion=v1.36.3", ".gitMajor=1", ".gitMinor=36"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}

func TestARequiredVersionIsFound(t *testing.T) {
	for name, tc := range map[string]struct{ goMod, want string }{
		"on a line of its own": {"module m\nrequire example.com/a v1.2.3\n", "v1.2.3"},
		"in a block":           {"require (\n\texample.com/ab v9.0.0\n\texample.com/a v1.2.3 // indirect\n)\n", "v1.2.3"},
		"not in a replace":     {"replace (\n\texample.com/a => example.com/a v0.0.1\n)\nrequire example.com/a v1.2.3\n", "v1.2.3"},
		"not at all":           {"tool example.com/a\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := required([]byte(tc.goMod), "example.com/a")
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestTheCallersGoSettingsDoNotReachABuild(t *testing.T) {
	env := goEnv([]string{"GOFLAGS=-mod=mod", "GOOS=plan9", "CGO_ENABLED=1", "GOWORK=/w", "GOPROXY=https://proxy.example", "HOME=/h"}, "/d")
	for _, gone := range []string{"GOFLAGS=-mod=mod", "GOOS=plan9", "CGO_ENABLED=1", "GOWORK=/w"} {
		if slices.Contains(env, gone) {
			t.Errorf("%s is left", gone)
		}
	}
	for _, there := range []string{"GOFLAGS=-mod=readonly", "CGO_ENABLED=0", "GOWORK=off", "GOPROXY=https://proxy.example", "HOME=/h", "PWD=/d"} {
		if !slices.Contains(env, there) {
			t.Errorf("%s is missing", there)
		}
	}
}

func TestTheSourceIsFoundFromAnywhere(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := sourceAbove(filepath.Join(here, "build")); got != here || err != nil {
		t.Errorf("from a folder below: %s, %v", got, err)
	}
	if _, err := sourceAbove(t.TempDir()); err == nil {
		t.Error("found from a folder outside")
	}
	if _, file, _, _ := runtime.Caller(0); !filepath.IsAbs(file) {
		return // built with -trimpath: above the working folder is all there is
	}
	t.Chdir(t.TempDir())
	if got, err := sourceDir(); got != here || err != nil {
		t.Errorf("from elsewhere: %s, %v", got, err)
	}
}

func TestTheCacheIsWhereTheEnvironmentSays(t *testing.T) {
	t.Setenv("ROLLCALL_CACHE", "/somewhere")
	if got, err := cacheDir(); got != "/somewhere" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	t.Setenv("ROLLCALL_CACHE", "")
	t.Setenv("XDG_CACHE_HOME", "/xdg")
	t.Setenv("HOME", "/home")
	if got, err := cacheDir(); filepath.Base(got) != "rollcall" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}
