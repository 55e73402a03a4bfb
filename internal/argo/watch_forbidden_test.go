package argo

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWatchTellsWhereNothingButAPermissionIsMissing(t *testing.T) {
	const onlyForbidden, brokenToo, all, well = `blind ["b"] forbidden ["b"]`, `blind ["b"]`, `blind ["a" "b"] forbidden ["a" "b"]`, "blind []"
	// last waits and returns what was told last of what is blind; empty for nothing.
	last := func(w watchTest) string {
		time.Sleep(time.Minute)
		said := slices.DeleteFunc(w.heard(), func(s string) bool { return !strings.HasPrefix(s, "blind") })
		if len(said) == 0 {
			return ""
		}
		return said[len(said)-1]
	}
	in := func(namespace string, resources ...string) (them []string) {
		for _, resource := range resources {
			them = append(them, "list "+resource+" in "+namespace, "watch "+resource+" in "+namespace)
		}
		return them
	}
	type step struct {
		do   func(watchTest)
		want string
	}
	refuse := func(them ...string) func(watchTest) {
		return func(w watchTest) { w.refuse(them...); w.cut() } // who may not watch any more learns of it at the next request
	}
	allow := func(them ...string) func(watchTest) {
		return func(w watchTest) {
			for _, what := range them {
				w.allow(what)
			}
		}
	}
	away := func(away bool) func(watchTest) { return func(w watchTest) { w.goAway(away) } }
	for name, steps := range map[string][]step{
		"a namespace that was deleted, with its RoleBinding": {
			{refuse(in("b", "cronworkflows", "workflows")...), onlyForbidden},
			{func(w watchTest) {
				for range 60 {
					time.Sleep(time.Minute)
					w.bookmark()
				}
			}, ""},
			{allow(in("b", "cronworkflows", "workflows")...), well},
		},
		"one resource of it": {
			{refuse(in("b", "workflows")...), onlyForbidden},
			{allow(in("b", "workflows")...), well},
		},
		"may be listed, and not watched": {
			{refuse("watch workflows in b"), well},
			{refuse("list workflows in b"), onlyForbidden},
		},
		"all namespaces": {
			{refuse(append(in("a", "workflows"), in("b", "workflows")...)...), all},
			{allow(in("a", "workflows")...), onlyForbidden},
		},
		"an API server that is away as well": {
			{refuse(in("b", "workflows")...), onlyForbidden},
			{away(true), `blind ["a" "b"]`},
			{away(false), onlyForbidden},
		},
		"what broke off as well, in the same namespace": {
			{refuse(in("b", "workflows")...), onlyForbidden},
			{func(w watchTest) { w.lose("list cronworkflows in b", "watch cronworkflows in b"); w.cut() }, brokenToo},
		},
	} {
		t.Run(name, func(t *testing.T) {
			watchingTest(t, Scope{Namespaces: []string{"a", "b"}}, func(*cluster) {}, func(w watchTest) {
				w.hears(time.Minute, "controller", "synced")
				for i, s := range steps {
					s.do(w)
					if got := last(w); got != s.want {
						t.Fatalf("after step %d it was told %q, want %q", i, got, s.want)
					}
				}
			})
		})
	}
}
