package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/process"
)

// watched is the namespace that the controller looks after; the command line has the other one.
const watched = "watched"

// ledger fires every minute and may start up to 15 minutes late.
const ledger = `
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: ledger}
spec:
  schedules: ["* * * * *"]
  timezone: UTC
  startingDeadlineSeconds: 900
  successfulJobsHistoryLimit: 10
  workflowSpec:
    entrypoint: main
    templates: [{name: main, suspend: {duration: "1s"}}]
`

// grace is the controller's, the shortest there is.
const grace = 10 * time.Second

// startController starts `rollcall controller`, and stops it when the cluster is stopped.
func (d *demo) startController() (*process.Process, error) {
	if err := d.cluster.CreateNamespace(d.ctx, watched); err != nil {
		return nil, err
	}
	if err := d.kubectl("apply", "-f", "charts/rollcall/files/crds"); err != nil {
		return nil, err
	}
	args := []string{
		"controller", "--namespace", watched, "--grace", grace.String(), "--leader-elect-namespace", watched,
		"--http-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0",
	}
	fmt.Fprintf(d.out, "\n$ rollcall %s\n", strings.Join(args, " "))
	path, err := filepath.Abs(d.rollcall)
	if err != nil {
		return nil, err
	}
	controller, err := d.cluster.Process(process.Spec{Name: "rollcall", Path: path, Args: append(args, "--kubeconfig", d.cluster.Kubeconfig(cluster.Admin))})
	if err != nil {
		return nil, err
	}
	return controller, controller.Start(d.ctx)
}

// meanwhile shows what the controller has done by itself about the lost firings.
func (d *demo) meanwhile(lost []time.Time) (recovered map[string]string, err error) {
	recovered = map[string]string{}
	for _, at := range lost {
		run, err := d.run(watched, "ledger", at)
		if err != nil {
			return nil, fmt.Errorf("the controller did not recover ledger's firing of %s: %w", at.Format(time.TimeOnly), err)
		}
		after := run.GetCreationTimestamp().Sub(at)
		d.note("ledger's firing of %s was made up for %s after its time (grace %s)", at.Format(time.TimeOnly), after, grace)
		if after < grace || after > grace+10*time.Second {
			return nil, fmt.Errorf("ledger's firing of %s was made up for %s after its time, want a moment after %s", at.Format(time.TimeOnly), after, grace)
		}
		recovered[run.GetName()] = string(run.GetUID())
	}
	return recovered, errors.Join(d.kubectl("get", "cronaudits", "-n", watched), d.kubectl("get", "events", "-n", watched))
}

// kubectl shows a command of kubectl's and what it prints.
func (d *demo) kubectl(args ...string) error {
	fmt.Fprintf(d.out, "\n$ kubectl %s\n", strings.Join(args, " "))
	ctx, cancel := context.WithTimeout(d.ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.cluster.Kubectl(), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+d.cluster.Kubeconfig(cluster.Admin))
	cmd.Stdout, cmd.Stderr = d.out, d.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return nil
}
