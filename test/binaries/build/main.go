// Command build fills the cache with the programs the tests run against, so
// that no test has to wait for a compiler:
//
//	go run ./test/binaries/build [name...]
//
// Without names it builds what `make test` needs: a cluster, and what the chart is
// tested with. It prints where each one is.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"rollcall.dev/rollcall/test/binaries"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, os.Stderr, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, stdout, stderr io.Writer, names []string) error {
	which := slices.Concat(binaries.All(), binaries.Chart())
	if len(names) > 0 {
		which = nil
		for _, n := range names {
			which = append(which, binaries.Binary(n))
		}
	}
	paths, err := binaries.Ensure(ctx, stderr, which...)
	if err != nil {
		return err
	}
	for _, b := range which {
		fmt.Fprintf(stdout, "%-15s %s\n", b, paths.Exe(b))
	}
	return nil
}
