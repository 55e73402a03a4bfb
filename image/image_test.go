package image_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"rollcall.dev/rollcall/image"
)

const ref = "example.com/shell:1.0"

// shell is an image with one entry of each kind.
func shell(platform string) image.Spec {
	return image.Spec{
		Platform: platform,
		Files: []image.File{
			{Path: "/usr/bin/busybox", Mode: 0o755, Data: []byte("the program for " + platform)},
			{Path: "/usr/bin/sh", Mode: fs.ModeSymlink | 0o777, Data: []byte("busybox")},
			{Path: "/tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
			{Path: "/etc/passwd", Mode: 0o644, Data: []byte("me:x:1000:1000:me:/:/usr/bin/sh\n")},
		},
		Entrypoint: []string{"/usr/bin/sh"},
		User:       "1000:1000",
		Env:        []string{"PATH=/usr/bin"},
		Labels:     map[string]string{"org.opencontainers.image.version": "1.0", "a": "b"},
		Created:    time.Date(2026, 3, 1, 12, 0, 0, 999, time.FixedZone("east", 3600)),
	}
}

func newImage(t *testing.T, spec image.Spec) v1.Image {
	t.Helper()
	img, err := image.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// writeBoth makes shell for two platforms and writes each kind of archive into dir.
func writeBoth(t *testing.T, dir string, amd64, arm64 image.Spec) (oci, docker string, digest v1.Hash) {
	t.Helper()
	oci, docker = filepath.Join(dir, "oci.tar"), filepath.Join(dir, "docker.tar")
	one, two := newImage(t, amd64), newImage(t, arm64)
	digest, err := image.WriteOCI(oci, ref, one, two)
	if err != nil {
		t.Fatal(err)
	}
	if err := image.WriteDocker(docker, ref, one); err != nil {
		t.Fatal(err)
	}
	return oci, docker, digest
}

func TestTheSameFilesGiveTheSameBytesInAnyFolderAndOrder(t *testing.T) {
	amd64, arm64 := shell("linux/amd64"), shell("linux/arm64")
	oci, docker, _ := writeBoth(t, t.TempDir(), amd64, arm64)
	slices.Reverse(amd64.Files)
	amd64.Created = amd64.Created.UTC().Truncate(time.Second)
	oci2, docker2, _ := writeBoth(t, t.TempDir(), amd64, arm64)
	for first, second := range map[string]string{oci: oci2, docker: docker2} {
		if !bytes.Equal(read(t, first), read(t, second)) {
			t.Errorf("%s differs from %s", first, second)
		}
	}
	amd64.Files[0].Data = []byte("other")
	if oci3, _, _ := writeBoth(t, t.TempDir(), amd64, arm64); bytes.Equal(read(t, oci), read(t, oci3)) {
		t.Error("another content gives the same bytes")
	}
}

func TestTheOCIArchiveHoldsEveryPlatformUnderOneName(t *testing.T) {
	path, _, digest := writeBoth(t, t.TempDir(), shell("linux/amd64"), shell("linux/arm64"))
	dir := t.TempDir()
	untar(t, path, dir)
	archive, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	top, err := archive.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(top.Manifests) != 1 {
		t.Fatalf("the archive holds %d entries, want the one index", len(top.Manifests))
	}
	if top.Manifests[0].Digest != digest {
		t.Errorf("the index is %s, WriteOCI said %s", top.Manifests[0].Digest, digest)
	}
	names := map[string]string{"org.opencontainers.image.ref.name": "1.0", "io.containerd.image.name": ref}
	if diff := cmp.Diff(names, top.Manifests[0].Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	index, err := archive.ImageIndex(digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var want []v1.Descriptor
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		img := newImage(t, shell(platform))
		m, err := img.RawManifest()
		if err != nil {
			t.Fatal(err)
		}
		d, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		p, err := v1.ParsePlatform(platform)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, v1.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", Size: int64(len(m)), Digest: d, Platform: p})
	}
	if diff := cmp.Diff(want, manifest.Manifests); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

func TestTheDockerArchiveHoldsTheSameImage(t *testing.T) {
	want := newImage(t, shell("linux/amd64"))
	path := filepath.Join(t.TempDir(), "docker.tar")
	if err := image.WriteDocker(path, ref, want); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tarball.ImageFromPath(path, &tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(got); err != nil {
		t.Error(err)
	}
	wantConfig, err := want.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	gotConfig, err := got.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(wantConfig), string(gotConfig)); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(layers(t, want), layers(t, got)); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
}

func TestTheConfigurationIsThatOfTheSpec(t *testing.T) {
	config, err := newImage(t, shell("linux/arm64/v8")).ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	created := v1.Time{Time: time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)}
	want := &v1.ConfigFile{
		OS: "linux", Architecture: "arm64", Variant: "v8", Created: created,
		RootFS:  config.RootFS,
		History: []v1.History{{Created: created, CreatedBy: "rollcall.dev/rollcall/image"}},
		Config: v1.Config{
			Entrypoint: []string{"/usr/bin/sh"}, User: "1000:1000", Env: []string{"PATH=/usr/bin"}, WorkingDir: "/",
			Labels: map[string]string{"org.opencontainers.image.version": "1.0", "a": "b"},
		},
	}
	if diff := cmp.Diff(want, config); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheRootHoldsTheFilesAndTheFoldersAboveThem(t *testing.T) {
	want := []string{
		"drwxr-xr-x etc/", "-rw-r--r-- etc/passwd", "dtrwxrwxrwx tmp/", "drwxr-xr-x usr/", "drwxr-xr-x usr/bin/",
		"-rwxr-xr-x usr/bin/busybox", "Lrwxrwxrwx usr/bin/sh",
	}
	var got []string
	all, err := newImage(t, shell("linux/amd64")).Layers()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		t.Fatalf("%d layers, want one", len(all))
	}
	content, err := all[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h.FileInfo().Mode().String()+" "+h.Name)
		if h.Uid != 0 || h.Gid != 0 || !h.ModTime.Equal(time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)) {
			t.Errorf("%s belongs to %d:%d and is of %s", h.Name, h.Uid, h.Gid, h.ModTime)
		}
		if h.Name == "usr/bin/sh" && h.Linkname != "busybox" {
			t.Errorf("%s leads to %q", h.Name, h.Linkname)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestASpecThatIsWrongIsRefusedWithTheReason(t *testing.T) {
	file := func(path string, mode fs.FileMode) image.File { return image.File{Path: path, Mode: mode} }
	for name, tc := range map[string]struct {
		platform string
		files    []image.File
		want     string
	}{
		"no platform":                {"", nil, `"" is not like linux/amd64`},
		"a platform with no machine": {"linux", nil, `"linux" is not like linux/amd64`},
		"a relative path":            {"linux/amd64", []image.File{file("etc", 0)}, `"etc" is not an absolute, clean path`},
		"a path that leads up":       {"linux/amd64", []image.File{file("/a/../b", 0)}, `"/a/../b" is not an absolute, clean path`},
		"the root itself":            {"linux/amd64", []image.File{file("/", fs.ModeDir)}, `"/" is not an absolute, clean path below /`},
		"a path twice":               {"linux/amd64", []image.File{file("/a", 0), file("/a", 0)}, "/a is there twice"},
		"a file below a file":        {"linux/amd64", []image.File{file("/a", 0), file("/a/b/c", 0)}, "/a/b/c is below /a, which is no folder"},
		"a device":                   {"linux/amd64", []image.File{file("/null", fs.ModeDevice)}, "/null: a D--------- is neither file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := image.New(image.Spec{Platform: tc.platform, Files: tc.files})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// broken is an image whose layers cannot be read.
type broken struct{ v1.Image }

var errBroken = errors.New("broken")

func (broken) Layers() ([]v1.Layer, error) { return nil, errBroken }

func TestAnArchiveThatCannotBeWrittenLeavesWhatWasThere(t *testing.T) {
	img := broken{newImage(t, shell("linux/amd64"))}
	for name, write := range map[string]func(string) error{
		"docker": func(path string) error { return image.WriteDocker(path, ref, img) },
		"oci":    func(path string) error { _, err := image.WriteOCI(path, ref, img); return err },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "a.tar")
			if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := write(path); !errors.Is(err, errBroken) {
				t.Errorf("got %v", err)
			}
			if got := string(read(t, path)); got != "old" {
				t.Errorf("it now holds %q", got)
			}
			left, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(left) != 1 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestANameWithoutATagIsRefused(t *testing.T) {
	img := newImage(t, shell("linux/amd64"))
	path := filepath.Join(t.TempDir(), "a.tar")
	if err := image.WriteDocker(path, "example.com/shell", img); err == nil {
		t.Error("WriteDocker took it")
	}
	if _, err := image.WriteOCI(path, "example.com/shell", img); err == nil {
		t.Error("WriteOCI took it")
	}
}

func layers(t *testing.T, img v1.Image) (digests []string) {
	t.Helper()
	all, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		d, err := l.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, d.String())
	}
	return digests
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// untar unpacks the files and folders of the tar at path.
func untar(t *testing.T, path, to string) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(read(t, path))); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(filepath.Join(to, h.Name), 0o755)
		} else {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(filepath.Join(to, h.Name), b, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
