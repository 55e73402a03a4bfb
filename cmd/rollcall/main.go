package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubeconfigs with OIDC
	"k8s.io/klog/v2"
)

func main() {
	// What goes wrong is said once, by the command; client-go would say it again in its own words.
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	env := environment{
		IOStreams: genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
		now:       time.Now,
		getenv:    os.Getenv,
		terminal:  isTerminal,
	}
	os.Exit(int(run(ctx, env, os.Args[1:])))
}

// environment is what commands get from outside.
type environment struct {
	genericiooptions.IOStreams
	now    func() time.Time
	getenv func(string) string
	// terminal says whether a stream is one.
	terminal func(stream any) bool
}
