package chart

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/internal/config"
	"rollcall.dev/rollcall/test/binaries"
)

// wholesome are what each example must have, so that none is empty by mistake.
var wholesome = map[string][]string{
	"default-values.yaml":             {"ClusterRole", "Deployment", "PodDisruptionBudget", "CustomResourceDefinition"},
	"dry-run-values.yaml":             {"ClusterRole", "Deployment"},
	"namespaced-values.yaml":          {"Role", "Deployment"},
	"ha-production-values.yaml":       {"ServiceMonitor", "PrometheusRule", "NetworkPolicy", "Ingress"},
	"alertmanager-direct-values.yaml": {"NetworkPolicy", "Deployment"},
	"podmonitor-values.yaml":          {"PodMonitor", "PrometheusRule"},
	"openshift-values.yaml":           {"Deployment", "PodDisruptionBudget"},
}

func TestEveryExamplePassesLintAndRenders(t *testing.T) {
	for _, file := range examples(t) {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, err := command(t, binaries.Helm, "lint", "--strict", chart, "--values", file); err != nil || strings.Contains(out, "[WARNING]") {
				t.Errorf("%v\n%s", err, out)
			}
			kinds := map[string]bool{}
			for _, o := range rendered(t, "--values", file) {
				kinds[o.GetKind()] = true
			}
			if len(wholesome[name]) == 0 {
				t.Errorf("nothing is said here of what %s must have", name)
			}
			for _, kind := range wholesome[name] {
				if !kinds[kind] {
					t.Errorf("there is no %s in %v", kind, kinds)
				}
			}
		})
	}
}

func TestWithoutValuesNothingOfThePrometheusOperatorIsRendered(t *testing.T) {
	text, err := template(t)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "monitoring.coreos.com") {
		t.Error("there is")
	}
}

// TestOnOpenShiftRollcallPostsItsAlertsItself: the Prometheus that is there overrides honorLabels.
func TestOnOpenShiftRollcallPostsItsAlertsItself(t *testing.T) {
	values := filepath.Join(chart, "ci", "openshift-values.yaml")
	for _, o := range rendered(t, "--values", values) {
		if strings.HasPrefix(o.GetAPIVersion(), "monitoring.coreos.com/") {
			t.Errorf("there is a %s", o.GetKind())
		}
	}
	got, err := load(t, settings(t, "--values", values))
	if err != nil || got.AlertmanagerURL == nil {
		t.Errorf("it posts nowhere (%v)", err)
	}
}

func TestNoExampleTellsEverythingTwice(t *testing.T) {
	for _, file := range examples(t) {
		got, err := load(t, settings(t, "--values", file))
		if err != nil {
			t.Fatal(err)
		}
		rules, posts := false, got.AlertmanagerURL != nil
		for _, o := range rendered(t, "--values", file) {
			text := fmt.Sprint(o.Object)
			rules = rules || strings.Contains(text, "alert:RollcallRunLost") || strings.Contains(text, "alert: RollcallRunLost")
			posts = posts || strings.Contains(text, "ROLLCALL_ALERTMANAGER_URL")
		}
		if rules && posts {
			t.Errorf("%s has rules, and posts to Alertmanager too", file)
		}
	}
}

// TestNoKeyIsRenderedTwice: Helm takes the last of two, kubectl apply and other tools refuse the file.
func TestNoKeyIsRenderedTwice(t *testing.T) {
	cases := map[string][]string{"labels and annotations of the chart's own": {
		"--set-string", `commonLabels.app\.kubernetes\.io/component=mine,service.labels.app\.kubernetes\.io/component=mine,podLabels.app\.kubernetes\.io/component=mine`,
		"--set-string", `commonLabels.rbac\.authorization\.k8s\.io/aggregate-to-view=false,commonLabels.app\.kubernetes\.io/name=mine`,
		"--set-string", `podAnnotations.checksum/config=mine,podAnnotations.prometheus\.io/port=1`, "--set", "prometheusAnnotations.enabled=true",
	}}
	for _, file := range examples(t) {
		cases[filepath.Base(file)] = []string{"--values", file}
	}
	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			text, err := template(t, args...)
			if err != nil {
				t.Fatal(err)
			}
			for document := range strings.SplitSeq(text, "\n---\n") {
				var o map[string]any
				if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil {
					t.Errorf("%v in\n%.200s", err, document)
				}
			}
			for _, o := range rendered(t, args...) {
				if o.GetKind() == "Deployment" && o.GetLabels()["app.kubernetes.io/component"] != "controller" {
					t.Errorf("the Deployment is labelled %v", o.GetLabels())
				}
			}
		})
	}
}

func TestTheControllerTakesTheSettingsOfEveryExample(t *testing.T) {
	for _, file := range examples(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if _, err := load(t, settings(t, "--values", file)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheDefaultSettingsAreTheControllersOwn(t *testing.T) {
	got, err := load(t, settings(t))
	if err != nil {
		t.Fatal(err)
	}
	want, err := config.LoadController(controllerFlags())
	if err != nil {
		t.Fatal(err)
	}
	got.File, got.Data = "", nil
	if diff := diff(want, got); diff != "" {
		t.Errorf("-the controller's +the chart's\n%s", diff)
	}
}
