package real

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

// A watch follows every change of every key in an etcd from its first revision on, by its JSON gateway
// (https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/). Where etcd was killed or frozen it goes on at the revision that it had
// come to, so that nothing is missed.
type watch struct {
	url string
	// change is told of each, in their order; value is nil where the key was deleted.
	change func(key string, value []byte)

	mu       sync.Mutex
	revision int64 // the last that was seen
}

// errCompacted is the end: etcd has forgotten what was not seen yet.
var errCompacted = errors.New("etcd has compacted revisions that were not seen yet")

// run follows until ctx ends.
func (w *watch) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.follow(ctx); errors.Is(err, errCompacted) {
			return err
		}
		pause(ctx, 100*time.Millisecond)
	}
	return nil
}

// number is an integer as the gateway writes it.
type number int64

func (n *number) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(bytes.Trim(text, `"`), (*int64)(n))
}

type watchAnswer struct {
	Result struct {
		Header struct{ Revision number }
		// Canceled says that the watch is over.
		Canceled        bool
		CompactRevision number `json:"compact_revision"`
		Events          []struct {
			Type string
			KV   struct {
				Key, Value  []byte
				ModRevision number `json:"mod_revision"`
			} `json:"kv"`
		}
	}
	Error *struct{ Message string }
}

// everything names all keys, as key and as range_end.
var everything = base64.StdEncoding.EncodeToString([]byte{0})

func (w *watch) follow(ctx context.Context) error {
	body, err := w.post(ctx, "/v3/watch", map[string]any{"create_request": map[string]any{
		"key": everything, "range_end": everything, "start_revision": fmt.Sprint(w.seen() + 1),
	}})
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
		switch {
		case answer.Result.CompactRevision > 0:
			return errCompacted
		case answer.Error != nil:
			return errors.New(answer.Error.Message)
		case answer.Result.Canceled:
			return errors.New("canceled")
		}
		for _, event := range answer.Result.Events {
			value := event.KV.Value
			if event.Type == "DELETE" {
				value = nil
			}
			w.change(string(event.KV.Key), value)
		}
		if n := len(answer.Result.Events); n > 0 {
			w.mu.Lock()
			w.revision = int64(answer.Result.Events[n-1].KV.ModRevision)
			w.mu.Unlock()
		}
	}
}

func (w *watch) seen() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.revision
}

// caughtUp says why not all has been seen yet that is in etcd now.
func (w *watch) caughtUp(ctx context.Context) error {
	body, err := w.post(ctx, "/v3/kv/range", map[string]any{"key": everything, "range_end": everything, "count_only": true})
	if err != nil {
		return err
	}
	defer body.Close()
	var answer struct{ Header struct{ Revision number } }
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return err
	}
	if seen := w.seen(); seen < int64(answer.Header.Revision) {
		return fmt.Errorf("etcd is at revision %d, and %d was seen", answer.Header.Revision, seen)
	}
	return nil
}

func (w *watch) post(ctx context.Context, path string, body any) (io.ReadCloser, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+path, bytes.NewReader(text))
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

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
