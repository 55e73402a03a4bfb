package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/isolate"
	"rollcall.dev/rollcall/test/node"
)

func main() {
	in, err := isolate.Enter(isolate.Options{Forward: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	n, err := node.Start(ctx, node.Options{Dir: in.Dir, Cluster: cluster.Options{Progress: os.Stderr, Keep: true}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(in.Dir, in.Port)
	<-ctx.Done()
	fmt.Println(n.Stop())
}
