package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rollcall.dev/rollcall/internal/access"
	"rollcall.dev/rollcall/internal/config"
)

// docs is where the settings are documented.
const docs = "../../docs/configuration.md"

// upToDate fails where the documentation between two marks is not what it should be, and with -update makes it so.
func upToDate(t *testing.T, begin, end, want string) {
	t.Helper()
	content, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(content), begin+"\n")
	got, after, ended := strings.Cut(rest, end+"\n")
	switch {
	case !begun || !ended:
		t.Fatalf("%s lacks the marks %q and %q", docs, begin, end)
	case got == want:
	case !*update:
		t.Fatalf("%s is out of date: run go test ./cmd/rollcall -run Docs -update", docs)
	default:
		if err := os.WriteFile(docs, []byte(before+begin+"\n"+want+end+"\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// settingsTable is what the documentation says of the controller's settings.
func settingsTable(controller *cobra.Command) string {
	var b strings.Builder
	b.WriteString("| flag | variable | key | default | values | meaning |\n|---|---|---|---|---|---|\n")
	controller.Flags().VisitAll(func(f *pflag.Flag) {
		if strings.Join(f.Annotations[section], "") == sectionConnection || f.Name == "help" {
			return
		}
		bounds := strings.Join(f.Annotations[config.Bounds], "")
		flag, key := "`--"+f.Name+"`", "`"+f.Name+"`"
		if f.Shorthand != "" {
			flag += ", `-" + f.Shorthand + "`"
		}
		if f.Name == config.File {
			key = ""
		}
		value := ""
		if f.DefValue != "" && f.DefValue != "[]" {
			value = "`" + f.DefValue + "`"
		}
		meaning := strings.TrimSuffix(f.Usage, "; "+bounds)
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s | %s |\n", flag, config.Variable(f.Name), key, value, bounds, strings.ReplaceAll(meaning, "<", "&lt;"))
	})
	return b.String()
}

func TestTheSettingsInTheDocsAreThoseOfTheController(t *testing.T) {
	env, _, _ := testEnvironment()
	controller, _, err := newRoot(env).Find([]string{"controller"})
	if err != nil {
		t.Fatal(err)
	}
	upToDate(t, "<!-- The table is written by: go test ./cmd/rollcall -run Docs -update -->", "<!-- End of the table. -->", settingsTable(controller))
}

func TestThePermissionsInTheDocsAreThoseThatAreAskedFor(t *testing.T) {
	where := map[access.Place]string{
		access.Watched: "the watched namespaces", access.Argo: "Argo's namespace", access.Election: "the Lease's namespace", access.Cluster: "the cluster",
	}
	named := map[access.Name]string{access.ArgoLease: "`workflow-controller`", access.ArgoConfig: "`workflow-controller-configmap`", access.ElectionLease: "the Lease"}
	var b strings.Builder
	b.WriteString("| verb | resource | API group | in | to | without it |\n|---|---|---|---|---|---|\n")
	for _, p := range access.Permissions() {
		resource := "`" + p.Resource + "`"
		if p.Subresource != "" {
			resource = "`" + p.Resource + "/" + p.Subresource + "`"
		}
		if name := named[p.Name]; name != "" {
			resource += " " + name
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", p.Verb, resource, p.Group, where[p.Where], p.For, p.Without)
	}
	upToDate(t, "<!-- This table is written by: go test ./cmd/rollcall -run Docs -update -->", "<!-- End of the permissions. -->", b.String())
}

func TestTheReadmeNamesEveryVerdictReasonCertaintyAndCause(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../../auditor/verdict.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var named int
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for _, value := range spec.Values {
			word, ok := value.(*ast.BasicLit)
			if !ok {
				continue
			}
			named++
			if name := strings.Trim(word.Value, `"`); !strings.Contains(string(readme), "`"+name+"`") {
				t.Errorf("README.md does not say what %s means", name)
			}
		}
		return true
	})
	if named < 20 {
		t.Errorf("only %d words were found in auditor/verdict.go", named)
	}
}
