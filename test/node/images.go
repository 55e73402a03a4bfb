//go:build linux

package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"rollcall.dev/rollcall/image"
)

// importFiles makes an image of files of this machine, by the paths that they have in it, and has the node know it.
func (n *Node) importFiles(ctx context.Context, ref string, entrypoint []string, files map[string]string) error {
	spec := image.Spec{Platform: "linux/" + runtime.GOARCH, Entrypoint: entrypoint, Env: []string{"PATH=/bin"}}
	for path, source := range files {
		data, err := os.ReadFile(source)
		if err != nil {
			return fmt.Errorf("make image %s: %w", ref, err)
		}
		spec.Files = append(spec.Files, image.File{Path: path, Mode: 0o755, Data: data})
	}
	return n.importSpec(ctx, ref, spec)
}

func (n *Node) importSpec(ctx context.Context, ref string, spec image.Spec) error {
	made, err := image.New(spec)
	if err != nil {
		return fmt.Errorf("make image %s: %w", ref, err)
	}
	archive := filepath.Join(n.dir, "image.tar")
	if err := image.WriteDocker(archive, ref, made); err != nil {
		return fmt.Errorf("make image %s: %w", ref, err)
	}
	return errors.Join(n.Import(ctx, archive), os.Remove(archive))
}

// importPause builds what holds a pod's namespaces. It needs nothing but Go itself, so it can be built where nothing can be
// downloaded.
func (n *Node) importPause(ctx context.Context) error {
	program := filepath.Join(n.dir, "pause")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", program, "rollcall.dev/rollcall/test/node/pause")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build pause: %w: %s", err, out)
	}
	return n.importFiles(ctx, pause, []string{"/pause"}, map[string]string{"/pause": program})
}

// busybox is where Debian's package busybox-static puts its program.
const busybox = "/bin/busybox"

// shell is the image that most would take for a pod that only has to ask something.
const shell = "docker.io/library/busybox:1.37.0"

// ImportShell has the node know busybox, which cannot be pulled.
func (n *Node) ImportShell(ctx context.Context) error {
	names, err := exec.CommandContext(ctx, busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("%s --list: %w", busybox, err)
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	spec := image.Spec{Platform: "linux/" + runtime.GOARCH, Env: []string{"PATH=/bin"}}
	spec.Files = append(spec.Files, image.File{Path: busybox, Mode: 0o755, Data: program})
	for name := range strings.FieldsSeq(string(names)) {
		if name != "busybox" {
			spec.Files = append(spec.Files, image.File{Path: "/bin/" + name, Mode: os.ModeSymlink | 0o777, Data: []byte("busybox")})
		}
	}
	return n.importSpec(ctx, shell, spec)
}

// goRoot is where Go's own files are.
func goRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
