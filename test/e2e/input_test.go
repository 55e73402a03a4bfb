package e2e

import (
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/cluster"
)

func TestBadInputIsAClearErrorThatChangesNothing(t *testing.T) {
	s := begin(t, 5*time.Minute)
	s.create(cron{name: "tick", deadline: 600})
	s.create(cron{name: strings.Repeat("x", 53), deadline: 600})
	nobody := shared.Kubeconfig(cluster.Nobody)

	for name, c := range map[string]struct {
		args       []string
		kubeconfig string
		says       []string
	}{
		"an unknown CronWorkflow":            {args: []string{"audit", "tok"}, says: []string{"tok", s.namespace}},
		"an unknown CronWorkflow to recover": {args: []string{"backfill", "tok", "--at", "2026-11-23T04:40:00Z", "--yes"}, says: []string{"tok"}},
		"an unknown namespace":               {args: []string{"audit", "-n", "nowhere"}, says: []string{"nowhere"}},
		"no permission":                      {args: []string{"audit"}, kubeconfig: nobody, says: []string{"nobody", "cronworkflows"}},
		"a name over 52 characters":          {args: []string{"audit", strings.Repeat("x", 53)}, says: []string{"53 characters"}},
		"a time that is no firing":           {args: []string{"explain", "tick", "--at", minute().Add(-30 * time.Second).Format(time.RFC3339)}, says: []string{"tick"}},
		"a million firings":                  {args: []string{"backfill", "tick", "--from", "2020-01-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z", "--yes"}, says: []string{"--from"}},
		"no terminal and no --yes":           {args: []string{"backfill", "tick", "--at", minute().Format(time.RFC3339)}, says: []string{"--yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.T = t
			if c.kubeconfig != "" {
				s.kubeconfig = c.kubeconfig
			}
			out := s.rollcall(c.args...)
			if out.status != 1 {
				t.Errorf("want status 1, got %d", out.status)
			}
			for _, want := range c.says {
				if !strings.Contains(out.stdout+out.stderr, want) {
					t.Errorf("want it to name %q:\n%s%s", want, out.stdout, out.stderr)
				}
			}
		})
	}
	if all := names(s.workflows()); len(all) != 0 {
		s.Errorf("something was created: %v", all)
	}
}
