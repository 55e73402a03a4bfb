package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/test/cluster"
)

// outage is one outage of one Argo controller, through which several scenarios live side by side: each in a namespace of its
// own, with CronWorkflows that carry the controller's instance ID.
type outage struct {
	argo *cluster.Argo
	// first is a tick at which the controller was there; lost are those at which it was not; next is the first after its return.
	// They are set when gone is closed.
	first, next time.Time
	lost        []time.Time
	// gone is closed when the controller has fired once and been stopped, back when it leads again.
	gone, back chan struct{}
	ready      sync.WaitGroup
	// held is what the controller waits for with its return, if not for long.
	held sync.WaitGroup
}

// part is what one scenario does in an outage. It gets its CronWorkflows and whatever has to be there before up, and then calls
// before.
type part func(s *scenario, o *outage)

// live starts a controller, lets the parts get ready, has it fire once, takes it away for some ticks and brings it back. With 0
// ticks it stays.
func live(t *testing.T, ticks int, parts map[string]part) {
	s := begin(t, 14*time.Minute)
	s.instance, s.installedIn = s.namespace, s.namespace+"-argo"
	argo, err := shared.StartArgo(s.ctx, cluster.ArgoOptions{Namespace: s.installedIn, InstanceID: s.instance})
	s.must(err)
	s.Cleanup(func() { s.must(argo.Stop()) })
	o := &outage{argo: argo, gone: make(chan struct{}), back: make(chan struct{})}
	o.ready.Add(len(parts))
	ended := make(chan error, 1)
	go func() { ended <- o.take(s.ctx, ticks) }()
	s.Run("part", func(t *testing.T) {
		for name, part := range parts {
			t.Run(name, func(t *testing.T) {
				ready := sync.OnceFunc(o.ready.Done)
				defer ready()
				own := begin(t, 14*time.Minute)
				own.instance, own.installedIn = s.instance, s.installedIn
				own.installRecords()
				own.observe()
				own.isReady = ready
				part(own, o)
			})
		}
	})
	s.must(<-ended)
}

// take is the course of the outage.
func (o *outage) take(ctx context.Context, ticks int) error {
	until := func(t time.Time) {
		select {
		case <-time.After(time.Until(t)):
		case <-ctx.Done():
		}
	}
	o.ready.Wait()
	if left := 60 - time.Now().Second(); left < 15 {
		until(minute().Add(time.Minute)) // the controller has to have seen all CronWorkflows
	}
	o.first = minute().Add(time.Minute)
	o.next = o.first.Add(time.Duration(ticks+1) * time.Minute)
	for i := range ticks {
		o.lost = append(o.lost, o.first.Add(time.Duration(i+1)*time.Minute))
	}
	until(o.first.Add(25 * time.Second))
	if ticks == 0 {
		close(o.gone)
		close(o.back)
		return nil
	}
	settling, cancel := context.WithDeadline(ctx, o.first.Add(35*time.Second))
	_ = cluster.Await(settling, "the controller to have done with its first firings", o.settled) // or the parts will tell
	cancel()
	err := o.argo.Stop()
	close(o.gone)
	newest := o.lost[ticks-1]
	until(newest.Add(30 * time.Second))
	released := make(chan struct{})
	go func() { o.held.Wait(); close(released) }()
	select {
	case <-released:
	case <-time.After(time.Until(newest.Add(42 * time.Second))): // it has to be ready for the next firing
	case <-ctx.Done():
	}
	err = errors.Join(err, o.argo.Start(ctx))
	close(o.back)
	return err
}

// settled says why the controller has not done with its first firings: their runs have ended, and it has taken them out of status.active.
func (o *outage) settled(ctx context.Context) error {
	list, err := shared.Dynamic().Resource(cluster.CronWorkflows).List(ctx, metav1.ListOptions{
		LabelSelector: "workflows.argoproj.io/controller-instanceid=" + o.argo.Options.InstanceID,
	})
	if err != nil {
		return err
	}
	for i := range list.Items {
		c := &list.Items[i]
		active, _, _ := unstructured.NestedSlice(c.Object, "status", "active")
		if timeField(c, "status", "lastScheduledTime").Before(o.first) || len(active) > 0 {
			return fmt.Errorf("%s/%s has not had its first run", c.GetNamespace(), c.GetName())
		}
	}
	return nil
}

// hold keeps the controller away, up to 42 s after the newest lost firing, until release is called. It is for who expects Rollcall to
// have brought that back before Argo can.
func (s *scenario) hold(o *outage) (release func()) {
	o.held.Add(1)
	release = sync.OnceFunc(o.held.Done)
	s.Cleanup(release)
	return release
}

// await waits for a stage of the outage.
func (s *scenario) await(stage <-chan struct{}) {
	s.Helper()
	select {
	case <-stage:
	case <-s.ctx.Done():
		s.Fatal("the scenario's time was up while it waited for the controller to go or come")
	}
}

// before ends what has to be ready for an outage, and returns when the controller has fired once and is gone.
func (s *scenario) before(o *outage) {
	s.Helper()
	s.isReady()
	s.await(o.gone)
}

// createOfEachPolicy makes a CronWorkflow of each concurrency policy: allow, forbid and replace, every minute, with ten minutes to start in.
func (s *scenario) createOfEachPolicy() []string {
	s.Helper()
	var crons []string
	for _, policy := range []string{"Allow", "Forbid", "Replace"} {
		name := strings.ToLower(policy)
		s.create(cron{name: name, deadline: 600, spec: "concurrencyPolicy: " + policy})
		crons = append(crons, name)
	}
	return crons
}

// expectLive waits for a firing's run, and expects Argo to have started it on time. Of Forbid, Argo that is back itself starts the
// newest lost firing as soon as it takes the one before to have ended, be that seconds before the live one, which then waits too.
func (s *scenario) expectLive(crons []string, at time.Time) {
	s.Helper()
	for _, cron := range crons {
		run, most := s.awaitRun(cron, at), grace
		if field(s.cron(cron), "spec", "concurrencyPolicy") == "Forbid" {
			most = 25 * time.Second
		}
		if delay := run.GetCreationTimestamp().Sub(at); delay > most || run.GetLabels()["rollcall.dev/backfilled-by"] != "" {
			s.Errorf("the live firing of %s at %s came %s after its time, labels %v", cron, at.Format(time.TimeOnly), delay, run.GetLabels())
		}
	}
}

func TestOutage(t *testing.T) {
	live(t, 3, map[string]part{
		"WatchedAllTheTime":        watchedAllTheTime,
		"StartedDuringIt":          startedDuringIt,
		"StartedAfterIt":           startedAfterIt,
		"StoppedInItStartedDuring": stoppedAndStartedInIt,
		"StoppedInItStartedAfter":  stoppedInItStartedAfter,
		"LeaderKilled":             leaderKilled,
		"LeaderPaused":             leaderPaused,
		"DryRun":                   dryRun,
		"Annotations":              annotations,
		"QuotaExceeded":            quotaExceeded,
		"Recreated":                recreated,
		"Edited":                   edited,
		"Suspended":                suspended,
	})
}
