package argo

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
)

// metadataOfOne asks for the metadata of each object of a watch without the rest; metadataOnly is the same for a list.
const metadataOfOne = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"

// watchedCron is what is kept of a CronWorkflow.
type watchedCron struct {
	// cw is without what its template and the controller's settings say about retention.
	cw       auditor.CronWorkflow
	template *templateName
	version  string
	// err says why it cannot be read; empty when it can.
	err   string
	notes []string
	// wrote is when the controller last wrote to it.
	wrote time.Time
	// handled says that an Argo controller has left its last-used-schedule, or counted the end of a run, whoever made that.
	handled bool
	// retention and served are what the handler was told.
	retention auditor.Retention
	served    bool
}

func (c *watchedCron) key() auditor.Key {
	return auditor.Key{Namespace: c.cw.Namespace, Name: c.cw.Name}
}
func (c *watchedCron) id() string { return c.cw.Namespace + "/" + c.cw.Name }

// instance selects the objects of one Argo installation, as its controller does.
func (s Scope) instance() string {
	if s.InstanceID == "" {
		return "!" + labelInstanceID
	}
	return labelInstanceID + "=" + s.InstanceID
}

func (w *watching) cronStream(ctx context.Context, a *area) *stream[wireCronWorkflow, *watchedCron] {
	s := &stream[wireCronWorkflow, *watchedCron]{
		client:  w.c.plain,
		now:     w.c.Now,
		listing: listing{resource: cronWorkflows, namespace: a.namespace, selector: w.scope.instance()},
		convert: keepCron,
		listed: func(all []*watchedCron, since time.Time) {
			w.send(ctx, func() { w.cronsListed(a, all, since) })
		},
		changed: func(c *watchedCron) { w.send(ctx, func() { w.sawCron(a, c) }) },
		gone:    func(c *watchedCron) { w.send(ctx, func() { w.lostCron(a, c.id()) }) },
	}
	s.lost, s.found, s.failed, s.worked = w.health(ctx, a, a.cronsID)
	s.heard = func(until time.Time) {
		w.send(ctx, func() { a.heard[a.cronsID] = until; w.tellUntil(a) })
	}
	return s
}

func (w *watching) runStream(ctx context.Context, a *area) *stream[wireWorkflow, workflow] {
	selector := labelCronWorkflow + "," + w.scope.instance()
	s := &stream[wireWorkflow, workflow]{
		client:      w.c.plain,
		now:         w.c.Now,
		listing:     listing{resource: workflows, namespace: a.namespace, selector: selector, accept: metadataOnly},
		watchAccept: metadataOfOne,
		convert:     toMetadata,
		refuse:      func(r workflow) error { return r.unreadable }, // metadata comes in the API server's own types: this is not from it
		complete:    func(ctx context.Context, all []workflow) { w.c.completeEnds(ctx, a.namespace, selector, all) },
		listed: func(all []workflow, since time.Time) {
			w.send(ctx, func() { w.runsListed(a, all, since) })
		},
		changed: func(r workflow) { w.send(ctx, func() { w.sawRun(a, r, true) }) },
		gone:    func(r workflow) { w.send(ctx, func() { w.lostRun(a, r) }) },
	}
	s.lost, s.found, s.failed, s.worked = w.health(ctx, a, a.runsID)
	s.heard = func(until time.Time) {
		w.send(ctx, func() { a.heard[a.runsID] = until; w.tellUntil(a) })
	}
	return s
}

// health is how a stream says how it is doing.
func (w *watching) health(ctx context.Context, a *area, id string) (lost, found func(int), failed func(string, error), worked func()) {
	lost = func(attempt int) {
		w.send(ctx, func() { w.blind[id] = loss{attempt, w.blind[id].forbidden} }) // until it is known why
	}
	found = func(attempt int) {
		w.send(ctx, func() {
			if l, ok := w.blind[id]; ok && l.attempt <= attempt {
				delete(w.blind, id)
			}
		})
	}
	failed = func(doing string, err error) {
		w.send(ctx, func() {
			if doing == "list" && apierrors.IsForbidden(err) {
				a.refused = true
			}
			if l, ok := w.blind[id]; ok {
				w.blind[id] = loss{l.attempt, apierrors.IsForbidden(err)}
			}
			explained := w.c.explain(err, "%s %s", doing, id)
			if doing == "watch" && apierrors.IsForbidden(err) {
				w.note(id+": "+kindOf(explained), "%v. They are listed every %s instead: what comes and goes in between is not seen.", explained, pollEvery)
				return
			}
			w.note(id+": "+kindOf(explained), "%v. Trying again.", explained)
		})
	}
	worked = func() { w.send(ctx, func() { w.unnote(id + ": ") }) }
	return lost, found, failed, worked
}

