package argo

import (
	"context"
	"maps"
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// poll reads the lease and the settings of Argo's controller again and again. There is one of each, and a lease changes every
// few seconds: asking when it matters costs less than watching.
func (w *watching) poll(ctx context.Context) {
	ticker := time.NewTicker(leaseEvery)
	defer ticker.Stop()
	for n := 0; ; n++ {
		began := w.c.Now()
		lease, err := within(ctx, func(ctx context.Context) (*auditor.Lease, error) {
			return w.c.lease(ctx, w.c.plain, w.scope.lease())
		})
		if lease != nil {
			lease.ReadAt = began
		}
		w.send(ctx, func() { w.sawLease(lease, err) })
		if n%int(settingsEvery/leaseEvery) == 0 {
			settings, err := within(ctx, func(ctx context.Context) (controllerConfig, error) {
				return w.c.controllerConfig(ctx, w.c.plain, w.scope.config())
			})
			w.send(ctx, func() {
				w.sawSettings(settings, err)
				maps.Copy(w.unread, w.failed)
			})
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// readFor is how long reading one object may take.
const readFor = 10 * time.Second

func within[T any](ctx context.Context, read func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	return read(ctx)
}

func (w *watching) sawLease(lease *auditor.Lease, err error) {
	const kind = "lease: "
	if err != nil {
		explained := w.c.explain(err, "read Lease %s", w.scope.lease())
		w.note(kind+kindOf(explained), "%v. Whether Argo's controller is alive is judged from what it writes.", explained)
	} else {
		w.unnote(kind)
		if lease != nil || w.lease != nil {
			w.lease, w.stale = lease, true
		}
	}
	if w.synced {
		w.tellController()
	}
}

// sawSettings takes new settings. Those that were read once stay while the API server cannot be asked; where it does not let
// them be read, they may set a time to live.
func (w *watching) sawSettings(settings controllerConfig, err error) {
	const kind = "settings: "
	if err != nil {
		explained := w.c.explain(err, "read ConfigMap %s", w.scope.config())
		w.note(kind+kindOf(explained), "%v. Its workflowDefaults may make Argo delete runs.", explained)
		if w.settings != nil && !isStatus(err) {
			return
		}
	} else {
		w.unnote(kind)
	}
	if w.settings != nil && *w.settings == settings {
		return
	}
	w.settings = &settings
	w.retell()
}

// read starts to read the templates that are not known, unless that is going on.
func (w *watching) read(ctx context.Context) {
	if w.reading || len(w.unread) == 0 {
		return
	}
	names := slices.Collect(maps.Keys(w.unread))
	clear(w.unread)
	w.reading = true
	w.goes.Go(func() {
		for _, name := range names {
			l, err := within(ctx, func(ctx context.Context) (lifetime, error) { return w.c.template(ctx, w.c.plain, name) })
			w.send(ctx, func() { w.sawTemplate(name, l, err) })
		}
		w.send(ctx, func() { w.reading = false })
	})
}

// readAgain has all templates read that are referred to, and forgets the others.
func (w *watching) readAgain() {
	referred := map[templateName]bool{}
	for _, a := range w.areas {
		for _, c := range a.crons {
			if c.template != nil {
				referred[*c.template] = true
			}
		}
	}
	unreferred := func(name templateName) bool { return !referred[name] }
	maps.DeleteFunc(w.templates, func(name templateName, _ lifetime) bool { return unreferred(name) })
	maps.DeleteFunc(w.failed, func(name templateName, _ bool) bool { return unreferred(name) })
	maps.Copy(w.unread, referred)
}

func (w *watching) sawTemplate(name templateName, l lifetime, err error) {
	kind := "template " + name.String() + ": "
	delete(w.failed, name)
	if err != nil {
		w.failed[name] = true
		explained := w.c.explain(err, "read %s", name)
		w.note(kind+kindOf(explained), "%v. It may make Argo delete runs.", explained)
		if _, known := w.templates[name]; known && !isStatus(err) {
			return
		}
	} else {
		w.unnote(kind)
	}
	w.templates[name] = l
	if w.settings != nil {
		w.retell()
	}
}
