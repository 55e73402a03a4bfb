package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// compile builds the program for platform and returns its path. What is there and up to date is not linked again.
func compile(ctx context.Context, o options, platform string) (string, error) {
	program, err := filepath.Abs(filepath.Join(o.bin, slug(platform), "rollcall"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", o.ldflags, "-o", program, "./cmd/rollcall")
	cmd.Dir = o.source
	// What else could change the program is set, since an empty value falls back to what `go env -w` has stored.
	cmd.Env = append(envOf(platform), "CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	return program, call(ctx, cmd)
}

// writeSBOM lists what platform's program is made of in the CycloneDX format. The tool reads only the program: it needs no
// network and no source. Without serial number and time its output depends on nothing else.
func writeSBOM(ctx context.Context, tool, program, platform, version, to string) error {
	cmd := exec.CommandContext(ctx, tool, "bin", "-json", "-std", "-noserial", "-notimestamp", "-version", version, "-output", to, program)
	cmd.Env = envOf(platform) // the package URLs would name the platform of this machine
	return call(ctx, cmd)
}

// envOf is the environment, with platform as the one to build for.
func envOf(platform string) []string {
	goos, goarch, _ := strings.Cut(platform, "/")
	return append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch)
}

// call runs cmd; an error carries what it wrote.
func call(ctx context.Context, cmd *exec.Cmd) error {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(cmd.Path), cmd.Args[1], err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}
