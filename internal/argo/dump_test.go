package argo

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/yaml"
)

func readText(text string, scope Scope) (*Snapshot, error) {
	return ReadDump([]string{"-"}, strings.NewReader(text), scope)
}

func asYAML(t testing.TB, value any) string {
	t.Helper()
	data, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestDumpReadsTheSameInEveryForm(t *testing.T) {
	cron, run := cronObject("tick"), workflowObject("tick", "tick-1795406460")
	set(cron, []any{wrote("kubectl", after(time.Second), map[string]any{"f:spec": map[string]any{}})}, "metadata", "managedFields")
	list := listOf(cron, run)
	want, err := readText(asYAML(t, list), Scope{})
	if err != nil {
		t.Fatal(err)
	}
	if len(want.CronWorkflows) != 1 || len(want.CronWorkflows[0].Runs) != 1 {
		t.Fatalf("read %+v", want)
	}
	// Items of a typed list may leave out what the list says of all of them.
	typed := func(kind string, object map[string]any) map[string]any {
		item := map[string]any{"metadata": object["metadata"], "spec": object["spec"], "status": object["status"]}
		return map[string]any{"apiVersion": apiVersion, "kind": kind + "List", "items": []any{item}}
	}
	for name, text := range map[string]string{
		"documents":                  asYAML(t, cron) + "---\n" + asYAML(t, run),
		"documents with comments":    "# a dump\n---\n" + asYAML(t, cron) + "\n--- # the run\n" + asYAML(t, run) + "...\n---\n# nothing\n---\n",
		"documents after the marker": "--- " + string(asJSON(t, cron)) + "\n--- " + string(asJSON(t, run)),
		"Windows lines":              strings.ReplaceAll(asYAML(t, cron)+"---\n"+asYAML(t, run), "\n", "\r\n"),
		"a byte order mark":          "\xef\xbb\xbf" + asYAML(t, list),
		"a JSON list":                string(asJSON(t, list)),
		"JSON values in a row":       string(asJSON(t, cron)) + "\n" + string(asJSON(t, run)),
		"JSON and YAML":              string(asJSON(t, cron)) + "\n---\n" + asYAML(t, run),
		"typed lists":                asYAML(t, typed("CronWorkflow", cron)) + "---\n" + asYAML(t, typed("Workflow", run)),
		"lists in a list":            asYAML(t, listOf(listOf(cron), listOf(run), listOf())),
		"the same object twice":      asYAML(t, listOf(cron, run, run, cron)),
		"with objects that it ignores": asYAML(t, listOf(cron, run,
			map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "kube-root-ca.crt"}, "data": map[string]any{"a": "b"}},
			map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": "kube-scheduler", "namespace": "kube-system"}})),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readText(text, Scope{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsNoDumpIsAnErrorThatSaysWhere(t *testing.T) {
	cron := asYAML(t, cronObject("tick"))
	lines := strings.Count(cron, "\n")
	deep := map[string]any{"apiVersion": "v1", "kind": "Pod"}
	for range maxDepth + 1 {
		deep = listOf(deep)
	}
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                   {"", "standard input is empty; accepted are CronWorkflow, "},
		"comments alone":            {"# nothing\n---\n# more\n", "standard input is empty; accepted are CronWorkflow, "},
		"YAML broken":               {"a: b\n\nc: d: e\n", "standard input, document 1, line 3: not YAML: mapping values are not allowed"},
		"YAML broken further down":  {cron + "---\na: b\n c: d\n", "standard input, document 2, line " + strconv.Itoa(lines+3) + ": not YAML: "},
		"JSON broken":               {"{\"kind\":\n \"List\",,}", "standard input, document 1, line 2: not JSON: invalid character ','"},
		"JSON cut off":              {"{\"kind\": \"List\",\n\"items\": [\n", "standard input, document 1, line 3: not JSON: unexpected EOF"},
		"text":                      {"hello", "standard input, document 1, line 1: not a Kubernetes object, it has no kind; accepted are"},
		"a list":                    {"- a\n- b\n", "standard input, document 1, line 1: not a Kubernetes object, it has no kind"},
		"no kind":                   {"\n\napiVersion: v1\n", "standard input, document 1, line 3: not a Kubernetes object, it has no kind"},
		"a Pod":                     {cron + "---\napiVersion: v1\nkind: Pod\n", "standard input, document 2, line " + strconv.Itoa(lines+2) + ": Pod (v1) does not belong here; accepted are CronWorkflow, Workflow, "},
		"a Pod in a list":           {asYAML(t, listOf(cronObject("tick"), map[string]any{"apiVersion": "v1", "kind": "Pod"})), "standard input, document 1, line 1, item 2: Pod (v1) does not belong here"},
		"somebody else's Workflow":  {"apiVersion: example.com/v1\nkind: Workflow\n", "Workflow (example.com/v1) does not belong here"},
		"no apiVersion":             {"kind: Workflow\n", "the Workflow has no apiVersion"},
		"items that are no list":    {"apiVersion: v1\nkind: List\nitems: many\n", "the items of the list cannot be read"},
		"an item that is no object": {"apiVersion: v1\nkind: List\nitems: [5]\n", "item 1: not a Kubernetes object"},
		"lists too deep":            {asYAML(t, deep), "lists in lists, more than 8 deep"},
		"UTF-16":                    {"\xff\xfek\x00i\x00", "standard input is UTF-16 text"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := readText(c.text, Scope{})
			if err == nil {
				t.Fatalf("read %+v", s)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %q, want it to say %q", err, c.want)
			}
		})
	}
}