// kindOf sorts errors for notes.
func kindOf(explained error) string {
	for _, kind := range []error{ErrNotInstalled, ErrUnreachable, ErrUnauthorized, ErrForbidden} {
		if errors.Is(explained, kind) {
			return kind.Error()
		}
	}
	return string(apierrors.ReasonForError(explained))
}

// keepCron converts a CronWorkflow and drops its workflowSpec and all else that is not needed.
func keepCron(m *wireCronWorkflow, err error) *watchedCron {
	c := toCronWorkflow(m, err)
	kept := &watchedCron{
		cw: c.CronWorkflow, template: c.template, version: c.resourceVersion, notes: c.notes, wrote: c.writtenAt, handled: c.handled,
	}
	if c.err != nil {
		kept.err = c.err.Error()
	}
	return kept
}

func (w *watching) cronsListed(a *area, all []*watchedCron, since time.Time) {
	a.cronsDone = true
	w.relisted(a, since)
	there := make(map[string]bool, len(all))
	for _, c := range all {
		there[c.id()] = true
		if old, ok := a.crons[c.id()]; !ok || old.version != c.version || old.cw.UID != c.cw.UID {
			w.sawCron(a, c)
		}
	}
	for _, id := range sortedKeys(a.crons) {
		if !there[id] {
			w.lostCron(a, id)
		}
	}
	delete(w.blind, a.cronsID)
}

// relisted tells of the gap that a list after the first one leaves.
func (w *watching) relisted(a *area, since time.Time) {
	if a.told && w.synced && !since.IsZero() {
		w.handler.Gap(since)
	}
}

func (w *watching) sawCron(a *area, c *watchedCron) {
	old := a.crons[c.id()]
	if old != nil && old.cw.UID != c.cw.UID {
		w.lostCron(a, c.id())
		old = nil
	}
	w.wrote(c.wrote)
	for _, note := range append(slices.Clone(c.notes), c.err) {
		if note != "" && (old == nil || note != old.err && !slices.Contains(old.notes, note)) {
			w.handler.Note(note)
		}
	}
	a.crons[c.id()] = c
	if c.template != nil {
		if _, known := w.templates[*c.template]; !known {
			w.unread[*c.template] = true
		}
	}
	switch {
	case !a.told:
	case c.err == "":
		w.tellCron(a, c)
	case old != nil && old.err == "":
		w.handler.CronWorkflowGone(c.key())
	}
}

// tellCron tells of one that can be read.
func (w *watching) tellCron(a *area, c *watchedCron) {
	if c.err != "" {
		return
	}
	cw := c.cw
	cw.Served = a.serves(c)
	c.served = cw.Served
	cw.Retention = w.retention(c)
	c.retention = cw.Retention
	w.handler.CronWorkflow(cw)
}

// serves says whether an Argo controller has looked after it. A lastScheduledTime that Rollcall moved to a run of its own does not.
func (a *area) serves(c *watchedCron) bool {
	last := c.cw.Status.LastScheduledTime
	run, ok := a.runs[objectName{c.cw.Namespace, auditor.WorkflowName(c.cw.Name, last)}]
	ours := c.cw.Status.Intended.Equal(last) || ok && run.BackfilledBy != ""
	return c.handled || !last.IsZero() && !ours || a.ran[c.cw.UID]
}

// retention is complete once the settings and the template have been read.
func (w *watching) retention(c *watchedCron) auditor.Retention {
	var template *lifetime
	if c.template != nil {
		template = &lifetime{ttl: noTTL, unreadable: c.template.String()}
		if read, ok := w.templates[*c.template]; ok {
			template = &read
		}
	}
	return complete(c.cw.Retention, template, *w.settings)
}

// retell tells again of those whose retention has become another.
func (w *watching) retell() {
	for _, a := range w.areas {
		if !a.told {
			continue
		}
		for _, id := range sortedKeys(a.crons) {
			if c := a.crons[id]; w.retention(c) != c.retention {
				w.tellCron(a, c)
			}
		}
	}
}

func (w *watching) lostCron(a *area, id string) {
	c, ok := a.crons[id]
	if !ok {
		return
	}
	delete(a.crons, id)
	delete(a.ran, c.cw.UID)
	if a.told && c.err == "" {
		w.handler.CronWorkflowGone(c.key())
	}
}

