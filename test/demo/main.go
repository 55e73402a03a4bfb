// Command demo is `make demo`: a real outage, found and repaired.
//
// It starts a real API server with etcd and a real Argo controller, lets CronWorkflows fire, stops the controller for three
// ticks, and has the rollcall binary find what was lost and bring back what still may run. It prints what it does and what
// rollcall prints, checks every expectation against the API server, and ends with status 1 when one fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"rollcall.dev/rollcall/test/cluster"
)

func main() {
	rollcall := flag.String("rollcall", "bin/rollcall", "the rollcall binary to show")
	keep := flag.Bool("keep", false, "leave the cluster up at the end, until interrupted")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, *rollcall, *keep)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, rollcall string, keep bool) (err error) {
	d := &demo{ctx: ctx, out: out, rollcall: rollcall, began: time.Now()}
	d.say("A real control plane: etcd, kube-apiserver and Argo's workflow-controller, on loopback")
	if d.cluster, err = cluster.Start(ctx, cluster.Options{Progress: out}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.cluster.Stop()) }()
	d.note("up in %s", d.cluster.SetUpTime().Round(100*time.Millisecond))

	failed := d.play()
	if failed == nil {
		d.say("Every expectation held. %s from start to end.", time.Since(d.began).Round(time.Second))
	}
	if failed != nil {
		fmt.Fprintf(out, "\n━━ NOT AS EXPECTED\n%v\n", failed)
	}
	if keep {
		d.note("the cluster stays up until you press Ctrl-C; in another terminal:")
		fmt.Fprintf(out, "\n  export KUBECONFIG=%s\n  alias kubectl=%s\n  %s audit -A\n", d.cluster.Kubeconfig(cluster.Admin), d.cluster.Kubectl(), rollcall)
		<-ctx.Done()
	}
	return failed
}
