package etcd

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// A Watch follows every change of some keys. Where its connection broke, or etcd
// was killed or frozen, it goes on at the revision that it had come to, so that
// nothing is missed.
type Watch struct {
	URL    string // of etcd, "http://127.0.0.1:<port>"
	Prefix string // of the keys; empty: all keys
	// Change is told of each change, one at a time and in their order; value is nil
	// where the key was deleted.
	Change func(key string, value []byte)

	mu       sync.Mutex
	revision number // up to here all was seen
	broke    error  // why the connection ended last
}

// ErrCompacted says that etcd has forgotten what was not seen yet.
var ErrCompacted = errors.New("etcd has compacted revisions that were not seen yet")

// askEvery is how often what is not there yet is asked for.
const askEvery = 50 * time.Millisecond

// List tells Change of every key that exists. Run then begins with what changed
// since; without List, with the first revision of all.
func (w *Watch) List(ctx context.Context) error {
	answer, err := w.read(ctx, w.keys())
	if err != nil {
		return err
	}
	for _, kv := range answer.KVs {
		w.Change(string(kv.Key), kv.value())
	}
	w.saw(answer.Header.Revision)
	return nil
}

// Run follows until ctx ends, and then returns nil, or until ErrCompacted.
func (w *Watch) Run(ctx context.Context) error {
	for {
		err := w.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		w.mu.Lock()
		w.broke = fmt.Errorf("its watch broke off: %w", err)
		w.mu.Unlock()
		if errors.Is(err, ErrCompacted) {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(askEvery):
		}
	}
}

// CatchUp waits until Change was told of all that is in etcd now: for some moments,
// or up to twice etcd's progress interval where what changed last were other keys.
func (w *Watch) CatchUp(ctx context.Context) error {
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	for now := number(0); ; {
		var why error
		if now == 0 {
			var answer rangeAnswer
			answer, why = w.read(ctx, map[string]any{"key": encode(first), "count_only": true})
			now = answer.Header.Revision
		}
		if now > 0 {
			if why = w.behind(now); why == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", why, ctx.Err())
		case <-ask.C:
		}
	}
}

// behind returns nil if all was seen up to a revision.
func (w *Watch) behind(revision number) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.revision >= revision {
		return nil
	}
	return errors.Join(fmt.Errorf("etcd was at revision %d, and %d was seen", revision, w.revision), w.broke)
}

// number is an integer as the gateway writes it.
type number int64

func (n *number) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(bytes.Trim(text, `"`), (*int64)(n))
}

type header struct{ Revision number }

type keyValue struct {
	Key, Value  []byte
	ModRevision number `json:"mod_revision"`
}

// value is never nil: the gateway leaves an empty one out.
func (kv keyValue) value() []byte { return append([]byte{}, kv.Value...) }

type watchAnswer struct {
	Result struct {
		Header header
		// Created answers the request and says nothing of progress, Canceled that the
		// watch is over.
		Created, Canceled bool
		CompactRevision   number `json:"compact_revision"`
		Events            []struct {
			Type string
			KV   keyValue `json:"kv"`
		}
	}
	Error *struct{ Message string }
}

// follow is one connection. It always ends with an error.
func (w *Watch) follow(ctx context.Context) error {
	request := w.keys()
	request["start_revision"] = fmt.Sprint(w.seen() + 1)
	request["progress_notify"] = true
	body, err := w.post(ctx, "/v3/watch", map[string]any{"create_request": request})
	if err != nil {
		return err
	}
	defer body.Close()
	answers := json.NewDecoder(body)
	for {
		var answer watchAnswer
		if err := answers.Decode(&answer); err != nil {
			return err
		}
		result := answer.Result
		switch {
		case result.CompactRevision > 0:
			return ErrCompacted
		case answer.Error != nil:
			return errors.New(answer.Error.Message)
		case result.Canceled:
			return errors.New("canceled")
		case result.Created:
			continue
		}
		for _, event := range result.Events {
			value := event.KV.value()
			if event.Type == "DELETE" {
				value = nil
			}
			w.Change(string(event.KV.Key), value)
		}
		if n := len(result.Events); n > 0 {
			w.saw(result.Events[n-1].KV.ModRevision) // the header's may be ahead of them
		} else {
			w.saw(result.Header.Revision)
		}
	}
}

func (w *Watch) seen() number {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.revision
}

func (w *Watch) saw(revision number) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revision = max(w.revision, revision)
}

// first is the first key there can be; as the end of a range it means no end.
const first = "\x00"

// keys are the request's fields that name the keys to watch.
func (w *Watch) keys() map[string]any {
	if w.Prefix == "" {
		return map[string]any{"key": encode(first), "range_end": encode(first)}
	}
	end := []byte(w.Prefix)
	end[len(end)-1]++ // the first key that is none of them; no prefix ends with 0xff
	return map[string]any{"key": encode(w.Prefix), "range_end": encode(string(end))}
}

func encode(key string) string { return base64.StdEncoding.EncodeToString([]byte(key)) }

type rangeAnswer struct {
	Header header
	KVs    []keyValue `json:"kvs"`
}

func (w *Watch) read(ctx context.Context, request map[string]any) (answer rangeAnswer, err error) {
	body, err := w.post(ctx, "/v3/kv/range", request)
	if err != nil {
		return answer, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("etcd: read answer of /v3/kv/range: %w", err)
	}
	return answer, nil
}

func (w *Watch) post(ctx context.Context, path string, body any) (io.ReadCloser, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("etcd: %s: %s", path, resp.Status)
	}
	return resp.Body, nil
}
