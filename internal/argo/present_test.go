package argo

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
)

func TestPresentReadsFewOneByOneAndLeavesOutWhatIsGone(t *testing.T) {
	s := newServer(t, map[string][]http.HandlerFunc{
		"GET " + cronsPath + "/tick": answers(says(cronObject("tick"))),
		"GET " + cronsPath + "/tock": answers(knowsNo("cronworkflows.argoproj.io", "tock")),
	})
	present, err := s.client(t, Options{}).Present(t.Context(), "default", []string{"tock", "tick", "tick"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"tick"}, presentNames(present)); diff != "" {
		t.Error(diff)
	}
	if n := len(s.asked()); n != 2 {
		t.Errorf("%d requests, want one for each name", n)
	}
}

func TestPresentReadsManyInOneList(t *testing.T) {
	var names []string
	for i := range maxSingle + 1 {
		names = append(names, fmt.Sprintf("tick-%02d", i))
	}
	s := newServer(t, map[string][]http.HandlerFunc{
		"GET " + cronsPath: answers(lists("CronWorkflow", "", cronObject("other"), cronObject("tick-03"), cronObject("tick-07"))),
	})
	present, err := s.client(t, Options{}).Present(t.Context(), "default", names)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"tick-03", "tick-07"}, presentNames(present)); diff != "" {
		t.Error(diff)
	}
}

func TestPresentTakesOnlyTheAPIServersWordForAbsence(t *testing.T) {
	s := newServer(t, map[string][]http.HandlerFunc{"GET " + cronsPath + "/tick": answers(func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })})
	if present, err := s.client(t, Options{}).Present(t.Context(), "default", []string{"tick"}); err == nil {
		t.Errorf("a 404 of something else was taken for an answer: %v", present)
	}
}

func TestPingAsksForTheVersion(t *testing.T) {
	s := newServer(t, map[string][]http.HandlerFunc{"GET /version": answers(says(map[string]any{"gitVersion": "v1"}), http.NotFound)})
	client := s.client(t, Options{})
	if err := client.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if err := client.Ping(t.Context()); err == nil {
		t.Error("no error where something else answers")
	}
}

func presentNames(crons []auditor.CronWorkflow) (names []string) {
	for _, cw := range crons {
		names = append(names, cw.Name)
	}
	return names
}
