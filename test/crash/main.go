// Command crash is rollcall controller for a test that kills it: the same packages, put together as the command does, but for
// wrappers around what it reads and writes through, which end the process by SIGKILL as soon as a recovery has come to a point.
// So the product needs no hook for that.
//
//	crash --die created --kubeconfig F --namespace N …
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/clientcmd"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/argo"
	"rollcall.dev/rollcall/internal/metrics"
	"rollcall.dev/rollcall/internal/operator"
	"rollcall.dev/rollcall/internal/record"
)

type options struct {
	die                                            point
	kubeconfig, namespace, argoNamespace, instance string
	grace                                          time.Duration
}

func main() {
	var o options
	flag.Func("die", fmt.Sprintf("when to die: one of %v", points), func(value string) error {
		o.die = point(value)
		return o.die.validate()
	})
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "the way to the API server")
	flag.StringVar(&o.namespace, "namespace", "", "the namespace to watch")
	flag.StringVar(&o.argoNamespace, "argo-namespace", "argo", "where Argo's controller keeps its lease and settings")
	flag.StringVar(&o.instance, "instance-id", "", "the instance ID of Argo's controller")
	flag.DurationVar(&o.grace, "grace", auditor.DefaultGrace, "how long a firing is Pending")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if err := o.die.validate(); err != nil {
		return fmt.Errorf("--die: %w", err)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client, err := argo.NewClient(cfg, argo.Options{Version: "crash", ControllerZone: time.UTC, ArgoNamespace: o.argoNamespace})
	if err != nil {
		return err
	}
	namespaces := []string{o.namespace}
	store, err := record.NewStore(record.Options{Config: cfg, Namespaces: namespaces, Identity: "crash", Log: log, Now: client.Now})
	if err != nil {
		return err
	}
	shown, err := metrics.New(prometheus.NewRegistry(), "crash", "")
	if err != nil {
		return err
	}
	killer := &killer{at: o.die, log: log}
	op, err := operator.New(operator.Options{
		Cluster: client, Submitter: submitter{client, killer}, Records: records{store, killer}, Leadership: operator.Alone(),
		Metrics: shown, Log: log,
		Scope:    argo.Scope{Namespaces: namespaces, InstanceID: o.instance, ArgoNamespace: o.argoNamespace},
		Judging:  auditor.Options{Grace: o.grace, ControllerZone: time.UTC},
		Backfill: auditor.BackfillOn, MaxParallel: 10, MaxCatchUp: 100,
	})
	if err != nil {
		return err
	}
	return op.Run(ctx)
}
