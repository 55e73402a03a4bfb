//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// run runs the command in the folder source, with its results in the folder dist, and returns what it printed.
func run(t *testing.T, source, dist string, args ...string) (string, error) {
	t.Helper()
	t.Chdir(source)
	var out bytes.Buffer
	err := command(t.Context(), &out, os.Stderr, append([]string{"-out", dist, "-bin", filepath.Join(dist, "bin")}, args...))
	return out.String(), err
}

func TestTheRealImageIsTheSameFromAnotherFolderAndRunsFromWhatIsInIt(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1770000000")
	source, err := filepath.Abs(module)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-tag", "1.2.3", "-platforms", "linux/amd64", "-revision", "abc", "-ldflags", "-s -w -X main.version=v1.2.3 -X main.commit=abc"}
	first, second := t.TempDir(), t.TempDir()
	for dist, source := range map[string]string{first: source, second: copySource(t, source)} {
		if _, err := run(t, source, dist, args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"rollcall-1.2.3-oci.tar", "rollcall-1.2.3-linux-amd64.tar", "rollcall-1.2.3-linux-amd64.cdx.json"} {
		if read(t, filepath.Join(first, name)) != read(t, filepath.Join(second, name)) {
			t.Errorf("%s differs", name)
		}
	}

	root := unpack(t, filepath.Join(first, "rollcall-1.2.3-linux-amd64.tar"), "rollcall.dev/rollcall:1.2.3")
	if got := inRoot(t, root, "version"); !strings.HasPrefix(got, "rollcall v1.2.3 (commit abc, go") {
		t.Errorf("version: %s", got)
	}
	got := inRoot(t, root, "schedule", "0 9 * * *", "--timezone", "Europe/Berlin", "--from", "2026-07-01T00:00:00Z")
	if !strings.Contains(got, "2026-07-01 09:00:00 +02:00  2026-07-01T07:00:00Z") {
		t.Errorf("schedule: %s", got)
	}
	program := filepath.Join(root, "rollcall")
	// Where the program could not be shut into its root, the machine's time zones would do as well.
	if !strings.Contains(read(t, program), "Europe/BerlinTZif") {
		t.Error("the program carries no time zones")
	}
	checkSBOM(t, filepath.Join(first, "rollcall-1.2.3-linux-amd64.cdx.json"), program, read(t, filepath.Join(source, "go.mod")))
}

// copySource copies what Rollcall is built from.
func copySource(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if slices.Contains([]string{".git", ".cache", "bin", "dist", "test"}, rel) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// unpack unpacks the image that the archive at path calls ref, and returns the folder that would be its root.
func unpack(t *testing.T, path, ref string) string {
	t.Helper()
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := tarball.ImageFromPath(path, &tag)
	if err != nil {
		t.Fatal(err)
	}
	content := mutate.Extract(img)
	defer content.Close()
	root := t.TempDir()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return root
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(root, h.Name)
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(to, h.FileInfo().Mode())
		} else {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(to, b, h.FileInfo().Mode())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// inRoot runs /rollcall with root as all that it sees, as the image's user, without an environment. That takes no root but
// a user namespace; where the kernel grants none, the program runs in an empty folder instead.
func inRoot(t *testing.T, root string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("/rollcall", args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = "/", []string{}, &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: root, Cloneflags: syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 65532, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 65532, HostID: os.Getgid(), Size: 1}},
	}
	err := cmd.Run()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Logf("no user namespace: %v", err)
		cmd = exec.Command(filepath.Join(root, "rollcall"), args...)
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = t.TempDir(), []string{}, &stdout, &stderr
		err = cmd.Run()
	}
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("rollcall %q: %v: %s", args, err, stderr.String())
	}
	return stdout.String()
}

