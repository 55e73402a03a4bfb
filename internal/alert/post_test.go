package alert

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestTheURLIsUnderstood(t *testing.T) {
	for text, want := range map[string]string{
		"http://am:9093":                           "http://am:9093/api/v2/alerts",
		"http://am:9093/":                          "http://am:9093/api/v2/alerts",
		" https://am.example/alertmanager// ":      "https://am.example/alertmanager/api/v2/alerts",
		"http://am:9093/api/v2/alerts":             "http://am:9093/api/v2/alerts",
		"http://am:9093/prefix/api/v2/":            "http://am:9093/prefix/api/v2/alerts",
		"http://rollcall:s3cret@[::1]:9093/prefix": "http://[::1]:9093/prefix/api/v2/alerts",
	} {
		got, user, err := endpoint(text)
		if err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
		if password, _ := user.Password(); strings.Contains(text, "s3cret") && password != "s3cret" {
			t.Errorf("%s: user %v", text, user)
		}
	}
}

func TestAWrongURLNamesTheFlagAndShowsNoPassword(t *testing.T) {
	for _, text := range []string{
		"", " ", "am:9093", "ftp://u:s3cret@am", "http://", "http://u:s3cret@", "http://u:s3cret@am:90x3", "http://u:s3cret#x@am",
		"http://u:s3cret@am/?a=b", "http://u:s3cret@am/#top", "http://u:s3cret%zz@am", "http://u:s3 cret@am", "://u:s3cret@am",
	} {
		_, err := New(Options{URL: text, Log: slog.New(slog.DiscardHandler), Now: time.Now})
		if err == nil {
			t.Errorf("%q is taken", text)
		} else if !strings.Contains(err.Error(), "--alertmanager-url") || strings.Contains(err.Error(), "cret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// over is a Sender that talks to a server over the network, with one alert to tell.
func over(t *testing.T, url string, logged *log) (*Sender, []*entry) {
	t.Helper()
	s, err := New(Options{URL: url, Version: "v1.2.3", Log: slog.New(slog.NewTextHandler(logged, nil)), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	s.Set(tick, []Alert{lost("x")})
	entries, _ := s.pending(all)
	return s, entries
}

func TestARequestIsWhatAlertmanagerExpects(t *testing.T) {
	var got *http.Request
	var body []map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	s, entries := over(t, strings.Replace(server.URL, "://", "://rollcall:s3cret@", 1)+"/prefix/", &log{})
	if err := s.deliver(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	user, password, _ := got.BasicAuth()
	same(t, []string{"POST", "/prefix/api/v2/alerts", "application/json", "rollcall/v1.2.3", "rollcall", "s3cret"},
		[]string{got.Method, got.URL.Path, got.Header.Get("Content-Type"), got.UserAgent(), user, password})
	if len(body) != 1 {
		t.Fatalf("the body is %v", body)
	}
	for _, field := range []string{"startsAt", "endsAt"} {
		if _, err := time.Parse(time.RFC3339, body[0][field].(string)); err != nil {
			t.Error(err)
		}
	}
}

func TestNeitherAnErrorNorTheLogShowsThePassword(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close() // nobody is there
	var logged log
	s, entries := over(t, strings.Replace(server.URL, "://", "://rollcall:s3cret@", 1), &logged)
	s.timing.Retry = time.Millisecond
	s.round(t.Context(), all)
	if err := s.post(t.Context(), nil); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error %v of %d", err, len(entries))
	}
	if text := logged.String(); !strings.Contains(text, "do not reach") || strings.Contains(text, "s3cret") {
		t.Errorf("logged: %s", text)
	}
}

func TestARedirectIsARejection(t *testing.T) {
	hits := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		if r.Method == http.MethodPost { // to a page that a GET finds
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}
	}))
	defer server.Close()
	s, entries := over(t, server.URL, &log{})
	if err := s.deliver(t.Context(), entries); err == nil || !strings.Contains(err.Error(), "redirects are not followed") || hits != 1 {
		t.Errorf("error %v after %d requests", err, hits)
	}
}
