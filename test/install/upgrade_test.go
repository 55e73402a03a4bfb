//go:build node

package install

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const crd = "crd/cronaudits.rollcall.dev"

// A release through its life: a changed value, a changed CRD, a rollback, the end, and another beginning over the records that
// stayed. What is Argo's is never touched.
func TestAReleaseIsUpgradedRolledBackAndUninstalled(t *testing.T) {
	s := begin(t, 8*time.Minute)
	s.apply(cast)
	s.Cleanup(func() { s.forget("etl") })
	s.installed("rollcall", "rollcall")
	s.helm("install", "rollcall", chart, "--namespace", "rollcall", "--create-namespace", "--wait", "--timeout", "60s")
	s.awaitLive("etl", "export", "report")
	s.await("a record of etl/export", 90*time.Second, func() error { return s.recorded("etl", "export") })
	before := s.argos("etl")

	s.Log("an upgrade with a changed value")
	pods := s.pods()
	s.helm("upgrade", "rollcall", chart, "--namespace", "rollcall", "--set", "config.backfill=dry-run", "--wait", "--timeout", "90s")
	s.await("the pods to be new ones", time.Minute, func() error {
		for _, pod := range s.pods() {
			if slices.Contains(pods, pod) {
				return fmt.Errorf("%s is still there", pod)
			}
		}
		return nil
	})
	if mode := s.mode(); mode != "dry-run" {
		s.Errorf("the pods run with backfill %q, want dry-run", mode)
	}

	s.Log("an upgrade with a changed CRD")
	s.helm("upgrade", "rollcall", s.chartWithColumn("Newer"), "--namespace", "rollcall", "--reuse-values", "--wait", "--timeout", "90s")
	if columns := s.columns(); !strings.Contains(columns, "Newer") {
		s.Errorf("the CRD was not upgraded: its columns are %s", columns)
	}
	s.must(s.recorded("etl", "export"))

	s.Log("a rollback to the first revision")
	s.helm("rollback", "rollcall", "1", "--namespace", "rollcall", "--wait", "--timeout", "90s")
	if mode := s.mode(); mode != "on" {
		s.Errorf("after the rollback the pods run with backfill %q, want on", mode)
	}
	if columns := s.columns(); strings.Contains(columns, "Newer") {
		s.Errorf("after the rollback the CRD's columns are %s", columns)
	}
	s.must(s.recorded("etl", "export"))

	s.Log("the end")
	s.helm("uninstall", "rollcall", "--namespace", "rollcall", "--wait")
	after := s.argos("etl")
	for object, was := range before {
		if after[object] != was {
			s.Errorf("%s was before and after the uninstallation:\n%s\n%s", object, was, after[object])
		}
	}
	s.must(s.recorded("etl", "export"))
	for _, kind := range []string{"clusterrole", "clusterrolebinding", "role -A", "rolebinding -A", "all -n rollcall", "configmap -n rollcall", "pdb -n rollcall"} {
		s.await("nothing to be left of "+kind, 30*time.Second, func() error { // pods take a moment to end
			left := s.kubectl(append(append([]string{"get"}, strings.Fields(kind)...), "-l", "app.kubernetes.io/instance=rollcall", "-o", "name")...)
			if left != "" {
				return fmt.Errorf("there is still %s", left)
			}
			return nil
		})
	}

	s.Log("another beginning, over the records that stayed")
	s.helm("install", "rollcall", chart, "--namespace", "rollcall", "--wait", "--timeout", "60s")
	s.must(s.recorded("etl", "export"))

	// The CRD belongs to that release: a second one has to be told so.
	said := s.fails(helm, "install", "second", chart, "--namespace", "second", "--create-namespace", "--dry-run=server")
	if !strings.Contains(said, "cronaudits.rollcall.dev") {
		s.Errorf("a second release is not told about the CRD: %s", said)
	}
	s.helm("install", "second", chart, "--namespace", "second", "--create-namespace", "--dry-run=server", "--set", "crds.install=false")
}

// argos are Argo's objects in a namespace, by kind and name: all of each that is not Argo's own to change. Runs come and go with the
// history limits, so only CronWorkflows and the runs of now are in it.
func (s *scenario) argos(namespace string) map[string]string {
	s.Helper()
	var all struct {
		Items []struct {
			Kind     string
			Metadata struct {
				Name, UID         string
				Annotations       map[string]string
				DeletionTimestamp string
				Finalizers        []string
				OwnerReferences   []any
			}
			Spec any
		}
	}
	s.must(json.Unmarshal([]byte(s.kubectl("-n", namespace, "get", "cronworkflows,workflows", "-o", "json")), &all))
	objects := map[string]string{}
	for _, item := range all.Items {
		text, err := json.Marshal(item)
		s.must(err)
		objects[item.Kind+" "+item.Metadata.Name] = string(text)
	}
	return objects
}

// pods are the names of the release's pods, but for those that are ending.
func (s *scenario) pods() []string {
	s.Helper()
	var all struct {
		Items []struct {
			Metadata struct{ Name, DeletionTimestamp string }
		}
	}
	s.must(json.Unmarshal([]byte(s.kubectl("-n", "rollcall", "get", "pods", "-l", "app.kubernetes.io/component=controller", "-o", "json")), &all))
	var names []string
	for _, item := range all.Items {
		if item.Metadata.DeletionTimestamp == "" {
			names = append(names, item.Metadata.Name)
		}
	}
	return names
}

// mode is the backfill mode that the pods say they run with.
func (s *scenario) mode() string {
	s.Helper()
	modes := map[string]bool{}
	for _, pod := range s.pods() {
		for line := range strings.Lines(s.kubectl("-n", "rollcall", "logs", pod)) {
			var said struct{ Msg, Backfill string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "Rollcall controller" {
				modes[said.Backfill] = true
			}
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(modes)), " and ")
}

// columns are those that the CRD has kubectl print.
func (s *scenario) columns() string {
	s.Helper()
	return s.kubectl("get", crd, "-o", "jsonpath={.spec.versions[*].additionalPrinterColumns[*].name}")
}

// recorded returns nil when there is a CronAudit that has been written.
func (s *scenario) recorded(namespace, name string) error {
	through, err := s.try(shared.Kubectl(), "-n", namespace, "get", "cronaudit", name, "-o", "jsonpath={.status.auditedThrough}")
	if err != nil {
		return err
	}
	if through == "" {
		return fmt.Errorf("the CronAudit %s/%s is empty", namespace, name)
	}
	return nil
}

// chartWithColumn is a copy of the chart in which the CRD has one printer column more, and the version is newer.
func (s *scenario) chartWithColumn(name string) string {
	s.Helper()
	dir := filepath.Join(s.folder("chart"), "rollcall")
	s.must(os.CopyFS(dir, os.DirFS(chart)))
	const columns = "additionalPrinterColumns:\n"
	s.edit(filepath.Join(dir, "files", "crds", "rollcall.dev_cronaudits.yaml"), columns, columns+"    - jsonPath: .metadata.uid\n      name: "+name+"\n      type: string\n")
	version := "version: " + chartField("version")
	s.edit(filepath.Join(dir, "Chart.yaml"), version, version+"-newer")
	return dir
}

// edit replaces the first occurrence of a text in a file.
func (s *scenario) edit(path, from, to string) {
	s.Helper()
	data, err := os.ReadFile(path)
	s.must(err)
	if !strings.Contains(string(data), from) {
		s.Fatalf("%s has no %q", path, from)
	}
	s.must(os.WriteFile(path, []byte(strings.Replace(string(data), from, to, 1)), 0o644))
}
