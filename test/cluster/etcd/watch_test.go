package etcd_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/etcd"
)

// shared is the cluster of all tests. They run one after the other: each compacts
// its etcd or breaks it.
var shared *cluster.Cluster

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if testing.Short() {
		fmt.Println("test/cluster/etcd: a cluster takes minutes to build, skipped with -short")
		return 0
	}
	c, err := cluster.Start(context.Background(), cluster.Options{WithoutArgo: true, StopOnSignal: true, Progress: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = c
	defer func() {
		if err := c.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

// bench is a Watch on some keys, through a connection that can be cut.
type bench struct {
	*testing.T
	ctx    context.Context
	watch  *etcd.Watch
	way    *httptest.Server // to etcd
	closed atomic.Bool      // whether it is
	ended  chan error       // what Run returned

	mu   sync.Mutex
	told []string
}

func begin(t *testing.T, prefix string) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	b := &bench{T: t, ctx: ctx, ended: make(chan error, 1)}
	target, err := url.Parse(shared.EtcdURL())
	b.must(err)
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
	}
	b.way = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.closed.Load() {
			panic(http.ErrAbortHandler)
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(b.way.Close)
	b.watch = &etcd.Watch{URL: b.way.URL, Prefix: prefix, Change: b.change}
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) change(key string, value []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	said := "- " + key
	if value != nil {
		said = fmt.Sprintf("+ %s %s", key, value)
	}
	b.told = append(b.told, said)
}

// run begins to watch, until the test is over.
func (b *bench) run() {
	ctx, stop := context.WithCancel(b.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.ended <- b.watch.Run(ctx)
	}()
	b.Cleanup(func() { stop(); <-done })
}

// cut breaks the watch's connection, and lets none be made until mend.
func (b *bench) cut() (mend func()) {
	b.closed.Store(true)
	b.way.CloseClientConnections()
	return func() { b.closed.Store(false) }
}

// expect expects that just this was told, in this order.
func (b *bench) expect(want ...string) {
	b.Helper()
	b.must(b.watch.CatchUp(b.ctx))
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.told, want) {
		b.Errorf("want %q\n got %q", want, b.told)
	}
}

// ask asks etcd itself, not by the way that can be cut, and gives its revision.
func (b *bench) ask(path string, request map[string]any) string {
	b.Helper()
	text, err := json.Marshal(request)
	b.must(err)
	resp, err := http.Post(shared.EtcdURL()+path, "application/json", bytes.NewReader(text))
	b.must(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s", path, resp.Status)
	}
	var answer struct{ Header struct{ Revision string } }
	b.must(json.NewDecoder(resp.Body).Decode(&answer))
	return answer.Header.Revision
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func (b *bench) put(key, value string) string {
	b.Helper()
	return b.ask("/v3/kv/put", map[string]any{"key": encode(key), "value": encode(value)})
}

func (b *bench) remove(key string) {
	b.Helper()
	b.ask("/v3/kv/deleterange", map[string]any{"key": encode(key)})
}

func TestAWatchGoesOnAfterItsConnectionWasCut(t *testing.T) {
	b := begin(t, "/cut/")
	b.put("/cut/before", "0")
	b.must(b.watch.List(b.ctx))
	b.put("/cut/between", "0")
	b.run()
	b.put("/cut/x", "1")
	b.put("/b/x", "1") // none of those that are watched
	b.expect("+ /cut/before 0", "+ /cut/between 0", "+ /cut/x 1")

	mend := b.cut()
	b.remove("/cut/x")
	b.put("/cut/y", "") // comes and goes
	b.remove("/cut/y")
	b.put("/cut/x", "2")
	time.AfterFunc(time.Second, mend)
	b.expect("+ /cut/before 0", "+ /cut/between 0", "+ /cut/x 1", "- /cut/x", "+ /cut/y ", "- /cut/y", "+ /cut/x 2")
}

func TestAWatchWithoutChangesOutlivesACompaction(t *testing.T) {
	b := begin(t, "/quiet/")
	b.must(b.watch.List(b.ctx))
	b.run()
	revision := b.put("/b/x", "1")
	b.must(b.watch.CatchUp(b.ctx))
	b.ask("/v3/kv/compaction", map[string]any{"revision": revision})
	b.cut()()
	b.put("/quiet/x", "1")
	b.expect("+ /quiet/x 1")
}

func TestAWatchThatFellBehindACompactionSaysSo(t *testing.T) {
	b := begin(t, "/behind/")
	b.must(b.watch.List(b.ctx))
	b.run()
	b.must(b.watch.CatchUp(b.ctx))
	mend := b.cut()
	b.put("/behind/x", "1")
	b.remove("/behind/x")
	b.ask("/v3/kv/compaction", map[string]any{"revision": b.put("/b/x", "1")})
	mend()
	select {
	case err := <-b.ended:
		if !errors.Is(err, etcd.ErrCompacted) {
			b.Errorf("it ended with %v", err)
		}
	case <-b.ctx.Done():
		b.Error("it has not noticed")
	}
}

func TestAWatchOutlivesTheAPIServerAndEtcd(t *testing.T) {
	const namespaces = "/registry/namespaces/"
	b := begin(t, namespaces+"outlives-")
	b.must(b.watch.List(b.ctx))
	b.run()
	b.must(shared.CreateNamespace(b.ctx, "outlives-one"))
	b.must(shared.APIServer.Kill()) // its watch cache is forgotten
	b.must(shared.APIServer.Start(b.ctx))
	b.must(shared.CreateNamespace(b.ctx, "outlives-two"))
	b.must(shared.Etcd.Kill())
	b.must(shared.Etcd.Start(b.ctx))
	b.must(cluster.Await(b.ctx, "the API server to reach etcd again", func(ctx context.Context) error {
		if err := shared.CreateNamespace(ctx, "outlives-three"); !apierrors.IsAlreadyExists(err) {
			return err
		}
		return nil // by an attempt whose answer was lost
	}))
	b.must(b.watch.CatchUp(b.ctx))
	b.mu.Lock()
	defer b.mu.Unlock()
	var keys []string
	for _, said := range b.told {
		keys = append(keys, strings.Fields(said)[1])
	}
	if want := []string{namespaces + "outlives-one", namespaces + "outlives-two", namespaces + "outlives-three"}; !slices.Equal(keys, want) {
		b.Errorf("want %q, got %q", want, keys)
	}
}
