package real

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/rollcall/test/cluster"
)

var cronAudits = schema.GroupVersionResource{Group: "rollcall.dev", Version: "v1alpha1", Resource: "cronaudits"}

// user does what users do. It gives up on what does not work within some seconds, as they do, but for what would leave half a
// change behind.
func (s *stage) user(ctx context.Context, e edit, c cron) {
	trying, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	if e.What == resumes || e.What == recreates {
		trying = ctx
	}
	var last error
	for trying.Err() == nil {
		once, cancel := context.WithTimeout(trying, 4*time.Second)
		last = s.edit(once, e, c)
		cancel()
		if last == nil {
			s.tell("user %s: %s", e.What, c.Name)
			return
		}
		pause(trying, time.Second)
	}
	s.tell("user could not do it (%s: %s): %v", e.What, c.Name, last)
}

func (s *stage) edit(ctx context.Context, e edit, c cron) error {
	crons := s.Dynamic().Resource(cluster.CronWorkflows).Namespace(namespace)
	patch := func(text string) error {
		_, err := crons.Patch(ctx, c.Name, types.MergePatchType, []byte(text), metav1.PatchOptions{})
		return err
	}
	switch e.What {
	case suspends:
		return patch(`{"spec":{"suspend":true}}`)
	case resumes:
		return patch(`{"spec":{"suspend":false}}`)
	case edits:
		schedules := `["* * * * *"]`
		if e.At.Milliseconds()/100%2 == 0 {
			schedules = `["*/2 * * * *","1-59/2 * * * *"]`
		}
		return patch(`{"spec":{"schedules":` + schedules + `}}`)
	case prolongs:
		return patch(fmt.Sprintf(`{"spec":{"startingDeadlineSeconds":%d}}`, 120+e.At.Milliseconds()/100%600))
	case notes:
		return patch(fmt.Sprintf(`{"metadata":{"annotations":{"exam/note":%q}}}`, e.At))
	case submits:
		return s.submit(ctx, c, nil)
	case resubmits:
		return s.resubmit(ctx, c)
	case recreates:
		return s.recreate(ctx, c)
	case squats:
		return s.squat(ctx, c)
	}
	return fmt.Errorf("nobody knows how to do that")
}

// squat makes a Workflow of nobody's under the name of the firing after the next.
func (s *stage) squat(ctx context.Context, c cron) error {
	due := time.Now().UTC().Truncate(time.Minute).Add(2 * time.Minute)
	return s.Apply(ctx, namespace, fmt.Sprintf(`{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"%s-%d"},
		"spec":{"entrypoint":"main","templates":[{"name":"main","suspend":{"duration":"1s"}}]}}`, c.Name, due.Unix()))
}

// submit is "argo submit --from cronwf/x"; again a run that it repeats.
func (s *stage) submit(ctx context.Context, c cron, again *unstructured.Unstructured) error {
	of, err := s.Dynamic().Resource(cluster.CronWorkflows).Namespace(namespace).Get(ctx, c.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	spec, _, err := unstructured.NestedMap(of.Object, "spec", "workflowSpec")
	if err != nil {
		return err
	}
	w := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": spec}}
	name, at := c.Name, time.Now().UTC().Format(time.RFC3339)
	labels := map[string]string{"workflows.argoproj.io/cron-workflow": c.Name}
	if again != nil {
		name, at = again.GetName(), again.GetAnnotations()["workflows.argoproj.io/scheduled-time"]
		labels["workflows.argoproj.io/resubmitted-from-workflow"] = again.GetName()
	}
	w.SetName(name + "-" + strings.ToLower(rand.Text()[:5]))
	w.SetLabels(labels)
	w.SetAnnotations(map[string]string{"workflows.argoproj.io/scheduled-time": at})
	yes := true
	w.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: of.GetAPIVersion(), Kind: of.GetKind(), Name: of.GetName(), UID: of.GetUID(), Controller: &yes, BlockOwnerDeletion: &yes,
	}})
	_, err = s.Dynamic().Resource(cluster.Workflows).Namespace(namespace).Create(ctx, w, metav1.CreateOptions{})
	return err
}

// resubmit is "argo resubmit" of the newest run.
func (s *stage) resubmit(ctx context.Context, c cron) error {
	runs, err := s.Dynamic().Resource(cluster.Workflows).Namespace(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: "workflows.argoproj.io/cron-workflow=" + c.Name,
	})
	if err != nil || len(runs.Items) == 0 {
		return err
	}
	newest := &runs.Items[0]
	for i := range runs.Items {
		if t := runs.Items[i].GetCreationTimestamp(); t.After(newest.GetCreationTimestamp().Time) {
			newest = &runs.Items[i]
		}
	}
	return s.submit(ctx, c, newest)
}

// recreate deletes a CronWorkflow and creates it anew. What it owned is deleted too, as the garbage collector does that this
// cluster lacks.
func (s *stage) recreate(ctx context.Context, c cron) error {
	crons := s.Dynamic().Resource(cluster.CronWorkflows).Namespace(namespace)
	if old, err := crons.Get(ctx, c.Name, metav1.GetOptions{}); err == nil {
		uid := old.GetUID()
		if err := crons.Delete(ctx, c.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}); err != nil {
			return err
		}
		if err := s.collect(ctx, uid); err != nil {
			s.tell("what %s owned could not be deleted: %v", c.Name, err)
		}
	}
	text, err := c.manifest()
	if err != nil {
		return err
	}
	return s.Apply(ctx, namespace, text)
}

// collect deletes what an owner that is gone owned.
func (s *stage) collect(ctx context.Context, owner types.UID) error {
	for _, of := range []schema.GroupVersionResource{cluster.Workflows, cronAudits} {
		objects := s.Dynamic().Resource(of).Namespace(namespace)
		list, err := objects.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, o := range list.Items {
			for _, ref := range o.GetOwnerReferences() {
				if ref.UID == owner {
					if err := objects.Delete(ctx, o.GetName(), metav1.DeleteOptions{}); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}
