package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/test/cluster"
)

const namespace = "default"

// outage is how many ticks the controller is away for.
const outage = 3

// The cast: each fires every minute. etl may start up to 15 minutes late; mail is useless after 75 seconds, so of three lost
// ones only the newest can still be saved once its grace of 30 seconds is over; cleanup is suspended and must not be accused.
const cast = `
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: etl}
spec:
  schedules: ["* * * * *"]
  timezone: UTC
  startingDeadlineSeconds: 900
  successfulJobsHistoryLimit: 10
  workflowSpec:
    entrypoint: main
    templates: [{name: main, suspend: {duration: "1s"}}]
---
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: mail}
spec:
  schedules: ["* * * * *"]
  timezone: UTC
  startingDeadlineSeconds: 75
  successfulJobsHistoryLimit: 10
  workflowSpec:
    entrypoint: main
    templates: [{name: main, suspend: {duration: "1s"}}]
---
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: cleanup}
spec:
  schedules: ["* * * * *"]
  timezone: UTC
  startingDeadlineSeconds: 900
  suspend: true
  workflowSpec:
    entrypoint: main
    templates: [{name: main, suspend: {duration: "1s"}}]
`

type demo struct {
	ctx      context.Context
	out      io.Writer
	rollcall string
	cluster  *cluster.Cluster
	began    time.Time
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "\n━━ %s\n", fmt.Sprintf(format, args...))
}

