package main

import (
	"fmt"
	"io"
	"os"
	"path"
	"text/tabwriter"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rollcall.dev/rollcall/image"
)

// made is what build has made, for people.
type made struct {
	ref       string
	oci       string // path of the archive for all platforms
	digest    v1.Hash
	platforms []madePlatform
}

type madePlatform struct {
	platform             string
	docker, sbom         string // paths
	digest               v1.Hash
	compressed, unpacked int64 // bytes
}

func (p *madePlatform) measure(img v1.Image, files []image.File) error {
	manifest, err := img.Manifest()
	if err != nil {
		return err
	}
	for _, layer := range manifest.Layers {
		p.compressed += layer.Size
	}
	for _, f := range files {
		p.unpacked += int64(len(f.Data))
	}
	p.digest, err = img.Digest()
	return err
}

func (m *made) report(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\t%s\n", m.ref, m.digest)
	for _, p := range m.platforms {
		fmt.Fprintf(w, "  %s\t%s\t%s compressed, %s unpacked\n", p.platform, p.digest, size(p.compressed), size(p.unpacked))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	paths := []string{m.oci}
	for _, p := range m.platforms {
		paths = append(paths, p.docker, p.sbom)
	}
	fmt.Fprintln(to, "Made:")
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  %s\t%s\n", p, size(info.Size()))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(to, "Load it:")
	for _, p := range m.platforms {
		fmt.Fprintf(w, "  docker load -i %s\tDocker, on %s\n", p.docker, p.platform)
	}
	fmt.Fprintf(w, "  podman load -i %s\tPodman\n", m.oci)
	fmt.Fprintf(w, "  ctr -n k8s.io images import %s\ta node's containerd\n", m.oci)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(to, "Push it, with your registry in place of REGISTRY:\n  skopeo copy --all --preserve-digests oci-archive:%s docker://REGISTRY/%s\n", m.oci, path.Base(m.ref))
	return err
}

// size of so many bytes, in the unit in which registries count: 1 MB is 1,000,000 bytes.
func size(bytes int64) string {
	if bytes < 1e6 {
		return fmt.Sprintf("%.0f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}
