package operator

import (
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/internal/argo"
)

func TestOneForbiddenNamespaceDoesNotMakeTheOthersUnaudited(t *testing.T) {
	for name, c := range map[string]struct {
		watched, blind, forbidden []string
		audits                    bool
	}{
		"all is well":                         {[]string{"a", "b"}, nil, nil, true},
		"one of two is forbidden":             {[]string{"a", "b"}, []string{"b"}, []string{"b"}, true},
		"both are forbidden":                  {[]string{"a", "b"}, []string{"a", "b"}, []string{"a", "b"}, false},
		"the only one is forbidden":           {[]string{"a"}, []string{"a"}, []string{"a"}, false},
		"one that was named twice":            {[]string{"a", "a"}, []string{"a"}, []string{"a"}, false},
		"all namespaces are forbidden":        {nil, []string{""}, []string{""}, false},
		"all, among some that are named":      {[]string{"", "a"}, []string{""}, []string{""}, false},
		"one broke off":                       {[]string{"a", "b"}, []string{"b"}, nil, false},
		"one broke off, another is forbidden": {[]string{"a", "b", "c"}, []string{"a", "b"}, []string{"b"}, false},
		"the watch of all broke off":          {nil, []string{""}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				p := w.starts(t, func(o *Options) { o.Scope.Namespaces = c.watched })
				p.leads <- true
				until("00:01:00")
				w.mu.Lock()
				w.happens(func(h argo.Handler) { h.Blind(c.blind, c.forbidden) })
				w.mu.Unlock()
				until("00:11:00")
				if ready := p.Ready(t.Context()); (ready == nil) != c.audits {
					t.Errorf("ready: %v", ready)
				}
				last := p.gauge(t, "rollcall_last_audit_timestamp_seconds")
				if audits := last >= unix(at(11).Add(-15*time.Second)); audits != c.audits {
					t.Errorf("the last audit was at %f", last)
				}
			})
		})
	}
}

func TestAForbiddenNamespaceIsNotJudgedWhileTheOthersAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick"))
		p := w.starts(t, func(o *Options) { o.Scope.Namespaces = []string{"default", "gone"} })
		p.leads <- true
		until("00:00:50")
		w.mu.Lock()
		w.happens(func(h argo.Handler) { h.Blind([]string{"default"}, []string{"default"}) })
		w.mu.Unlock()
		w.did()
		until("00:03:00")
		expect(t, "requests while it is forbidden", w.did("lastlook", "create", "urgent"))
		w.mu.Lock()
		w.happens(func(h argo.Handler) { h.Blind([]string{"gone"}, []string{"gone"}) })
		w.mu.Unlock()
		until("00:05:00")
		if len(w.did("create")) == 0 {
			t.Error("what is missed where it may look is not recovered")
		}
	})
}
