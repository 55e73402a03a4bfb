package argo

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestLastLookReadsFewNamesOneByOne(t *testing.T) {
	unlabelled := workflowObject("tick", "tick-60")
	set(unlabelled, map[string]any{}, "metadata", "labels")
	s := newServer(t, map[string][]http.HandlerFunc{
		"GET " + workflowsPath + "/tick-60":  answers(says(unlabelled)),
		"GET " + workflowsPath + "/tick-120": answers(knowsNo("workflows.argoproj.io", "tick-120")),
	})
	runs, err := s.client(t, Options{}).LastLook(t.Context(), "default", []string{"tick-60", "tick-120", "tick-60"})
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != 1 || runs[0].Name != "tick-60" || runs[0].Owner != "uid-tick" || !runs[0].Finished() {
		t.Errorf("runs are %+v", runs)
	}
	if diff := cmp.Diff([]string{"GET " + workflowsPath + "/tick-120", "GET " + workflowsPath + "/tick-60"}, whats(s.asked())); diff != "" {
		t.Error(diff)
	}
}

func TestLastLookListsManyNamesAndReadsThoseThatExist(t *testing.T) {
	var names []string
	for i := range maxSingle + 1 {
		names = append(names, fmt.Sprintf("tick-%d", 60*i))
	}
	s := newServer(t, map[string][]http.HandlerFunc{
		"GET " + workflowsPath: answers(
			lists("PartialObjectMetadata", "two", workflowObject("tock", "tock-60"), workflowObject("tick", "tick-120")),
			lists("PartialObjectMetadata", "", workflowObject("tick", "tick-60"), workflowObject("tick", "tick-180"))),
		"GET " + workflowsPath + "/tick-60":  answers(says(workflowObject("tick", "tick-60"))),
		"GET " + workflowsPath + "/tick-120": answers(says(workflowObject("tick", "tick-120"))),
		"GET " + workflowsPath + "/tick-180": answers(knowsNo("workflows.argoproj.io", "tick-180")), // deleted in between
	})
	runs, err := s.client(t, Options{}).LastLook(t.Context(), "default", names)
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != 2 || runs[0].Name != "tick-120" || runs[1].Name != "tick-60" || !runs[1].Finished() {
		t.Errorf("runs are %+v", runs)
	}
	asked := s.asked()
	if diff := cmp.Diff([]string{
		"GET " + workflowsPath + "?limit=500", "GET " + workflowsPath + "?continue=two&limit=500",
		"GET " + workflowsPath + "/tick-120", "GET " + workflowsPath + "/tick-180", "GET " + workflowsPath + "/tick-60",
	}, whats(asked)); diff != "" {
		t.Error(diff)
	}
	if asked[0].Accept != metadataOnly {
		t.Errorf("the list accepts %q", asked[0].Accept)
	}
}

func TestLastLookTakesOnlyTheAPIServersWordForAbsence(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"a 404 from something in between": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no backend", http.StatusNotFound) },
		"no permission":                   refuses(http.StatusForbidden, metav1.StatusReasonForbidden, "no"),
		"an internal error":               refuses(http.StatusInternalServerError, metav1.StatusReasonInternalError, "oops"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, map[string][]http.HandlerFunc{"GET " + workflowsPath + "/tick-60": answers(answer)})
			c := s.client(t, Options{})
			if runs, err := c.LastLook(t.Context(), "default", []string{"tick-60"}); err == nil || !strings.HasPrefix(err.Error(), "read Workflow default/tick-60: ") {
				t.Errorf("LastLook: runs %v, error %v", runs, err)
			}
			if _, found, err := c.Find(t.Context(), "default", "tick-60"); err == nil || found {
				t.Errorf("Find: found %v, error %v", found, err)
			}
		})
	}
}
