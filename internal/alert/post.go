package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// wire is an alert in a request: Alertmanager's postableAlert (api/v2/openapi.yaml there).
type wire struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	StartsAt    time.Time         `json:"startsAt"`
	// EndsAt is ahead while it fires.
	EndsAt time.Time `json:"endsAt"`
}

// retries is how often a request is made again, the first time after Timing.Retry.
const retries = 3

func newClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			MaxIdleConns: 2, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
		}
	}
	return &http.Client{
		Transport: transport,
		// To follow one would turn the POST into a GET, whose 200 means nothing, or carry the password elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// rejection is an answer that says that the request will never do.
type rejection struct{ what string }

func (r rejection) Error() string { return r.what }

// deliver sends alerts in one request, with a few retries. The error is a rejection, or one that the next request would have too.
func (s *Sender) deliver(ctx context.Context, entries []*entry) error {
	pauses := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(s.timing.Retry), backoff.WithMultiplier(2), backoff.WithRandomizationFactor(0.25), backoff.WithMaxElapsedTime(0))
	return backoff.Retry(func() error {
		m := s.compose(entries) // each time, so that it is as things are then
		if len(m.alerts) == 0 {
			return nil
		}
		err := s.post(ctx, m.alerts)
		var rejected rejection
		switch {
		case err == nil:
			s.taken(m)
			s.options.Posted("ok")
		case errors.As(err, &rejected):
			s.options.Posted("rejected")
			return backoff.Permanent(err)
		default:
			s.options.Posted("error")
		}
		return err
	}, backoff.WithContext(backoff.WithMaxRetries(pauses, retries), ctx))
}

// maxAnswer is how much of an answer is read, and maxLine how much of its first line is told.
const (
	maxAnswer = 64 << 10
	maxLine   = 300
)

// post makes one request.
func (s *Sender) post(ctx context.Context, alerts []wire) error {
	body, err := json.Marshal(alerts)
	if err != nil {
		return rejection{err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, s.timing.Call)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return rejection{err.Error()}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "rollcall/"+s.options.Version)
	if s.user != nil {
		password, _ := s.user.Password()
		request.SetBasicAuth(s.user.Username(), password)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // the status says it all, the text only says why
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if len(line) > maxLine {
		line = strings.ToValidUTF8(line[:maxLine], "") + "…"
	}
	code := response.StatusCode
	switch {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusTooManyRequests || code >= 500:
		return fmt.Errorf("%s: %s", response.Status, line)
	case code >= 300 && code < 400:
		return rejection{fmt.Sprintf("%s: it is elsewhere, and redirects are not followed", response.Status)}
	}
	return rejection{fmt.Sprintf("%s: %s", response.Status, line)}
}
