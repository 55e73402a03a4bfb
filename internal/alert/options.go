package alert

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options say how a Sender works. URL, Log and Now are required.
type Options struct {
	// URL is Alertmanager's, http or https, with a path where it is served under one. A user and password in it are sent as
	// basic authentication, and never logged.
	URL string
	// Version is Rollcall's own, for the user agent; empty means "dev".
	Version string
	Log     *slog.Logger
	// Now is the present time.
	Now func() time.Time
	// Posted is told what each request ended in, retries included: "ok", "error" (no answer, or one that says to try again) or
	// "rejected". Nil for nobody. It must not call the Sender.
	Posted func(outcome string)
	// Transport makes the requests; nil for one with the proxies of the environment.
	Transport http.RoundTripper
	Timing    Timing
}

// Timing are the delays and limits of a Sender. The zero value of a field stands for its default.
type Timing struct {
	// Gather is how long a change waits for others to go with it; default 1 s.
	Gather time.Duration
	// Resend is how often what fires is sent again; default 1 min.
	Resend time.Duration
	// Lifetime is how far the end of what fires is ahead; default 5 min, at least twice Resend.
	Lifetime time.Duration
	// Call is the most that one request takes; default 10 s.
	Call time.Duration
	// Retry is the delay before the first of three retries, doubled for each of the next; default 1 s.
	Retry time.Duration
	// ResolveFor is how long a resolve is tried; default 1 h.
	ResolveFor time.Duration
	// Stop is how long Run goes on after its context has ended; default 3 s.
	Stop time.Duration
}

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Gather, time.Second},
		{&t.Resend, time.Minute},
		{&t.Lifetime, 5 * time.Minute},
		{&t.Call, 10 * time.Second},
		{&t.Retry, time.Second},
		{&t.ResolveFor, time.Hour},
		{&t.Stop, 3 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return t
}

func (o Options) validate() error {
	t := o.Timing.withDefaults()
	switch {
	case o.Log == nil:
		return errors.New("alert: Options.Log is missing")
	case o.Now == nil:
		return errors.New("alert: Options.Now is missing")
	case t.Lifetime < 2*t.Resend:
		return fmt.Errorf("alert: Timing.Lifetime is %s: alerts that are sent again every %s need at least twice that", t.Lifetime, t.Resend)
	}
	return nil
}

// endpoint is where alerts are posted, and as whom. Errors do not repeat the text: it may hold a password, and where depends on
// what is wrong with it.
func endpoint(text string) (string, *url.Userinfo, error) {
	wrong := func(what string) (string, *url.Userinfo, error) {
		return "", nil, fmt.Errorf("--alertmanager-url %s: write http[s]://[user:password@]host[:port][/path]", what)
	}
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case strings.TrimSpace(text) == "":
		return wrong("is empty")
	case err != nil:
		return wrong("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return wrong("does not begin with http:// or https://")
	case u.Hostname() == "":
		return wrong("names no host")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return wrong("has something behind the path (a # or ? in a password is written %23 or %3F)")
	}
	user := u.User
	u.User = nil
	// Some paste the URL of the API, which Alertmanager's own documentation shows.
	path := strings.TrimRight(u.Path, "/")
	path = strings.TrimSuffix(path, "/api/v2/alerts")
	path = strings.TrimSuffix(path, "/api/v2")
	u.Path, u.RawPath = path, ""
	return u.JoinPath("api", "v2", "alerts").String(), user, nil
}
