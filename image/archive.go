package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// WriteDocker writes img, named ref ("rollcall.dev/rollcall:0.1.0"), to the tar file at path in the format that
// `docker load`, `podman load` and `ctr images import` read. Such a file holds one platform. The file appears complete or
// not at all.
func WriteDocker(path, ref string, img v1.Image) error {
	tag, err := name.NewTag(ref, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	return replace(path, func(w io.Writer) error { return tarball.Write(tag, img, w) })
}

// WriteOCI writes images, one for each platform, to the tar file at path: an OCI layout with one index, named ref. The
// digest is that of the index, under which a registry will know it. The file appears complete or not at all.
func WriteOCI(path, ref string, images ...v1.Image) (digest v1.Hash, err error) {
	tag, err := name.NewTag(ref, name.StrictValidation)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("image: %w", err)
	}
	var index v1.ImageIndex = empty.Index
	for _, img := range images {
		config, err := img.ConfigFile()
		if err != nil {
			return v1.Hash{}, fmt.Errorf("image: %w", err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: plain{img}, Descriptor: v1.Descriptor{Platform: config.Platform()}})
	}
	if digest, err = index.Digest(); err != nil {
		return v1.Hash{}, fmt.Errorf("image: %w", err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".oci-")
	if err != nil {
		return v1.Hash{}, err
	}
	defer os.RemoveAll(dir)
	where, err := layout.Write(dir, empty.Index)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("image: %w", err)
	}
	// The specification's annotation is for the tag. containerd and Podman take the whole name from containerd's.
	named := layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": tag.TagStr(),
		"io.containerd.image.name":          tag.Name(),
	})
	if err := where.AppendIndex(index, named); err != nil {
		return v1.Hash{}, fmt.Errorf("image: %w", err)
	}
	return digest, replace(path, func(w io.Writer) error { return packTree(w, dir) })
}

// plain is an image without an artifact type. The library would make one up from the type of the configuration; tools that
// do not know the field drop it when they copy an index, and the copy has another digest.
type plain struct{ v1.Image }

func (plain) ArtifactType() (string, error) { return "", nil }

// packTree writes the files and folders below dir to a tar: sorted, owned by root, of 1970.
func packTree(to io.Writer, dir string) error {
	w := tar.NewWriter(to)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: filepath.ToSlash(rel) + "/", Mode: 0o755})
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: filepath.ToSlash(rel), Mode: 0o644, Size: info.Size()}); err != nil {
			return err
		}
		_, err = io.Copy(w, f)
		return err
	})
	return errors.Join(err, w.Close())
}

// replace writes to a file beside path and gives it that name once write is through.
func replace(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".image-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // finds nothing once renamed
	if err := errors.Join(write(f), f.Chmod(0o644), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}