// checkSBOM holds the SBOM at path against the modules that the program says it has, and client-go's against go.mod.
func checkSBOM(t *testing.T, path, program, goMod string) {
	t.Helper()
	var sbom struct {
		BOMFormat, SpecVersion, SerialNumber string
		Metadata                             struct {
			Timestamp string
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal([]byte(read(t, path)), &sbom); err != nil {
		t.Fatal(err)
	}
	if sbom.BOMFormat != "CycloneDX" || sbom.SpecVersion == "" || sbom.SerialNumber != "" || sbom.Metadata.Timestamp != "" {
		t.Errorf("got a %s %s with serial number %q of %q", sbom.BOMFormat, sbom.SpecVersion, sbom.SerialNumber, sbom.Metadata.Timestamp)
	}
	if c := sbom.Metadata.Component; c.Name != "rollcall.dev/rollcall" || c.Version != "1.2.3" {
		t.Errorf("it is of %s %s", c.Name, c.Version)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]string{"std": info.GoVersion}, map[string]string{}
	for _, dep := range info.Deps {
		want[dep.Path] = dep.Version
	}
	for _, c := range sbom.Components {
		got[c.Name] = c.Version
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	if want := submatch(t, goMod, `k8s\.io/client-go (v\S+)`); got["k8s.io/client-go"] != want {
		t.Errorf("client-go %q, go.mod says %s", got["k8s.io/client-go"], want)
	}
}

// small is a module like Rollcall's that compiles in a moment.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"go.mod":               "module rollcall.dev/rollcall\n\ngo 1.26.0\n",
		"LICENSE":              "You may.\n",
		"cmd/rollcall/main.go": "package main\n\nfunc main() { println(version) }\n\nvar version string\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEveryPlatformGetsItsOwnProgram(t *testing.T) {
	dist := t.TempDir()
	printed, err := run(t, small(t), dist, "-tag", "1", "-image", "example.com/small")
	if err != nil {
		t.Fatal(err)
	}
	for platform, want := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(platform, func(t *testing.T) {
			path := filepath.Join(dist, "rollcall-1-linux-"+platform+".tar")
			program, err := elf.Open(filepath.Join(unpack(t, path, "example.com/small:1"), "rollcall"))
			if err != nil {
				t.Fatal(err)
			}
			defer program.Close()
			if program.Machine != want {
				t.Errorf("the program is for %v, want %v", program.Machine, want)
			}
			if imports, err := program.ImportedLibraries(); err != nil || len(imports) > 0 {
				t.Errorf("the program is not static: %v, %v", imports, err)
			}
			if got := config(t, path); got.OS != "linux" || got.Architecture != platform || got.Created.Unix() != 0 {
				t.Errorf("the image is for %s/%s, of %s", got.OS, got.Architecture, got.Created)
			}
			sbom := filepath.Join(dist, "rollcall-1-linux-"+platform+".cdx.json")
			modules := regexp.MustCompile(`goarch=\w+`).FindAllString(read(t, sbom), -1)
			slices.Sort(modules)
			if diff := cmp.Diff([]string{"goarch=" + platform}, slices.Compact(modules)); diff != "" {
				t.Errorf("modules of the SBOM (-want +got):\n%s", diff)
			}
		})
	}
	for _, want := range []string{
		"example.com/small:1 ", "sha256:", "compressed", "rollcall-1-oci.tar", "docker load -i " + dist + "/rollcall-1-linux-arm64.tar",
		"skopeo copy --all --preserve-digests oci-archive:" + dist + "/rollcall-1-oci.tar docker://REGISTRY/small:1\n",
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("it did not print %q:\n%s", want, printed)
		}
	}
}

func config(t *testing.T, path string) *v1.ConfigFile {
	t.Helper()
	img, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheFolderForTheDockerfileHoldsTheFilesOfTheImage(t *testing.T) {
	source, root, dist := small(t), t.TempDir(), t.TempDir()
	args := []string{"-platforms", "linux/amd64", "-ldflags", "-s -w"}
	if _, err := run(t, source, dist, append(args, "-rootfs", root)...); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, source, dist, append(args, "-tag", "1")...); err != nil {
		t.Fatal(err)
	}
	inImage := unpack(t, filepath.Join(dist, "rollcall-1-linux-amd64.tar"), "rollcall.dev/rollcall:1")
	if diff := cmp.Diff(tree(t, inImage), tree(t, root)); diff != "" {
		t.Errorf("(-image +folder):\n%s", diff)
	}
}

// tree is the mode and content of everything below dir.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		all[rel] = info.Mode().String()
		if !d.IsDir() {
			all[rel] += " " + read(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAWrongSettingIsRefusedBeforeAnythingIsBuilt(t *testing.T) {
	for name, tc := range map[string]struct {
		args  []string
		epoch string
		want  string
	}{
		"no tag":                     {nil, "", "-tag is missing"},
		"a tag that is none":         {[]string{"-tag", "a/b"}, "", "-image and -tag: "},
		"a name that is none":        {[]string{"-tag", "1", "-image", "Up/Case"}, "", "-image and -tag: "},
		"a platform without a test":  {[]string{"-tag", "1", "-platforms", "linux/s390x"}, "", `"linux/s390x" is none of linux/amd64, linux/arm64`},
		"a platform twice":           {[]string{"-tag", "1", "-platforms", "linux/amd64,linux/amd64"}, "", "linux/amd64 is there twice"},
		"a time that is none":        {[]string{"-tag", "1"}, "now", `SOURCE_DATE_EPOCH: "now" is no number of seconds`},
		"a word too many":            {[]string{"amd64"}, "", `"amd64" is no flag`},
		"a folder for two platforms": {[]string{"-rootfs", "/nowhere"}, "", "-rootfs is for one of -platforms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SOURCE_DATE_EPOCH", tc.epoch)
			dist := filepath.Join(t.TempDir(), "dist")
			_, err := run(t, t.TempDir(), dist, tc.args...)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if _, err := os.Stat(dist); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something was written: %v", err)
			}
		})
	}
}

func TestAProgramThatDoesNotCompileFailsWithTheCompilersWords(t *testing.T) {
	source := small(t)
	if err := os.WriteFile(filepath.Join(source, "cmd/rollcall/main.go"), []byte("package main\n\nfunc main() { nonsense() }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := run(t, source, t.TempDir(), "-tag", "1", "-platforms", "linux/amd64")
	if err == nil || !strings.Contains(err.Error(), "undefined: nonsense") {
		t.Errorf("got %v", err)
	}
}
