package argo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"rollcall.dev/rollcall/auditor"
)

// mirror is what a handler knows: what there is, and everything that ever was.
type mirror struct {
	crons, runs map[string]string // resource versions; of a CronWorkflow its spec's deadline stands for one
	ever        map[string]bool
	synced      bool
	gaps        int
	blind       []string
	wrong       []string
}

func (h *mirror) CronWorkflow(cw auditor.CronWorkflow) {
	h.crons[cw.Namespace+"/"+cw.Name] = cw.Epochs[0].Spec.StartingDeadline.String()
}

func (h *mirror) CronWorkflowGone(key auditor.Key) {
	if _, ok := h.crons[key.String()]; !ok {
		h.wrong = append(h.wrong, "gone without having been there: "+key.String())
	}
	delete(h.crons, key.String())
}

func (h *mirror) Run(namespace string, run auditor.Run) {
	h.runs[namespace+"/"+run.Name] = run.ResourceVersion
	h.ever[namespace+"/"+run.Name] = true
}

func (h *mirror) RunGone(namespace string, run auditor.Run) {
	if _, ok := h.runs[namespace+"/"+run.Name]; !ok {
		h.wrong = append(h.wrong, "gone without having been there: "+run.Name)
	}
	delete(h.runs, namespace+"/"+run.Name)
}

func (h *mirror) Synced() { h.synced = true }
func (h *mirror) Gap(time.Time) {
	if !h.synced {
		h.wrong = append(h.wrong, "a gap before anything was covered")
	}
	h.gaps++
}
func (h *mirror) Told(string, time.Time)        {}
func (h *mirror) Blind(namespaces, _ []string)  { h.blind = namespaces }
func (h *mirror) Controller(auditor.Controller) {}
func (h *mirror) Note(string)                   {}

func TestWatchEndsUpWithWhatThereIsWhateverBreaks(t *testing.T) {
	actions := []string{"run", "run", "run", "end of a run", "no run", "cron", "no cron", "cut", "end", "compact", "410 in events", "bookmark", "away", "back", "refuse", "allow", "wait", "long wait"}
	rapid.Check(t, func(rt *rapid.T) {
		type step struct {
			action string
			which  int
		}
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{rapid.SampledFrom(actions).Draw(t, "action"), rapid.IntRange(0, 2).Draw(t, "which")}
		}), 1, 40).Draw(rt, "steps")
		var wrong []string
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t)
			c.put("configmaps", map[string]any{"metadata": map[string]any{"namespace": "argo", "name": configName}})
			h := &mirror{crons: map[string]string{}, runs: map[string]string{}, ever: map[string]bool{}}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- c.client().Watch(ctx, Scope{}, h) }()
			synctest.Wait()
			ever := map[string]bool{}
			for i, s := range steps {
				run, cron := fmt.Sprint("tick-", s.which), fmt.Sprint("cron-", s.which)
				switch s.action {
				case "run":
					run = fmt.Sprint("tick-1", i)
					c.put("workflows", runObject(run, "Running"))
					ever["default/"+run] = true
				case "end of a run":
					c.put("workflows", runObject(run, "Succeeded"))
					ever["default/"+run] = true
				case "no run":
					if id := c.any("workflows", s.which); id != "" {
						c.delete("workflows", id)
					}
				case "cron":
					object := cronObject(cron)
					set(object, int64(i+1), "spec", "startingDeadlineSeconds")
					c.put("cronworkflows", object)
				case "no cron":
					if id := c.any("cronworkflows", s.which); id != "" {
						c.delete("cronworkflows", id)
					}
				case "cut":
					c.cut()
				case "end":
					c.end()
				case "compact":
					c.compact()
				case "410 in events":
					c.change(func() { c.inStream = !c.inStream })
				case "bookmark":
					c.bookmark()
				case "away":
					c.goAway(true)
				case "back":
					c.goAway(false)
				case "refuse":
					c.refuse([]string{"list workflows", "watch workflows", "watch cronworkflows"}[s.which])
				case "allow":
					c.allow([]string{"list workflows", "watch workflows", "watch cronworkflows"}[s.which])
				case "wait":
					time.Sleep(2 * time.Second)
				case "long wait":
					time.Sleep(time.Minute)
				}
			}
			c.goAway(false)
			for _, what := range []string{"list workflows", "watch workflows", "watch cronworkflows"} {
				c.allow(what)
			}
			time.Sleep(silentFor + 20*time.Second) // for backoff, and for a connection that died
			c.bookmark()
			time.Sleep(2 * settleFor)
			synctest.Wait()
			stop()
			if err := <-ended; err != nil {
				wrong = append(wrong, err.Error())
			}
			wrong = append(wrong, h.wrong...)
			runs, crons := map[string]string{}, map[string]string{}
			for id, o := range c.objects["workflows"] {
				runs[id] = o.GetResourceVersion()
			}
			for id, o := range c.objects["cronworkflows"] {
				seconds, _, _ := unstructured.NestedInt64(o.Object, "spec", "startingDeadlineSeconds")
				crons[id] = (time.Duration(seconds) * time.Second).String()
			}
			if diff := cmp.Diff(runs, h.runs); diff != "" {
				wrong = append(wrong, "runs (-there +told):\n"+diff)
			}
			if diff := cmp.Diff(crons, h.crons); diff != "" {
				wrong = append(wrong, "CronWorkflows (-there +told):\n"+diff)
			}
			if !h.synced || len(h.blind) > 0 {
				wrong = append(wrong, fmt.Sprintf("synced %t, blind %q", h.synced, h.blind))
			}
			// What came and went is told of, or that something may have.
			if h.gaps == 0 {
				if diff := cmp.Diff(ever, h.ever); diff != "" {
					wrong = append(wrong, "without a gap (-there was +told):\n"+diff)
				}
			}
		})
		if len(wrong) > 0 {
			rt.Fatalf("%s", wrong)
		}
	})
}

// any is one of the objects; empty when there is none.
func (c *cluster) any(resource string, which int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := slices.Sorted(maps.Keys(c.objects[resource]))
	if len(ids) == 0 {
		return ""
	}
	return ids[which%len(ids)]
}
