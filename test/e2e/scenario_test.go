package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/rollcall/test/cluster"
)

var (
	// shared is the cluster of all scenarios.
	shared *cluster.Cluster
	// binary is the rollcall under test.
	binary string
)

// mostScenarios is more than there are.
const mostScenarios = 200

// grace is what Rollcall is told, so that scenarios need not wait for the default half minute. Argo has to have begun a live firing
// by then, however busy the machine is.
const grace = 10 * time.Second

func TestMain(m *testing.M) {
	flag.Parse()
	// A scenario waits for real minutes, not for a core. Those that share an outage wait for each other besides, so that all of
	// them have to be under way at once.
	if err := flag.Set("test.parallel", strconv.Itoa(mostScenarios)); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rollcall-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "rollcall")
	if out, err := exec.Command("go", "build", "-o", binary, "rollcall.dev/rollcall/cmd/rollcall").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building rollcall: %v\n%s", err, out)
		return 1
	}
	c, err := cluster.Start(context.Background(), cluster.Options{
		Users: controllerUsers(), StopOnSignal: true, Progress: os.Stderr, WithoutArgo: true,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = c
	defer func() {
		if err := c.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

// scenario is a namespace with, if it asked for one, an Argo controller of its own.
type scenario struct {
	*testing.T
	ctx       context.Context
	namespace string
	// argo is the controller; nil until startArgo.
	argo *cluster.Argo
	// kubeconfig is the way to the API server that rollcall is given.
	kubeconfig string
	// instance is the instance ID of the Argo controller that serves it; empty for one that serves only its namespace.
	instance string
	// installedIn is where that controller lives; empty for a namespace of the scenario's own.
	installedIn string
	// witness sees all runs; nil until observe.
	witness *witness
	// isReady says that all is there that has to be before the outage that it shares with others; see live.
	isReady func()
}

// begin starts a scenario that may take that long. Every scenario runs beside the others.
func begin(t *testing.T, limit time.Duration) *scenario {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	s := &scenario{T: t, ctx: ctx, namespace: namespaceFor(t.Name()), kubeconfig: shared.Kubeconfig(cluster.Admin)}
	s.must(shared.CreateNamespace(ctx, s.namespace))
	return s
}

// namespaceFor makes a namespace name of a test's: "TestForbidNeverRunsTwo" → "forbid-never-runs-two".
func namespaceFor(test string) string {
	var b strings.Builder
	for i, r := range strings.TrimPrefix(test, "Test") {
		switch {
		case r >= 'A' && r <= 'Z':
			if i > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r + 'a' - 'A')
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	return strings.TrimRight(b.String()[:min(b.Len(), 50)], "-")
}

func (s *scenario) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scenario) argoNamespace() string { return cmp.Or(s.installedIn, s.namespace+"-argo") }

// startArgo gives the scenario a controller that serves only its namespace.
func (s *scenario) startArgo() {
	s.Helper()
	argo, err := shared.StartArgo(s.ctx, cluster.ArgoOptions{Namespace: s.argoNamespace(), ManagedNamespace: s.namespace})
	s.must(err)
	s.argo = argo
	s.Cleanup(func() {
		if err := argo.Stop(); err != nil {
			s.Error(err)
		}
	})
}

// cron is a CronWorkflow that fires every minute unless told otherwise.
type cron struct {
	name     string
	schedule string // default "* * * * *"
	runs     string // how long a run takes, default "1s"
	deadline int    // startingDeadlineSeconds; 0: none
	spec     string // further lines of the spec, unindented
	template string // further lines of the workflowSpec, unindented
	notes    string // annotations, lines of YAML, unindented
}

func (s *scenario) create(c cron) {
	s.Helper()
	s.must(shared.Apply(s.ctx, s.namespace, s.manifest(c)))
}

// manifest is a CronWorkflow as create makes it.
func (s *scenario) manifest(c cron) string {
	if c.schedule == "" {
		c.schedule = "* * * * *"
	}
	if c.runs == "" {
		c.runs = "1s"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\nmetadata:\n  name: %q\n", c.name)
	if s.instance != "" {
		fmt.Fprintf(&b, "  labels: {workflows.argoproj.io/controller-instanceid: %s}\n", s.instance)
	}
	if c.notes != "" {
		b.WriteString("  annotations:\n" + indent(c.notes, "    "))
	}
	fmt.Fprintf(&b, "spec:\n  schedules: [%q]\n  timezone: UTC\n", c.schedule)
	if c.deadline > 0 {
		fmt.Fprintf(&b, "  startingDeadlineSeconds: %d\n", c.deadline)
	}
	b.WriteString(indent(c.spec, "  "))
	fmt.Fprintf(&b, "  workflowSpec:\n    entrypoint: main\n    templates: [{name: main, suspend: {duration: %q}}]\n", c.runs)
	b.WriteString(indent(c.template, "    "))
	return b.String()
}

func indent(lines, by string) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		b.WriteString(by + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

// minute is the minute that began last, and sleepUntil waits for a time to come.
func minute() time.Time { return time.Now().UTC().Truncate(time.Minute) }

func (s *scenario) sleepUntil(t time.Time) {
	s.Helper()
	select {
	case <-time.After(time.Until(t)):
	case <-s.ctx.Done():
		s.Fatalf("the scenario's time was up while it waited for %s", t.Format(time.TimeOnly))
	}
}

// sleepIntoMinute waits until there is room in the present minute: not before second from, not after second to.
func (s *scenario) sleepIntoMinute(from, to int) {
	now := time.Now().UTC()
	if now.Second() > to {
		now = now.Truncate(time.Minute).Add(time.Minute)
	}
	s.sleepUntil(now.Truncate(time.Minute).Add(time.Duration(max(from, now.Second())) * time.Second))
}

// nextLive is the next firing that Argo's controller, just back, has time to get ready for.
func nextLive() time.Time {
	return time.Now().UTC().Add(15 * time.Second).Truncate(time.Minute).Add(time.Minute)
}

// workflows are those that exist in the scenario's namespace, by name.
func (s *scenario) workflows() map[string]*unstructured.Unstructured {
	s.Helper()
	list, err := shared.Dynamic().Resource(cluster.Workflows).Namespace(s.namespace).List(s.ctx, metav1.ListOptions{})
	s.must(err)
	got := map[string]*unstructured.Unstructured{}
	for i := range list.Items {
		got[list.Items[i].GetName()] = &list.Items[i]
	}
	return got
}

// eventually waits until cond has nothing to say against it.
func (s *scenario) eventually(what string, cond func() error) {
	s.Helper()
	s.must(cluster.Await(s.ctx, what, func(context.Context) error { return cond() }))
}

func runName(cron string, at time.Time) string { return fmt.Sprintf("%s-%d", cron, at.Unix()) }

// awaitRun waits until the run of a firing exists, and gives it.
func (s *scenario) awaitRun(cron string, at time.Time) *unstructured.Unstructured {
	s.Helper()
	var run *unstructured.Unstructured
	s.must(cluster.Await(s.ctx, fmt.Sprintf("the run of %s at %s", cron, at.Format(time.TimeOnly)), func(context.Context) error {
		all := s.workflows()
		var ok bool
		if run, ok = all[runName(cron, at)]; !ok {
			return fmt.Errorf("there are %v", names(all))
		}
		return nil
	}))
	return run
}

func names(workflows map[string]*unstructured.Unstructured) []string {
	var all []string
	for name := range workflows {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// finished waits until a run has ended, and gives it.
func (s *scenario) awaitFinished(cron string, at time.Time) *unstructured.Unstructured {
	s.Helper()
	var run *unstructured.Unstructured
	s.must(cluster.Await(s.ctx, fmt.Sprintf("the run of %s at %s to end", cron, at.Format(time.TimeOnly)), func(context.Context) error {
		run = s.workflows()[runName(cron, at)]
		if run == nil || field(run, "status", "finishedAt") == "" {
			return errors.New("it has not")
		}
		return nil
	}))
	return run
}

func field(object *unstructured.Unstructured, path ...string) string {
	if object == nil {
		return ""
	}
	value, _, _ := unstructured.NestedString(object.Object, path...)
	return value
}

func timeField(object *unstructured.Unstructured, path ...string) time.Time {
	t, _ := time.Parse(time.RFC3339, field(object, path...))
	return t
}

func (s *scenario) cron(name string) *unstructured.Unstructured {
	s.Helper()
	got, err := shared.Dynamic().Resource(cluster.CronWorkflows).Namespace(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
	s.must(err)
	return got
}

func (s *scenario) patch(name, mergePatch string) {
	s.Helper()
	_, err := shared.Dynamic().Resource(cluster.CronWorkflows).Namespace(s.namespace).Patch(s.ctx, name, types.MergePatchType, []byte(mergePatch), metav1.PatchOptions{})
	s.must(err)
}

func (s *scenario) createWorkflow(w *unstructured.Unstructured) {
	s.Helper()
	_, err := shared.Dynamic().Resource(cluster.Workflows).Namespace(s.namespace).Create(s.ctx, w, metav1.CreateOptions{})
	s.must(err)
}

// kubectl runs kubectl as admin and gives what it printed.
func (s *scenario) kubectl(args ...string) []byte {
	s.Helper()
	cmd := exec.CommandContext(s.ctx, shared.Kubectl(), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+shared.Kubeconfig(cluster.Admin))
	out, err := cmd.Output()
	if err != nil {
		s.Fatalf("kubectl %v: %v", args, err)
	}
	return out
}

// lostFor stops the controller as soon as the firings it just had are done, waits until n firings were lost and their grace is
// over, and gives their times.
func (s *scenario) lostFor(n int) []time.Time {
	s.Helper()
	s.sleepIntoMinute(15, 50)
	s.must(s.argo.Stop())
	var lost []time.Time
	for i := range n {
		lost = append(lost, minute().Add(time.Duration(i+1)*time.Minute))
	}
	s.sleepUntil(lost[n-1].Add(12 * time.Second))
	return lost
}

// outcome is what a call of rollcall printed and how it ended.
type outcome struct {
	stdout, stderr string
	status         int
}

// rollcall runs the binary on the scenario's namespace.
func (s *scenario) rollcall(args ...string) outcome {
	s.Helper()
	cmd, stdout, stderr := s.command(args...)
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.Fatalf("rollcall %v: %v", args, err)
	}
	s.Logf("$ rollcall %s   # %s, status %d\n%s%s", strings.Join(args, " "), time.Now().UTC().Format(time.TimeOnly), cmd.ProcessState.ExitCode(), stdout, stderr)
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// command prepares a call of rollcall.
func (s *scenario) command(args ...string) (cmd *exec.Cmd, stdout, stderr *buffer) {
	cmd = exec.CommandContext(s.ctx, binary, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	stdout, stderr = &buffer{}, &buffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "ROLLCALL_GRACE="+grace.String(), "ROLLCALL_ARGO_NAMESPACE="+s.argoNamespace(), "NO_COLOR=1")
	if !slices.Contains(args, "-n") {
		cmd.Args = append(cmd.Args, "-n", s.namespace)
	}
	return cmd, stdout, stderr
}

// buffer can be read while a process still writes to it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// auditReport is the part of AuditReport that the scenarios look at; it is written out here so that a change of the contract
// breaks them.
type auditReport struct {
	Kind          string
	Totals        map[string]int
	CronWorkflows []struct {
		Name    string
		Totals  map[string]int
		Error   string
		Advice  []string
		Firings []firing
	}
}

type firing struct {
	ScheduledTime, CreatedAt                              time.Time
	Workflow, Verdict, Reason, Certainty, Cause, Deadline string
	Evidence                                              []string
}

// audit runs rollcall audit and gives its firings by scheduled time.
func (s *scenario) audit(name string, args ...string) map[time.Time]firing {
	s.Helper()
	out := s.rollcall(append([]string{"audit", name, "-o", "json"}, args...)...)
	var report auditReport
	if err := json.Unmarshal([]byte(out.stdout), &report); err != nil {
		s.Fatalf("audit printed no JSON: %v\n%s%s", err, out.stdout, out.stderr)
	}
	if report.Kind != "AuditReport" || len(report.CronWorkflows) != 1 || report.CronWorkflows[0].Error != "" {
		s.Fatalf("want a report of %s alone:\n%s", name, out.stdout)
	}
	got := map[time.Time]firing{}
	lost := 0
	for _, f := range report.CronWorkflows[0].Firings {
		got[f.ScheduledTime] = f
		if f.Verdict == "Missed" || f.Verdict == "Expired" || f.Verdict == "GaveUp" {
			lost++
		}
	}
	if want := map[bool]int{true: 2, false: 0}[lost > 0]; out.status != want {
		s.Errorf("audit found %d lost firings and ended with status %d, want %d", lost, out.status, want)
	}
	return got
}

// expect holds verdicts against what an audit gave: "Missed/ControllerDown", or a verdict alone.
func (s *scenario) expect(got map[time.Time]firing, at time.Time, want string) {
	s.Helper()
	f := got[at]
	full := f.Verdict
	if f.Reason != "" {
		full += "/" + f.Reason
	}
	if strings.Contains(want, "/") && f.Cause != "" {
		full = f.Verdict + "/" + f.Cause
	}
	if full != want {
		s.Errorf("%s: want %s, got %s; evidence: %q", at.Format(time.TimeOnly), want, full, f.Evidence)
	}
}
