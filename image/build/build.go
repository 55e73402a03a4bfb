package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rollcall.dev/rollcall/image"
	"rollcall.dev/rollcall/test/binaries"
)

// supported are the platforms that are tested.
var supported = []string{"linux/amd64", "linux/arm64"}

type options struct {
	source     string // the module's folder
	image, tag string
	revision   string
	ldflags    string
	epoch      string // SOURCE_DATE_EPOCH: seconds since 1970; "" stands for 0
	platforms  []string
	bin, out   string
	rootfs     string
}

func (o options) ref() string { return o.image + ":" + o.tag }

// archive is the path of what is built for platform, which is "" where it is for all.
func (o options) archive(platform, suffix string) string {
	parts := []string{"rollcall", o.tag}
	if platform != "" {
		parts = append(parts, slug(platform))
	}
	return filepath.Join(o.out, strings.Join(parts, "-")+suffix)
}

// slug is platform as part of a file's name.
func slug(platform string) string { return strings.ReplaceAll(platform, "/", "-") }

func (o options) validate() error {
	if o.tag == "" {
		return errors.New("-tag is missing")
	}
	if _, err := name.NewTag(o.ref(), name.StrictValidation); err != nil {
		return fmt.Errorf("-image and -tag: %w", err)
	}
	return o.validatePlatforms()
}

func (o options) validatePlatforms() error {
	seen := map[string]bool{}
	for _, p := range o.platforms {
		if !slices.Contains(supported, p) {
			return fmt.Errorf("-platforms: %q is none of %s", p, strings.Join(supported, ", "))
		}
		if seen[p] {
			return fmt.Errorf("-platforms: %s is there twice", p)
		}
		seen[p] = true
	}
	return nil
}

func (o options) created() (time.Time, error) {
	if o.epoch == "" {
		return time.Unix(0, 0), nil
	}
	seconds, err := strconv.ParseInt(o.epoch, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %q is no number of seconds since 1970", o.epoch)
	}
	return time.Unix(seconds, 0), nil
}

// build makes everything: the programs, the images, their archives and SBOMs.
func build(ctx context.Context, progress io.Writer, o options) (*made, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	created, err := o.created()
	if err != nil {
		return nil, err
	}
	tools, err := binaries.Ensure(ctx, progress, binaries.CycloneDX)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return nil, err
	}
	m := &made{ref: o.ref(), oci: o.archive("", "-oci.tar")}
	var images []v1.Image
	for _, platform := range o.platforms {
		program, files, err := compileContent(ctx, o, platform)
		if err != nil {
			return nil, err
		}
		img, err := image.New(spec(platform, o.tag, o.revision, created, files))
		if err != nil {
			return nil, err
		}
		p := madePlatform{platform: platform, docker: o.archive(platform, ".tar"), sbom: o.archive(platform, ".cdx.json")}
		if err := writeSBOM(ctx, tools.Exe(binaries.CycloneDX), program, platform, o.tag, p.sbom); err != nil {
			return nil, err
		}
		if err := image.WriteDocker(p.docker, o.ref(), img); err != nil {
			return nil, err
		}
		if err := p.measure(img, files); err != nil {
			return nil, err
		}
		images = append(images, img)
		m.platforms = append(m.platforms, p)
	}
	if m.digest, err = image.WriteOCI(m.oci, o.ref(), images...); err != nil {
		return nil, err
	}
	return m, nil
}

// compileContent builds platform's program; it returns its path and the files of the image.
func compileContent(ctx context.Context, o options, platform string) (program string, files []image.File, err error) {
	if program, err = compile(ctx, o, platform); err != nil {
		return "", nil, err
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return "", nil, err
	}
	files, err = content(o.source, data)
	return program, files, err
}

// writeRootfs writes the files of an image below a folder, where Dockerfile takes them from.
func writeRootfs(ctx context.Context, o options) error {
	if err := o.validatePlatforms(); err != nil {
		return err
	}
	if len(o.platforms) != 1 {
		return errors.New("-rootfs is for one of -platforms")
	}
	_, files, err := compileContent(ctx, o, o.platforms[0])
	if err != nil {
		return err
	}
	for _, f := range files {
		to := filepath.Join(o.rootfs, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, f.Data, f.Mode); err != nil {
			return err
		}
	}
	return nil
}