func (d *demo) note(format string, args ...any) {
	fmt.Fprintf(d.out, "   %s  %s\n", time.Now().UTC().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// play is the whole story. It returns what did not come as expected.
func (d *demo) play() error {
	d.say("The add-on, looking after the namespace %q; the others are left to the command line", watched)
	controller, err := d.startController()
	if err != nil {
		return err
	}
	d.say("Four CronWorkflows, each every minute: etl, mail (useless after 75 s), cleanup (suspended), and ledger in namespace %q", watched)
	if err := d.untilSecond(0, 25); err != nil { // a spec is not known to hold for a firing in its first grace
		return err
	}
	if err := errors.Join(d.cluster.Apply(d.ctx, namespace, cast), d.cluster.Apply(d.ctx, watched, ledger)); err != nil {
		return err
	}
	first := minute().Add(time.Minute)
	d.note("waiting for their first live run at %s", first.Format(time.TimeOnly))
	if err := d.awaitLive(first, func(time.Duration) {}); err != nil {
		return err
	}
	d.note("all three ran")

	d.say("An outage: the controller is away for %d ticks", outage)
	if err := d.untilSecond(5, 45); err != nil {
		return err
	}
	if err := d.cluster.Argo.Stop(); err != nil {
		return err
	}
	d.note("workflow-controller stopped")
	var lost []time.Time
	for range outage {
		lost = append(lost, minute().Add(time.Minute))
		if err := d.until(lost[len(lost)-1]); err != nil {
			return err
		}
		d.note("a tick nobody hears")
	}
	newest := lost[outage-1]
	if err := d.until(newest.Add(31 * time.Second)); err != nil { // rollcall's default grace is 30 s
		return err
	}

	d.say("By itself, with Argo still away: the add-on has made up for each lost firing of ledger")
	recovered, err := d.meanwhile(lost)
	if err != nil {
		return err
	}

	d.say("By hand: who was absent, and why?")
	before, err := d.show(2, "audit")
	if err != nil {
		return err
	}
	expectations := []error{
		before.expect("etl", lost, "Missed", "Missed", "Missed"),
		before.expect("mail", lost, "Expired", "Expired", "Missed"),
		before.expect("cleanup", lost, "Skipped", "Skipped", "Skipped"),
	}

	d.say("Bring back what still may run – with the controller still away")
	if _, err := d.show(2, "audit", "--backfill", "--yes"); err != nil { // 2: mail has lost two for good
		return err
	}
	for _, r := range []struct {
		name string
		at   time.Time
	}{{"etl", lost[0]}, {"etl", lost[1]}, {"etl", lost[2]}, {"mail", lost[2]}} {
		run, err := d.run(namespace, r.name, r.at)
		if err != nil {
			expectations = append(expectations, fmt.Errorf("%s was not recovered: %w", r.name, err))
			continue
		}
		recovered[run.GetName()] = string(run.GetUID())
	}

	d.say("The controller returns")
	// As a new pod would, it comes back under another name, and takes the lease anew.
	if _, err := d.cluster.StartArgo(d.ctx, cluster.ArgoOptions{Identity: "argo-2"}); err != nil {
		return err
	}
	next := minute().Add(time.Minute)
	d.note("waiting for the next live run at %s", next.Format(time.TimeOnly))
	err = d.awaitLive(next, func(delay time.Duration) {
		d.note("it ran %s after its time", delay)
		if delay > 5*time.Second {
			expectations = append(expectations, fmt.Errorf("the next live run came %s late", delay))
		}
	})
	if err != nil {
		return err
	}
	for name, uid := range recovered {
		if err := d.awaitSuccess(name, uid); err != nil {
			expectations = append(expectations, err)
		}
	}
	d.note("each recovered run was made once and succeeded: %d of them", len(recovered))

	d.say("Call the roll again")
	after, err := d.show(2, "audit", "-A")
	if err != nil {
		return err
	}
	if err := controller.Stop(); err != nil {
		expectations = append(expectations, fmt.Errorf("the add-on did not stop in order: %w", err))
	}
	return errors.Join(append(expectations,
		after.expect("ledger", append(lost, next), "Backfilled", "Backfilled", "Backfilled", "OnTime"),
		after.expect("etl", append(lost, next), "Backfilled", "Backfilled", "Backfilled", "OnTime"),
		after.expect("mail", append(lost, next), "Expired", "Expired", "Backfilled", "OnTime"),
		after.expect("cleanup", lost, "Skipped", "Skipped", "Skipped"),
	)...)
}

func minute() time.Time { return time.Now().UTC().Truncate(time.Minute) }

func (d *demo) until(t time.Time) error {
	select {
	case <-time.After(time.Until(t)):
		return nil
	case <-d.ctx.Done():
		return errors.New("interrupted")
	}
}

// untilSecond waits for a moment between two seconds of a minute.
func (d *demo) untilSecond(from, to int) error {
	now := time.Now().UTC()
	if now.Second() > to {
		now = now.Truncate(time.Minute).Add(time.Minute)
	}
	return d.until(now.Truncate(time.Minute).Add(time.Duration(max(from, now.Second())) * time.Second))
}

func (d *demo) run(namespace, cron string, at time.Time) (*unstructured.Unstructured, error) {
	name := fmt.Sprintf("%s-%d", cron, at.Unix())
	return d.cluster.Dynamic().Resource(cluster.Workflows).Namespace(namespace).Get(d.ctx, name, metav1.GetOptions{})
}

// live are the CronWorkflows that fire, by name and namespace.
var live = map[string]string{"etl": namespace, "mail": namespace, "ledger": watched}

// awaitLive waits for their live runs of a tick, and says how late each was.
func (d *demo) awaitLive(at time.Time, late func(time.Duration)) error {
	ctx, cancel := context.WithDeadline(d.ctx, at.Add(20*time.Second))
	defer cancel()
	for name, namespace := range live {
		err := cluster.Await(ctx, fmt.Sprintf("the run of %s at %s", name, at.Format(time.TimeOnly)), func(context.Context) error {
			run, err := d.run(namespace, name, at)
			if err == nil {
				late(run.GetCreationTimestamp().Sub(at))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitSuccess waits until the recovered run has succeeded, and holds that it is still the one that was made.
func (d *demo) awaitSuccess(name, uid string) error {
	ctx, cancel := context.WithTimeout(d.ctx, 30*time.Second)
	defer cancel()
	return cluster.Await(ctx, "Workflow "+name+" to succeed", func(context.Context) error {
		run, err := d.cluster.Dynamic().Resource(cluster.Workflows).Namespace(live[cronOf(name)]).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if string(run.GetUID()) != uid {
			return fmt.Errorf("it was made again: UID %s, then %s", uid, run.GetUID())
		}
		if phase, _, _ := unstructured.NestedString(run.Object, "status", "phase"); phase != "Succeeded" {
			return fmt.Errorf("it is %q", phase)
		}
		return nil
	})
}

// cronOf is the CronWorkflow after whose firing a Workflow is named.
func cronOf(workflow string) string { return workflow[:strings.LastIndexByte(workflow, '-')] }

// verdicts are an audit's, by CronWorkflow and time.
type verdicts map[string]map[time.Time]string

// show runs rollcall as a user would, prints what it prints, and reads the same roll once more as JSON to check it.
func (d *demo) show(status int, args ...string) (verdicts, error) {
	fmt.Fprintf(d.out, "\n$ rollcall %s\n", strings.Join(args, " "))
	cmd := d.command(args...)
	cmd.Stdout, cmd.Stderr = d.out, d.out
	if err := ends(cmd, status); err != nil {
		return nil, err
	}
	var report struct {
		CronWorkflows []struct {
			Name    string
			Firings []struct {
				ScheduledTime time.Time
				Verdict       string
			}
		}
	}
	asJSON := d.command("audit", "-A", "-o", "json")
	stdout, err := asJSON.Output()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 2) {
		return nil, fmt.Errorf("rollcall audit -o json: %w", err)
	}
	if err := json.Unmarshal(stdout, &report); err != nil {
		return nil, fmt.Errorf("rollcall audit -o json: %w", err)
	}
	got := verdicts{}
	for _, cw := range report.CronWorkflows {
		got[cw.Name] = map[time.Time]string{}
		for _, f := range cw.Firings {
			got[cw.Name][f.ScheduledTime] = f.Verdict
		}
	}
	return got, nil
}

func (d *demo) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(d.ctx, d.rollcall, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Env = append(os.Environ(), "KUBECONFIG="+d.cluster.Kubeconfig(cluster.Admin))
	return cmd
}

// ends runs a command that must end with that status.
func ends(cmd *exec.Cmd, status int) error {
	err := cmd.Run()
	exit := (*exec.ExitError)(nil)
	switch {
	case err == nil && status == 0:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == status:
		return nil
	case err == nil:
		return fmt.Errorf("rollcall %s ended with status 0, want %d", strings.Join(cmd.Args[1:], " "), status)
	}
	return fmt.Errorf("rollcall %s: %w, want status %d", strings.Join(cmd.Args[1:], " "), err, status)
}

func (v verdicts) expect(cron string, at []time.Time, want ...string) error {
	var wrong []error
	for i, t := range at {
		if got := v[cron][t]; got != want[i] {
			wrong = append(wrong, fmt.Errorf("%s at %s: want %s, got %q", cron, t.Format(time.TimeOnly), want[i], got))
		}
	}
	return errors.Join(wrong...)
}
