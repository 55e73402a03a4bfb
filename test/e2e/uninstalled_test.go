package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"rollcall.dev/rollcall/internal/record/v1alpha1"
	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/proxy"
)

// TestTheKindOfTheRecordIsNotInstalled has a cluster of its own: all other scenarios need CronAudits.
func TestTheKindOfTheRecordIsNotInstalled(t *testing.T) {
	s := begin(t, 10*time.Minute)
	own, err := cluster.Start(s.ctx, cluster.Options{Progress: t.Output()})
	s.must(err)
	s.Cleanup(func() { s.must(own.Stop()) })
	way, err := own.Proxy(cluster.Admin)
	s.must(err)
	s.kubeconfig, s.installedIn = way.Kubeconfig(), cluster.DefaultNamespace
	s.must(own.CreateNamespace(s.ctx, s.namespace))
	s.sleepIntoMinute(0, 40) // Argo does not run a firing that comes before it has taken note
	s.must(own.Apply(s.ctx, s.namespace, s.manifest(cron{name: "tick", deadline: 600})))
	list := func(kind schema.GroupVersionResource) []unstructured.Unstructured {
		got, err := own.Dynamic().Resource(kind).Namespace(s.namespace).List(s.ctx, metav1.ListOptions{})
		s.must(err)
		return got.Items
	}
	ran := func(at time.Time) func(context.Context) error {
		return func(context.Context) error {
			for _, run := range list(cluster.Workflows) {
				if run.GetName() == runName("tick", at) {
					return nil
				}
			}
			return errors.New("it does not exist")
		}
	}

	r := s.started("one")
	r.await("its log to say what to do", func() error {
		if !r.said("ERROR", "the record cannot be read", "cronaudits.rollcall.dev is not installed", "crds.install", "charts/rollcall/files/crds") {
			return errors.New("it does not")
		}
		return nil
	})
	began := time.Now()
	first := minute().Add(time.Minute)
	s.must(cluster.Await(s.ctx, "Argo to run a firing", ran(first)))
	// Until Argo has written that, Rollcall takes it for nobody's, and recovers nothing.
	s.must(cluster.Await(s.ctx, "Argo to put its firing down", func(context.Context) error {
		for _, c := range list(cluster.CronWorkflows) {
			if at := timeField(&c, "status", "lastScheduledTime"); at.Before(first) {
				return fmt.Errorf("lastScheduledTime is %s", at)
			}
		}
		return nil
	}))
	s.must(own.Argo.Stop())
	lost := first.Add(time.Minute)
	r.awaitMetric(1, "rollcall_backfill_blocked", "cronworkflow=tick")
	r.await("an Event that says what to do", func() error {
		for _, event := range list(schema.GroupVersionResource{Version: "v1", Resource: "events"}) {
			if message := field(&event, "message"); field(&event, "reason") == "BackfillBlocked" && strings.Contains(message, "cronaudits.rollcall.dev is not installed") {
				s.Log(message)
				return nil
			}
		}
		return errors.New("there is none")
	})
	if n, _ := r.mustScrape().value("rollcall_record_write_failures_total"); n == 0 {
		s.Error("no write of a record that failed is counted")
	}
	s.sleepUntil(lost.Add(45 * time.Second))
	asked := len(way.Requests(func(r proxy.Request) bool { return strings.Contains(r.Path, "cronaudits") }))
	s.Logf("asked for CronAudits %d times in %s; the log has %d lines", asked, time.Since(began).Round(time.Second), len(r.lines()))
	if asked > 60 {
		s.Errorf("asked %d times for a kind that there is not", asked)
	}

	s.must(own.Apply(s.ctx, "", s.recordsCRD()))
	installed := time.Now()
	s.must(cluster.Await(s.ctx, "the lost firing to be recovered", ran(lost)))
	s.Logf("recovered %s after the CRD was there", time.Since(installed).Round(100*time.Millisecond))
	if took := time.Since(installed); took > 75*time.Second {
		s.Errorf("recovered only %s after the CRD was there", took)
	}
	r.awaitMetric(0, "rollcall_backfill_blocked", "cronworkflow=tick")
	r.await("the firing to be on record", func() error {
		for _, audit := range list(v1alpha1.Resource) {
			if n, _, _ := unstructured.NestedInt64(audit.Object, "status", "totals", "Backfilled"); n > 0 {
				return nil
			}
		}
		return fmt.Errorf("there are %d records", len(list(v1alpha1.Resource)))
	})
	r.end()
}