func TestADumpThatStandsForSomethingHugeIsRefused(t *testing.T) {
	anchor := "apiVersion: v1\nkind: List\nx: &x " + strings.Repeat("x", 50_000) + "\n"
	for name, c := range map[string]struct{ text, want string }{
		"a long text, many times": {anchor + "items: [" + strings.Repeat("*x,", 5000) + "]\n", "standard input, document 1, line 1: its aliases (*name) stand for more than 16 MiB: write out what they stand for"},
		"lists of lists of it": {
			anchor + "a: &a [" + strings.Repeat("*x,", 30) + "]\nb: &b [" + strings.Repeat("*a,", 30) + "]\nitems: [*b]\n",
			"standard input, document 1, line 1: its aliases (*name) stand for more than 16 MiB: write out what they stand for",
		},
		"itself":   {"a: &a [*a]\n", "standard input, document 1, line 1: not YAML: yaml: anchor 'a' value contains itself"},
		"a little": {asYAML(t, cronObject("tick")) + "x: &x [a]\ny: *x\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readText(c.text, Scope{})
			if got := fmt.Sprint(err); got != c.want && (c.want != "" || err != nil) {
				t.Errorf("error is %.300s, want %s", got, c.want)
			}
		})
	}
}

func TestDumpIsReadFromFilesAndFolders(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a := write("a.yaml", asYAML(t, cronObject("a")))
	write("b.yml", asYAML(t, cronObject("b")))
	write("c.json", string(asJSON(t, cronObject("c"))))
	write("notes.txt", "not a dump")
	if err := os.Mkdir(filepath.Join(folder, "d.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	for name, c := range map[string]struct {
		files []string
		want  []string
		err   string
	}{
		"a file":                         {files: []string{a}, want: []string{"a"}},
		"a folder":                       {files: []string{folder}, want: []string{"a", "b", "c"}},
		"a file and standard input":      {files: []string{"-", a}, want: []string{"a", "z"}},
		"a file that is not there":       {files: []string{filepath.Join(folder, "x.yaml")}, err: "x.yaml: no such file"},
		"a folder without dumps":         {files: []string{empty}, err: "folder " + empty + " has no file *.yaml, *.yml or *.json"},
		"no file":                        {err: "no dump to read"},
		"a file that is broken is named": {files: []string{write("broken.yaml.txt", "kind: Pod\napiVersion: v1\n")}, err: "broken.yaml.txt, document 1, line 1: Pod"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := ReadDump(c.files, strings.NewReader(asYAML(t, cronObject("z"))), Scope{})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error is %v, want it to say %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, namesOf(s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func namesOf(s *Snapshot) []string {
	var names []string
	for _, o := range s.CronWorkflows {
		names = append(names, o.CronWorkflow.Name)
	}
	return names
}

func TestDumpHoldsTheScope(t *testing.T) {
	in := func(namespace string, object map[string]any) map[string]any {
		set(object, namespace, "metadata", "namespace")
		return object
	}
	blue := cronObject("blue")
	set(blue, map[string]any{labelInstanceID: "blue"}, "metadata", "labels")
	text := asYAML(t, listOf(in("b", cronObject("tick")), in("a", cronObject("tock")), in("a", cronObject("tick")), in("a", blue), in("b", workflowObject("tick", "tick-60"))))
	for name, c := range map[string]struct {
		scope   Scope
		want    []string
		outside int
		err     string
	}{
		"everything, sorted":             {Scope{}, []string{"tick", "tock", "tick"}, 1, ""},
		"a namespace":                    {Scope{Namespaces: []string{"b"}}, []string{"tick"}, 0, ""},
		"a name in any namespace":        {Scope{Names: []string{"tick"}}, []string{"tick", "tick"}, 0, ""},
		"a name in a namespace":          {Scope{Namespaces: []string{"a"}, Names: []string{"tock"}}, []string{"tock"}, 0, ""},
		"another Argo installation":      {Scope{InstanceID: "blue"}, []string{"blue"}, 3, ""},
		"a name that is not there":       {Scope{Namespaces: []string{"b"}, Names: []string{"tock"}}, nil, 0, "no CronWorkflow tock in namespace b"},
		"a name of another installation": {Scope{Names: []string{"blue"}}, nil, 0, `CronWorkflow a/blue belongs to the Argo installation "blue"; give its instanceID with --instance-id`},
		"a name without an installation": {Scope{Names: []string{"tock"}, InstanceID: "blue"}, nil, 0, "belongs to the Argo installation without an instanceID"},
		"a namespace that is not there":  {Scope{Namespaces: []string{"c"}}, nil, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := readText(text, c.scope)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error is %v, want it to say %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, namesOf(s)); diff != "" || s.OutsideInstance != c.outside {
				t.Errorf("%d of other installations, want %d\n%s", s.OutsideInstance, c.outside, diff)
			}
		})
	}
	_, err := readText(text, Scope{Names: []string{"gone"}})
	if !apierrors.IsNotFound(err) {
		t.Errorf("a name that is not there is no NotFound but %v", err)
	}
}

func TestOfTwoVersionsTheNewerCounts(t *testing.T) {
	running, ended := workflowObject("tick", "tick-60"), workflowObject("tick", "tick-60")
	set(running, map[string]any{"phase": "Running", "startedAt": after(time.Minute)}, "status")
	set(running, "99", "metadata", "resourceVersion")
	set(ended, "100", "metadata", "resourceVersion")
	for _, objects := range [][]map[string]any{{cronObject("tick"), running, ended}, {ended, running, cronObject("tick")}} {
		got, _ := readOne(t, objects...)
		if len(got.Runs) != 1 || !got.Runs[0].Finished() {
			t.Errorf("runs are %+v", got.Runs)
		}
	}
}

func TestDumpHandsOnTheRecords(t *testing.T) {
	audit := func(name, version, status string) map[string]any {
		return map[string]any{
			"apiVersion": "rollcall.dev/v1alpha1", "kind": "CronAudit", "status": status, "metadata": map[string]any{
				"name": name, "namespace": "default", "resourceVersion": version, "managedFields": []any{wrote("rollcall", after(time.Hour), nil)},
			},
		}
	}
	nameless := audit("", "1", "")
	s, err := readText(asYAML(t, listOf(cronObject("tick"), audit("tick", "12", "new"), audit("tick", "8", "old"), audit("tock", "9", "another"), nameless)), Scope{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range s.Records {
		var object struct {
			Status string `json:"status"`
		}
		if err := json.Unmarshal(r.Object, &object); err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Where+": "+object.Status)
	}
	want := []string{"standard input, document 1, line 1, item 2: new", "standard input, document 1, line 1, item 4: another"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !s.Now.Equal(created.Add(time.Hour)) {
		t.Errorf("the newest time is %s", s.Now)
	}
	if note := "standard input, document 1, line 1, item 5: a CronAudit without a name is left out."; !slices.Contains(s.Notes, note) {
		t.Errorf("%q", s.Notes)
	}
}

func TestADumpIsOfTheTimeThatTheAPIServerWroteInIt(t *testing.T) {
	lease := func(namespace, renewed string, managed ...any) map[string]any {
		l := map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": "one", "namespace": namespace}, "spec": map[string]any{"renewTime": renewed}}
		if len(managed) > 0 {
			set(l, managed, "metadata", "managedFields")
		}
		return l
	}
	for name, c := range map[string]struct {
		lease map[string]any
		want  time.Duration
	}{
		"a clock that is ahead, and managedFields": {lease("kube-node-lease", after(time.Hour), wrote("kubelet", after(time.Minute), map[string]any{})), time.Minute},
		"a node's clock alone":                     {lease("kube-node-lease", after(time.Hour)), 0},
		"another component's clock":                {lease("kube-system", after(time.Minute)), time.Minute},
	} {
		s, err := readText(asYAML(t, listOf(cronObject("tick"), c.lease)), Scope{})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Now.Sub(created); got != c.want {
			t.Errorf("%s: the dump is of %s after the creation, want %s", name, got, c.want)
		}
	}
}

func TestDumpSaysWhatItLacks(t *testing.T) {
	tracked := cronObject("tock")
	set(tracked, []any{wrote("kubectl", after(0), map[string]any{"f:spec": map[string]any{}})}, "metadata", "managedFields")
	ran := cronObject("tock")
	set(ran, []any{wrote("kubectl", after(0), map[string]any{"f:spec": map[string]any{}})}, "metadata", "managedFields")
	set(ran, map[string]any{"lastScheduledTime": after(time.Minute)}, "status")
	config := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": configName, "namespace": "argo"}}
	elected := map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": leaseName, "namespace": "argo"}}
	const (
		noFields = "1 of 2 CronWorkflows in the dump have no managedFields (kubectl leaves them out unless told --show-managed-fields): their spec is taken as unchanged since creation, so that without a record none is lost for certain."
		noConfig = "The dump has no ConfigMap argo/workflow-controller-configmap: Argo's workflowDefaults and retentionPolicy are taken as not set."
		noLease  = "The dump has no Lease argo/workflow-controller: whether Argo's controller was alive is judged from what it wrote."
	)
	for name, c := range map[string]struct {
		objects []map[string]any
		want    []string
	}{
		"nothing":              {[]map[string]any{tracked, config, elected}, nil},
		"Argo's lease":         {[]map[string]any{tracked, config}, []string{noLease}},
		"Argo's settings":      {[]map[string]any{tracked, elected}, []string{noConfig}},
		"some managedFields":   {[]map[string]any{tracked, cronObject("tick"), config, elected}, []string{noFields}},
		"names and creations":  {[]map[string]any{tracked, config, {"apiVersion": apiVersion, "kind": "Workflow"}, {"apiVersion": apiVersion, "kind": "Workflow", "metadata": map[string]any{"name": "x-60", "namespace": "default"}}, elected}, []string{"standard input, document 1, line 1, item 3: a Workflow without a name is malformed (metadata.name is missing)", "standard input, document 1, line 1, item 4: Workflow default/x-60 is malformed (metadata.creationTimestamp is missing)"}},
		"a usable lease":       {[]map[string]any{tracked, config, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": leaseName, "namespace": "argo"}, "spec": "x"}}, []string{"standard input, document 1, line 1, item 3: Lease argo/workflow-controller is malformed (json: cannot unmarshal string"}},
		"a named CronWorkflow": {[]map[string]any{tracked, config, {"apiVersion": apiVersion, "kind": "CronWorkflow"}, elected}, []string{"standard input, document 1, line 1, item 3: a CronWorkflow without a name is left out."}},
		"Workflows":            {[]map[string]any{ran, config, elected}, []string{"The dump has no Workflow at all, though CronWorkflows in it have run"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := readText(asYAML(t, listOf(c.objects...)), Scope{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, s.Notes, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b string) bool {
				return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
			})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the pipe broke") }

func TestStandardInputThatBreaksIsAnError(t *testing.T) {
	if _, err := ReadDump([]string{"-"}, failing{}, Scope{}); err == nil || err.Error() != "read standard input: the pipe broke" {
		t.Errorf("error is %v", err)
	}
}

func FuzzReadDump(f *testing.F) {
	cron, run := cronObject("tick"), workflowObject("tick", "tick-1795406460")
	set(cron, []any{wrote("kubectl", after(time.Second), map[string]any{"f:spec": map[string]any{}})}, "metadata", "managedFields")
	set(cron, map[string]any{"active": []any{map[string]any{"name": "tick-60"}}, "lastScheduledTime": after(0), "conditions": []any{map[string]any{"type": "SpecError", "status": "True"}}}, "status")
	set(cron, map[string]any{"rollcall.dev/grace": "2m", annotationLastSchedule: "x"}, "metadata", "annotations")
	set(cron, map[string]any{"workflowTemplateRef": map[string]any{"name": "etl"}}, "spec", "workflowSpec")
	template := map[string]any{"apiVersion": apiVersion, "kind": "WorkflowTemplate", "metadata": map[string]any{"name": "etl", "namespace": "default"}, "spec": map[string]any{"ttlStrategy": map[string]any{"secondsAfterSuccess": 1}}}
	lease := map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": leaseName, "namespace": "argo"}, "spec": map[string]any{"renewTime": after(0), "leaseDurationSeconds": 15}}
	config := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": configName, "namespace": "argo"}, "data": map[string]any{"workflowDefaults": "spec:\n  ttlStrategy:\n    secondsAfterSuccess: 5\n", "retentionPolicy": "completed: 1"}}
	all := listOf(cron, run, template, lease, config)
	for _, seed := range []string{
		asYAML(f, all), string(asJSON(f, all)), asYAML(f, cron) + "---\n" + asYAML(f, run), "", "---", "{", "- a", "a: *a", "\xff\xfe", "a: &a [*a]", "kind: List\nitems: null",
		"apiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\nmetadata: {name: a, creationTimestamp: 2026-01-01T00:00:00Z}\nspec: {schedule: 5}\n",
		"apiVersion: argoproj.io/v1alpha1\nkind: WorkflowList\nitems: [{metadata: {name: a--1, labels: 5}}, {metadata: 5}]\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := readText(text, Scope{})
		if (s == nil) == (err == nil) {
			t.Fatalf("snapshot %v and error %v", s, err)
		}
	})
}
