package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A File is one entry of an image's root. It belongs to root.
type File struct {
	// Path is absolute and clean: "/etc/passwd". Folders above it need not be listed; they get mode 0755.
	Path string
	// Mode is the permissions (0644) and, for anything but a regular file, the type: fs.ModeDir or fs.ModeSymlink.
	Mode fs.FileMode
	// Data is the content; of a symbolic link, its target; of a folder, nothing.
	Data []byte
}

// A Spec says everything that an image is made of.
type Spec struct {
	// Platform is the system and the architecture, as Go names them: "linux/arm64".
	Platform string
	// Files, in any order; each path once.
	Files []File
	// Entrypoint is run in "/". The image has no command: all arguments are the user's.
	Entrypoint []string
	// User is "uid:gid"; "" is root.
	User string
	// Env holds "NAME=value".
	Env []string
	// Labels of the image; may be nil.
	Labels map[string]string
	// Created is the time of the image and of every file in it, to the second; zero stands for 1970.
	Created time.Time
}

// New makes the image of spec, in memory. It fails on a platform that is none and on paths that are relative, unclean,
// there twice, or below something that is no folder.
func New(spec Spec) (v1.Image, error) {
	platform, err := v1.ParsePlatform(spec.Platform)
	if err != nil || platform.OS == "" || platform.Architecture == "" {
		return nil, fmt.Errorf("image: platform %q is not like linux/amd64", spec.Platform)
	}
	created := time.Unix(0, 0).UTC()
	if !spec.Created.IsZero() {
		created = spec.Created.UTC().Truncate(time.Second)
	}
	content, err := pack(spec.Files, created)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	layer, err := tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.DefaultCompression),
		tarball.WithCompressedCaching) // it is read several times, and compressing takes longest
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	base, err = mutate.ConfigFile(base, &v1.ConfigFile{
		OS:           platform.OS,
		Architecture: platform.Architecture,
		Variant:      platform.Variant,
		Created:      v1.Time{Time: created},
		RootFS:       v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}},
		Config: v1.Config{
			Entrypoint: spec.Entrypoint, User: spec.User, Env: spec.Env, Labels: spec.Labels, WorkingDir: "/",
		},
	})
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	img, err := mutate.Append(base, mutate.Addendum{
		Layer: layer, MediaType: types.OCILayer, History: v1.History{Created: v1.Time{Time: created}, CreatedBy: "rollcall.dev/rollcall/image"},
	})
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return img, nil
}

// pack is the tar of files and of the folders above them, sorted.
func pack(files []File, modified time.Time) ([]byte, error) {
	entries := map[string]File{}
	for _, f := range files {
		if !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == "/" {
			return nil, fmt.Errorf("%q is not an absolute, clean path below /", f.Path)
		}
		if _, twice := entries[f.Path]; twice {
			return nil, fmt.Errorf("%s is there twice", f.Path)
		}
		entries[f.Path] = f
	}
	for _, f := range files {
		for dir := path.Dir(f.Path); dir != "/"; dir = path.Dir(dir) {
			switch above, listed := entries[dir]; {
			case !listed:
				entries[dir] = File{Path: dir, Mode: fs.ModeDir | 0o755}
			case !above.Mode.IsDir():
				return nil, fmt.Errorf("%s is below %s, which is no folder", f.Path, dir)
			}
		}
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		h, err := header(entries[name])
		if err != nil {
			return nil, err
		}
		h.ModTime = modified
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write(entries[name].Data); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return out.Bytes(), w.Close()
}

// header has no owner: that of an image's files is 0, which is root.
func header(f File) (*tar.Header, error) {
	h := &tar.Header{Name: f.Path[1:], Mode: int64(f.Mode.Perm())}
	// Go keeps the sticky bit, which a shared /tmp has, apart from the permissions.
	if f.Mode&fs.ModeSticky != 0 {
		h.Mode |= 0o1000
	}
	switch f.Mode.Type() {
	case 0:
		h.Typeflag, h.Size = tar.TypeReg, int64(len(f.Data))
	case fs.ModeDir:
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	case fs.ModeSymlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, string(f.Data)
	default:
		return nil, fmt.Errorf("%s: a %v is neither file, folder nor symbolic link", f.Path, f.Mode.Type())
	}
	return h, nil
}
