package main

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/internal/access"
	"rollcall.dev/rollcall/internal/alert"
	"rollcall.dev/rollcall/internal/argo"
	"rollcall.dev/rollcall/internal/config"
	"rollcall.dev/rollcall/internal/events"
	"rollcall.dev/rollcall/internal/metrics"
	"rollcall.dev/rollcall/internal/operator"
	"rollcall.dev/rollcall/internal/record"
	"rollcall.dev/rollcall/internal/web"
)

// stopWithin is how long the controller may take to end: what is under way is ended and all that is known is written.
const stopWithin = 9500 * time.Millisecond

// addOnOptions are what an addOn is made from.
type addOnOptions struct {
	settings  config.Controller
	config    *rest.Config
	transient *regexp.Regexp
	flags     *pflag.FlagSet
	log       *slog.Logger
}

// addOn is the controller with all it needs.
type addOn struct {
	addOnOptions
	operator *operator.Operator
	server   *web.Server
	// tellers are the parts that still have something to say when the operator has ended; watchers end with it.
	tellers, watchers []func(context.Context)
}

// assemble makes the parts and binds the addresses. No request is made.
func assemble(o addOnOptions) (*addOn, error) {
	s, version := o.settings, buildVersion()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m, err := metrics.New(registry, version.Version, version.Commit)
	if err != nil {
		return nil, err
	}
	client, err := argo.NewClient(o.config, argo.Options{Version: version.Version, ControllerZone: s.ControllerZone, ArgoNamespace: s.ArgoNamespace})
	if err != nil {
		return nil, err
	}
	records, err := record.NewStore(record.Options{
		Config: o.config, Namespaces: s.Namespaces, Identity: s.Identity, Version: version.Version, Log: o.log, Now: client.Now,
		WriteFailed: m.RecordWriteFailed,
	})
	if err != nil {
		return nil, err
	}
	recorder, err := events.New(events.Options{
		Config: o.config, Identity: s.Identity, Version: version.Version, Log: o.log, Now: client.Now,
		Denied: func(denied bool) { m.PermissionDenied("create", "events", denied) },
	})
	if err != nil {
		return nil, err
	}
	checker, err := access.New(o.access(version.Version, m))
	if err != nil {
		return nil, err
	}
	leadership, err := o.leadership(version.Version)
	if err != nil {
		return nil, err
	}
	a := &addOn{addOnOptions: o, tellers: []func(context.Context){recorder.Run}, watchers: []func(context.Context){checker.Run, o.watchFile}}
	options := operator.Options{
		Cluster: client, Submitter: client, Records: records, Leadership: leadership, Metrics: m, Events: recorder, Log: o.log,
		Scope:   argo.Scope{Namespaces: s.Namespaces, InstanceID: s.InstanceID, ArgoNamespace: s.ArgoNamespace},
		Judging: s.AuditOptions(), Backfill: s.Backfill, MaxParallel: s.MaxParallel, MaxCatchUp: s.MaxCatchUp,
		Classifier: backfill.Classifier{Transient: o.transient}, Registerer: registry,
	}
	if s.AlertmanagerURL != nil {
		sender, err := alert.New(alert.Options{
			URL: s.AlertmanagerURL.String(), Version: version.Version, Log: o.log, Now: client.Now, Posted: m.AlertPosted,
		})
		if err != nil {
			return nil, err
		}
		options.Alerts = sender
		a.tellers = append(a.tellers, sender.Run)
	}
	if a.operator, err = operator.New(options); err != nil {
		return nil, err
	}
	a.server, err = web.Listen(web.Options{
		Address: s.HTTPAddress, MetricsAddress: s.MetricsAddress, Gatherer: registry, Ready: a.operator.Ready, Log: o.log,
	})
	return a, err
}

func (o addOnOptions) access(version string, m *metrics.Metrics) access.Options {
	s := o.settings
	options := access.Options{
		Config: o.config, Version: version, Namespaces: s.Namespaces, ArgoNamespace: s.ArgoNamespace, InstanceID: s.InstanceID,
		Recovers: s.Backfill == auditor.BackfillOn, Log: o.log, Report: m.PermissionDenied,
	}
	if s.LeaderElect {
		options.ElectionNamespace, options.ElectionName = s.LeaderElectNamespace, s.LeaderElectName
	}
	return options
}

func (o addOnOptions) leadership(version string) (operator.Leadership, error) {
	s := o.settings
	if !s.LeaderElect {
		return operator.Alone(), nil
	}
	return operator.Elect(operator.ElectOptions{
		Config: o.config, Version: version, Namespace: s.LeaderElectNamespace, Name: s.LeaderElectName, Identity: s.Identity, Log: o.log,
	})
}

func (o addOnOptions) watchFile(ctx context.Context) {
	config.WatchFile(ctx, o.flags, o.settings, o.log)
}

// run works until ctx ends, or an address can no longer be served, and then stops in order, within stopWithin.
func (a *addOn) run(ctx context.Context) error {
	a.introduce()
	ended := make(chan error, 1)
	go func() { ended <- a.work(ctx) }()
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		a.log.Info("stopping", "within", stopWithin)
		time.AfterFunc(stopWithin, func() { close(stopped) })
	})
	defer stop()
	select {
	case err := <-ended:
		if err != nil {
			a.log.Error("stopped", "error", err.Error()) // the log is where it is looked for by now
			return statusFailed
		}
		a.log.Info("stopped")
		return nil
	case <-stopped:
		a.log.Warn("stopped before everything had ended: the next start goes on from what is on record")
		return nil
	}
}

// work runs all parts. What tells and serves goes on until the operator has nothing left to tell.
func (a *addOn) work(ctx context.Context) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	telling, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var (
		parts   sync.WaitGroup
		serving error
	)
	for _, part := range a.watchers {
		parts.Go(func() { part(working) })
	}
	for _, part := range a.tellers {
		parts.Go(func() { part(telling) })
	}
	parts.Go(func() {
		serving = a.server.Serve(telling)
		stop() // where it failed; otherwise all else has ended
	})
	operating := a.operator.Run(working)
	stop()
	end()
	parts.Wait()
	return errors.Join(operating, serving)
}

// introduce says what was started.
func (a *addOn) introduce() {
	s, version := a.settings, buildVersion()
	lease := "none"
	if s.LeaderElect {
		lease = s.LeaderElectNamespace + "/" + s.LeaderElectName
	}
	namespaces := any("all")
	if len(s.Namespaces) > 0 {
		namespaces = s.Namespaces
	}
	attributes := []any{
		"version", version.Version, "commit", version.Commit, "namespaces", namespaces, "backfill", string(s.Backfill), "lease", lease, "identity", s.Identity,
		"api_server", a.config.Host, "http_address", a.server.Address(), "metrics_address", a.server.MetricsAddress(),
	}
	for _, given := range []struct{ name, value string }{{"instance_id", s.InstanceID}, {"config", s.File}} {
		if given.value != "" {
			attributes = append(attributes, given.name, given.value)
		}
	}
	if s.AlertmanagerURL != nil {
		attributes = append(attributes, "alertmanager", s.AlertmanagerURL.Redacted())
	}
	a.log.Info("Rollcall controller", attributes...)
}
