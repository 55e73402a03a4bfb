//go:build node

package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/cluster"
)

// scenario is a test with a limit of time.
type scenario struct {
	*testing.T
	ctx context.Context
}

func begin(t *testing.T, limit time.Duration) *scenario {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return &scenario{T: t, ctx: ctx}
}

func (s *scenario) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// try runs a program as the administrator of the cluster.
func (s *scenario) try(program string, args ...string) (stdout string, err error) {
	cmd := exec.CommandContext(s.ctx, program, args...)
	// Helm keeps files in the home folder.
	cmd.Env = append(os.Environ(), "KUBECONFIG="+shared.Kubeconfig(cluster.Admin), "HOME="+scratch)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(program), strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

func (s *scenario) kubectl(args ...string) string {
	s.Helper()
	out, err := s.try(shared.Kubectl(), args...)
	s.must(err)
	return out
}

func (s *scenario) helm(args ...string) string {
	s.Helper()
	out, err := s.try(helm, args...)
	s.must(err)
	return out
}

// get is one field of an object, as kubectl's JSONPath names it.
func (s *scenario) get(namespace, object, path string) string {
	s.Helper()
	return s.kubectl("-n", namespace, "get", object, "-o", "jsonpath="+path)
}

// await waits until a condition holds, as long as the scenario may take or at most for a while.
func (s *scenario) await(what string, within time.Duration, condition func() error) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, within)
	defer cancel()
	s.must(cluster.Await(ctx, what, func(context.Context) error { return condition() }))
}

func (s *scenario) until(t time.Time) {
	s.Helper()
	select {
	case <-time.After(time.Until(t)):
	case <-s.ctx.Done():
		s.Fatal(s.ctx.Err())
	}
}

// installed says that a release is there, and has what it says and its events told if the test fails, and all of it removed at the
// end.
func (s *scenario) installed(release, namespace string) {
	s.Cleanup(func() {
		c := *s
		ctx, cancel := cleanup()
		defer cancel()
		c.ctx = ctx
		if s.Failed() {
			for _, args := range [][]string{
				{"get", "pods", "-o", "wide"},
				{"get", "events"},
				{"logs", "-l", "app.kubernetes.io/instance=" + release, "--tail=60", "--prefix"},
			} {
				out, err := c.try(shared.Kubectl(), append([]string{"-n", namespace}, args...)...)
				s.Logf("kubectl %s:\n%s%v", strings.Join(args, " "), out, errText(err))
			}
		}
		if out, err := c.try(helm, "uninstall", release, "-n", namespace, "--ignore-not-found", "--wait"); err != nil {
			s.Errorf("%s%v", out, err)
		}
		// It stays with the records, and belongs to this release.
		if out, err := c.try(shared.Kubectl(), "delete", crd, "--ignore-not-found"); err != nil {
			s.Errorf("%s%v", out, err)
		}
	})
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// fails runs a program that must end with an error, and returns what it says.
func (s *scenario) fails(program string, args ...string) string {
	s.Helper()
	_, err := s.try(program, args...)
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		s.Fatalf("%s %s: want it refused, got %v", filepath.Base(program), strings.Join(args, " "), err)
	}
	return err.Error()
}

// chartField is a field of Chart.yaml.
func chartField(name string) string {
	data, err := os.ReadFile(filepath.Join(chart, "Chart.yaml"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// cleanup is for what a test does when it has ended, whatever became of its own limit.
func cleanup() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 90*time.Second)
}