// toMetadata converts a Workflow of which there is only metadata: its phase is a label.
func toMetadata(m *wireWorkflow, decoding error) workflow {
	m.Status.Phase = m.Metadata.Labels[labelPhase]
	w := toWorkflow(m, decoding)
	if m.Status.Phase != "" && m.Status.Phase != "Pending" {
		w.run.StartedAt = w.run.CreatedAt
	}
	return w
}

// completeEnds reads when runs ended whose managedFields do not tell. What cannot be read ended now: too late is safe, since
// the later a run ended, the less is certain about those before it.
func (c *Client) completeEnds(ctx context.Context, namespace, selector string, all []workflow) {
	untold := func(w workflow) bool { return w.run.Finished() && w.writtenAt.IsZero() }
	if !slices.ContainsFunc(all, untold) {
		return
	}
	ends := map[string]time.Time{}
	if full, _, err := c.runs(ctx, c.plain, namespace, selector); err == nil {
		for _, w := range full {
			if w.unreadable == nil {
				ends[w.run.UID] = w.run.FinishedAt
			}
		}
	}
	for i := range all {
		if w := &all[i]; untold(*w) {
			w.run.FinishedAt = ends[w.run.UID]
			if w.run.FinishedAt.IsZero() {
				w.run.FinishedAt = c.Now()
			}
		}
	}
}

func (w *watching) runsListed(a *area, all []workflow, since time.Time) {
	a.runsDone = true
	w.relisted(a, since)
	there := make(map[objectName]bool, len(all))
	for _, r := range all {
		there[r.objectName()] = true
		if old, ok := a.runs[r.objectName()]; !ok || old.UID != r.run.UID || old.ResourceVersion != r.run.ResourceVersion {
			w.sawRun(a, r, false)
		}
	}
	for name, run := range inOrder(a.runs) {
		if !there[name] {
			w.lostRun(a, workflow{namespace: name.namespace, run: run})
		}
	}
	delete(w.blind, a.runsID)
}

func (w workflow) objectName() objectName { return objectName{w.namespace, w.run.Name} }

// sawRun takes a run as it is now; live says that it became so only now.
func (w *watching) sawRun(a *area, r workflow, live bool) {
	name := r.objectName()
	old, known := a.runs[name]
	if known && old.UID != r.run.UID {
		w.lostRun(a, workflow{namespace: r.namespace, run: old})
		known = false
	}
	r.run.FinishedAt = w.endOf(r, old, known, live)
	w.wrote(r.writtenAt)
	if _, native := cronOf(r.run.Name); native && r.run.Controlled && r.run.BackfilledBy == "" {
		w.wrote(r.run.CreatedAt)
	}
	a.runs[name] = r.run
	cron, ok := cronOf(r.run.Name)
	if ok && ranBy(cron, r.run.Owner, r.run) {
		a.ran[r.run.Owner] = true
	}
	if !a.told {
		return
	}
	if ok {
		if c := a.crons[r.namespace+"/"+cron]; c != nil && c.served != a.serves(c) { // it came before its run
			w.tellCron(a, c)
		}
	}
	w.handler.Run(r.namespace, r.run)
}

// endOf is when the run ended. Once that was seen, what the controller writes later (a label when it was archived) changes
// nothing.
func (w *watching) endOf(r workflow, old auditor.Run, known, live bool) time.Time {
	switch {
	case !r.run.Finished():
		return time.Time{}
	case known && old.Finished():
		return old.FinishedAt
	case live && r.writtenAt.IsZero():
		return w.c.Now()
	}
	return r.run.FinishedAt
}

func (w *watching) lostRun(a *area, r workflow) {
	name := r.objectName()
	old, known := a.runs[name]
	if !known || old.UID != r.run.UID {
		return
	}
	delete(a.runs, name)
	if a.told {
		// An object that is deleted comes with its last state: a run may have ended with that.
		r.run.FinishedAt = w.endOf(r, old, true, true)
		w.handler.RunGone(r.namespace, r.run)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// inOrder goes through runs by namespace and name; they may be deleted meanwhile.
func inOrder(runs map[objectName]auditor.Run) iter.Seq2[objectName, auditor.Run] {
	names := slices.SortedFunc(maps.Keys(runs), func(a, b objectName) int {
		return strings.Compare(a.namespace+"\x00"+a.name, b.namespace+"\x00"+b.name)
	})
	return func(yield func(objectName, auditor.Run) bool) {
		for _, name := range names {
			if !yield(name, runs[name]) {
				return
			}
		}
	}
}
