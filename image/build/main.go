// Command build makes Rollcall's container image for each platform, without a
// container engine: `make image` calls it with the settings of the Makefile.
//
// The same commit, settings and version of Go give the same bytes. What is in
// the image is listed in content.go.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Stdout, os.Stderr, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, stdout, stderr io.Writer, args []string) error {
	o := options{source: ".", epoch: os.Getenv("SOURCE_DATE_EPOCH")}
	var platforms string
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.image, "image", "rollcall.dev/rollcall", "name of the image, without a tag")
	flags.StringVar(&o.tag, "tag", "", "tag of the image, which is the version it says it has")
	flags.StringVar(&o.revision, "revision", "", "the commit that the image says it was built from")
	flags.StringVar(&o.ldflags, "ldflags", "", "as of go build")
	flags.StringVar(&platforms, "platforms", strings.Join(supported, ","), "platforms, with commas between")
	flags.StringVar(&o.bin, "bin", "bin", "folder for the programs, which are linked again only when they have changed")
	flags.StringVar(&o.out, "out", "dist", "folder for the archives and SBOMs")
	flags.StringVar(&o.rootfs, "rootfs", "", "write only the files of the one platform's image, below this folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is no flag", flags.Arg(0))
	}
	o.platforms = strings.Split(platforms, ",")
	if o.rootfs != "" {
		return writeRootfs(ctx, o)
	}
	made, err := build(ctx, stderr, o)
	if err != nil {
		return err
	}
	return made.report(stdout)
}
