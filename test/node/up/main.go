//go:build linux

// Command up is `make cluster`: a cluster with a node and Argo's controller, for as long as somebody wants it.
//
//	go run ./test/node/up start -image TAR...    # in the background; returns when it can be used
//	go run ./test/node/up stop
//	go run ./test/node/up packages               # of Debian's, that this and make test-node need
//
// The API server is reached at a port of the loopback interface; everything else is in namespaces that nothing outside can reach.
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

	"rollcall.dev/rollcall/test/node"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	if len(args) == 0 {
		args = []string{"start"}
	}
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	var images list
	flags.Var(&images, "image", "archive of an image that the node is to have; may be repeated")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	s, err := newState()
	if err != nil {
		return err
	}
	switch args[0] {
	case "start":
		return s.start(ctx, out, images)
	case "packages":
		fmt.Fprintln(out, strings.Join(append(node.ForNode.Names(), node.ForMonitoring.Names()...), " "))
		return nil
	case "stop":
		return s.stop(ctx, out)
	case inTheBackground:
		return s.serve(ctx, images)
	}
	return fmt.Errorf("%q is none of start, stop and packages", args[0])
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string { return fmt.Sprint(*l) }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}
