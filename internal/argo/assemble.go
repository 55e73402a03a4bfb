package argo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
)

// found is what was read, live or from a dump, before it is put together.
type found struct {
	// known are all CronWorkflows that were read, chosen those of them that the scope asks for.
	known, chosen []cronWorkflow
	workflows     []workflow
	// templates are those that CronWorkflows refer to, as far as they were looked for.
	templates map[templateName]lifetime
	lease     *auditor.Lease
	config    controllerConfig
}

func (s Scope) withDefaults() Scope {
	if s.ArgoNamespace == "" {
		s.ArgoNamespace = defaultArgoNamespace
	}
	return s
}

func (s Scope) lease() objectName  { return objectName{s.ArgoNamespace, leaseOf(s.InstanceID)} }
func (s Scope) config() objectName { return objectName{s.ArgoNamespace, configName} }

func (s Scope) inNamespace(namespace string) bool {
	return len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, namespace)
}

// choose leaves out the CronWorkflows that the scope does not ask for, and counts those of other Argo installations. A name
// that was asked for and is not there is an error.
func (s Scope) choose(all []cronWorkflow) (chosen []cronWorkflow, outside int, err error) {
	foreign := map[string]cronWorkflow{}
	seen := map[string]bool{}
	for _, c := range all {
		if !s.inNamespace(c.Namespace) || len(s.Names) > 0 && !slices.Contains(s.Names, c.Name) {
			continue
		}
		if c.InstanceID != s.InstanceID {
			outside++
			foreign[c.Name] = c
			continue
		}
		seen[c.Name] = true
		chosen = append(chosen, c)
	}
	for _, name := range s.Names {
		if seen[name] {
			continue
		}
		if c, ok := foreign[name]; ok {
			return nil, 0, fmt.Errorf("CronWorkflow %s belongs to %s; give its instanceID with --instance-id", c.objectName(), installation(c.InstanceID))
		}
		where := "any namespace"
		if len(s.Namespaces) > 0 {
			where = "namespace " + strings.Join(s.Namespaces, ", ")
		}
		return nil, 0, fmt.Errorf("no CronWorkflow %s in %s: %w", name, where, apierrors.NewNotFound(cronWorkflows.GroupResource(), name))
	}
	slices.SortFunc(chosen, func(a, b cronWorkflow) int {
		return strings.Compare(a.Namespace+"\x00"+a.Name, b.Namespace+"\x00"+b.Name)
	})
	return chosen, outside, nil
}

func installation(instanceID string) string {
	if instanceID == "" {
		return "the Argo installation without an instanceID"
	}
	return fmt.Sprintf("the Argo installation %q", instanceID)
}

// assemble puts the evidence together for each chosen CronWorkflow.
func (f found) assemble(instanceID string) ([]Observed, []string) {
	var (
		notes      []string
		controller = auditor.Controller{Lease: f.lease, Writes: f.writes(instanceID)}
		runs       = index(f.workflows)
		doubtful   = f.doubtful()
		observed   = make([]Observed, 0, len(f.chosen))
	)
	for _, c := range f.chosen {
		notes = append(notes, c.notes...)
		c.Retention = complete(c.Retention, f.lifetimeOf(c.template), f.config)
		own := runs.of(c)
		if i := slices.IndexFunc(doubtful, func(d doubt) bool { return d.about(c) }); i >= 0 && c.Retention.Unreadable == "" {
			c.Retention.Unreadable = doubtful[i].spoken()
		}
		c.Served = c.served(own)
		observed = append(observed, Observed{
			Input: auditor.Input{CronWorkflow: c.CronWorkflow, Runs: own, Controller: controller},
			Err:   c.err,
		})
	}
	return observed, notes
}

func (f found) lifetimeOf(template *templateName) *lifetime {
	if template == nil {
		return nil
	}
	if l, ok := f.templates[*template]; ok {
		return &l
	}
	return &lifetime{ttl: noTTL, unreadable: template.String()}
}

// doubt is a Workflow of which not all can be read: it may have been the run of a firing for which there is no other, or active
// when another was due.
type doubt struct {
	workflow
	// stranger says that by what can be read it is of no CronWorkflow that is known.
	stranger bool
}

func (f found) doubtful() []doubt {
	var all []doubt
	for _, w := range f.workflows {
		if w.unreadable != nil {
			all = append(all, doubt{w, w.namespace == "" || !slices.ContainsFunc(f.known, w.isOf)})
		}
	}
	return all
}

// about says whether it may be a run of the CronWorkflow.
func (d doubt) about(c cronWorkflow) bool {
	return d.isOf(c) || d.stranger && (d.namespace == "" || d.namespace == c.Namespace)
}

// isOf says whether the Workflow has one of the three signs of the CronWorkflow's runs.
func (w workflow) isOf(c cronWorkflow) bool {
	named, _ := cronOf(w.run.Name)
	return w.namespace == c.Namespace && (w.run.CronLabel == c.Name || w.run.Owner != "" && w.run.Owner == c.UID || named == c.Name)
}

// writes are the times, once each and ascending, at which the installation's controller is known to have written: its
// entries in managedFields, and the creations of the runs that it made.
func (f found) writes(instanceID string) []time.Time {
	var times []time.Time
	for _, c := range f.known {
		if c.InstanceID == instanceID {
			times = append(times, c.writtenAt)
		}
	}
	for _, w := range f.workflows {
		if w.run.InstanceID != instanceID {
			continue
		}
		times = append(times, w.writtenAt)
		if _, native := cronOf(w.run.Name); native && w.run.Controlled && w.run.BackfilledBy == "" {
			times = append(times, w.run.CreatedAt)
		}
	}
	times = slices.DeleteFunc(times, time.Time.IsZero)
	slices.SortFunc(times, time.Time.Compare)
	return slices.CompactFunc(times, time.Time.Equal)
}

// runIndex finds the Workflows of a CronWorkflow by each of the three signs of one.
type runIndex struct {
	workflows                []workflow
	byLabel, byOwner, byName map[objectName][]int
}

func index(workflows []workflow) runIndex {
	x := runIndex{workflows, map[objectName][]int{}, map[objectName][]int{}, map[objectName][]int{}}
	for i, w := range workflows {
		if w.run.CronLabel != "" {
			key := objectName{w.namespace, w.run.CronLabel}
			x.byLabel[key] = append(x.byLabel[key], i)
		}
		if w.run.Owner != "" {
			key := objectName{w.namespace, w.run.Owner}
			x.byOwner[key] = append(x.byOwner[key], i)
		}
		if cron, ok := cronOf(w.run.Name); ok {
			key := objectName{w.namespace, cron}
			x.byName[key] = append(x.byName[key], i)
		}
	}
	return x
}

// of returns the runs of the CronWorkflow sorted by name: those with its label, those it owns, and those named after its
// firings, whoever's they are.
func (x runIndex) of(c cronWorkflow) []auditor.Run {
	hits := slices.Concat(x.byLabel[c.objectName()], x.byOwner[objectName{c.Namespace, c.UID}], x.byName[c.objectName()])
	slices.Sort(hits)
	hits = slices.Compact(hits)
	var runs []auditor.Run
	for _, i := range hits {
		runs = append(runs, x.workflows[i].run)
	}
	slices.SortFunc(runs, func(a, b auditor.Run) int { return strings.Compare(a.Name, b.Name) })
	return runs
}
