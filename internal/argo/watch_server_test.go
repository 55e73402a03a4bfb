package argo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
)

// cluster is an API server that lists and watches, for tests inside of a synctest bubble: its connections are pipes.
type cluster struct {
	t      *testing.T
	server *httptest.Server
	pipes  pipes

	mu      sync.Mutex
	version int
	// objects are by resource and "namespace/name".
	objects map[string]map[string]*unstructured.Unstructured
	history []happened
	// compacted is the version before which there is no history; inStream says that a watch tells of that in an event.
	compacted int
	inStream  bool
	// refused and lost are what is answered with 403 and not at all: "verb resource" or "verb resource in namespace".
	refused, lost map[string]bool
	away          bool
	requests      []string // "verb resource" or "verb resource/namespace/name"
	// more is closed and made anew when something has happened that watches wait for.
	more chan struct{}
	// ends counts how often watches were ended, in good order or not.
	ends, cuts int
	bookmarks  int
}

// happened is an event of the history.
type happened struct {
	version        int
	kind, resource string
	object, before *unstructured.Unstructured
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{t: t, version: 100, compacted: 0, objects: map[string]map[string]*unstructured.Unstructured{}, refused: map[string]bool{}, lost: map[string]bool{}, more: make(chan struct{})}
	c.pipes = pipes{connections: make(chan net.Conn), closed: make(chan struct{})}
	c.server = &httptest.Server{Listener: &c.pipes, Config: &http.Server{Handler: c}}
	c.server.Start()
	t.Cleanup(c.server.Close)
	return c
}

func (c *cluster) client() *Client {
	c.t.Helper()
	client, err := NewClient(&rest.Config{Host: "http://api.test", Dial: c.pipes.dial, QPS: 1e6, Burst: 1e6}, Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	return client
}

// change makes a change under the lock and wakes the watches.
func (c *cluster) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.more)
	c.more = make(chan struct{})
}

// put creates or replaces an object, as somebody would: it gets a version, and a UID and a time of creation when it is new.
func (c *cluster) put(resource string, object map[string]any) {
	o := (&unstructured.Unstructured{Object: object}).DeepCopy()
	c.change(func() {
		id := o.GetNamespace() + "/" + o.GetName()
		if c.objects[resource] == nil {
			c.objects[resource] = map[string]*unstructured.Unstructured{}
		}
		before := c.objects[resource][id]
		kind := "MODIFIED"
		c.version++
		if before == nil {
			kind = "ADDED"
			o.SetCreationTimestamp(metav1.Now())
			o.SetUID(o.GetUID() + "-v")
		} else {
			o.SetCreationTimestamp(before.GetCreationTimestamp())
			o.SetUID(before.GetUID())
		}
		o.SetResourceVersion(strconv.Itoa(c.version))
		c.objects[resource][id] = o
		c.history = append(c.history, happened{c.version, kind, resource, o, before})
	})
}

func (c *cluster) delete(resource, id string) {
	c.change(func() {
		c.version++
		o := c.objects[resource][id].DeepCopy()
		o.SetResourceVersion(strconv.Itoa(c.version))
		delete(c.objects[resource], id)
		c.history = append(c.history, happened{c.version, "DELETED", resource, o, o})
	})
}

// compact forgets what happened so far: a watch from before cannot be resumed.
func (c *cluster) compact() { c.change(func() { c.version++; c.compacted = c.version }) }

// end ends all watches in good order, cut breaks their connections.
func (c *cluster) end()             { c.change(func() { c.ends++ }) }
func (c *cluster) cut()             { c.change(func() { c.cuts++ }) }
func (c *cluster) bookmark()        { c.change(func() { c.version++; c.bookmarks++ }) }
func (c *cluster) goAway(away bool) { c.change(func() { c.away = away; c.cuts++ }) }
func (c *cluster) refuse(it ...string) {
	c.change(func() {
		for _, what := range it {
			c.refused[what] = true
		}
	})
}
func (c *cluster) lose(it ...string) {
	c.change(func() {
		for _, what := range it {
			c.lost[what] = true
		}
	})
}
func (c *cluster) allow(what string) { c.change(func() { delete(c.refused, what) }) }

// asked are the requests so far; it forgets them.
func (c *cluster) asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.requests
	c.requests = nil
	return asked
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	segments = segments[slices.IndexFunc(segments, func(s string) bool { return strings.HasPrefix(s, "v1") })+1:]
	var namespace, name string
	if segments[0] == "namespaces" {
		namespace, segments = segments[1], segments[2:]
	}
	resource := segments[0]
	verb := "list"
	switch {
	case len(segments) > 1:
		verb, name = "get", segments[1]
	case r.URL.Query().Get("watch") != "":
		verb = "watch"
	}
	what := verb + " " + resource
	c.mu.Lock()
	said := what
	if namespace != "" || name != "" {
		said += strings.TrimSuffix("/"+namespace+"/"+name, "/")
	}
	c.requests = append(c.requests, said)
	away, refused := c.away || c.lost[what+" in "+namespace], c.refused[what] || c.refused[what+" in "+namespace]
	c.mu.Unlock()
	switch {
	case away:
		panic(http.ErrAbortHandler)
	case refused:
		refuses(http.StatusForbidden, metav1.StatusReasonForbidden, "user cannot "+what)(w, r)
	case verb == "get":
		c.get(w, r, resource, namespace, name)
	case verb == "list":
		c.list(w, r, resource, namespace)
	default:
		c.watch(w, r, resource, namespace)
	}
}

func (c *cluster) get(w http.ResponseWriter, r *http.Request, resource, namespace, name string) {
	c.mu.Lock()
	o := c.objects[resource][namespace+"/"+name]
	c.mu.Unlock()
	if o == nil {
		knowsNo(resource, name)(w, r)
		return
	}
	says(o.Object)(w, r)
}

// view is what a request sees of objects.
type view struct {
	namespace    string
	selector     labels.Selector
	metadataOnly bool
}

func viewOf(r *http.Request, namespace string) view {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		panic(err)
	}
	return view{namespace, selector, strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata")}
}

func (v view) sees(o *unstructured.Unstructured) bool {
	return o != nil && (v.namespace == "" || o.GetNamespace() == v.namespace) && v.selector.Matches(labels.Set(o.GetLabels()))
}

func (v view) of(o *unstructured.Unstructured) map[string]any {
	if v.metadataOnly {
		return map[string]any{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": o.Object["metadata"]}
	}
	return o.Object
}

func (c *cluster) list(w http.ResponseWriter, r *http.Request, resource, namespace string) {
	v := viewOf(r, namespace)
	c.mu.Lock()
	items := []any{}
	for _, id := range slices.Sorted(maps.Keys(c.objects[resource])) {
		if o := c.objects[resource][id]; v.sees(o) {
			items = append(items, v.of(o))
		}
	}
	version := strconv.Itoa(c.version)
	c.mu.Unlock()
	says(map[string]any{"kind": "List", "metadata": map[string]any{"resourceVersion": version}, "items": items})(w, r)
}

func (c *cluster) watch(w http.ResponseWriter, r *http.Request, resource, namespace string) {
	v := viewOf(r, namespace)
	from, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if err != nil || r.URL.Query().Get("allowWatchBookmarks") != "true" {
		panic("a watch from no version, or without bookmarks")
	}
	send := func(kind string, object any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"type": kind, "object": object})
		w.(http.Flusher).Flush()
	}
	c.mu.Lock()
	ends, cuts, bookmarks, tooOld, inStream := c.ends, c.cuts, c.bookmarks, from < c.compacted, c.inStream
	c.mu.Unlock()
	if tooOld && !inStream {
		refuses(http.StatusGone, metav1.StatusReasonExpired, "too old resource version")(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	if tooOld {
		send("ERROR", metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonGone, Message: "too old resource version"})
		return
	}
	timeout, _ := strconv.Atoi(r.URL.Query().Get("timeoutSeconds"))
	expired := time.After(time.Duration(timeout) * time.Second)
	for {
		c.mu.Lock()
		var news []happened
		for _, h := range c.history {
			if h.version > from && h.resource == resource {
				news = append(news, h)
			}
		}
		more, version, ended, cut, bookmark := c.more, c.version, c.ends > ends, c.cuts > cuts, c.bookmarks > bookmarks
		bookmarks = c.bookmarks
		c.mu.Unlock()
		if cut {
			panic(http.ErrAbortHandler)
		}
		for _, h := range news {
			from = h.version
			was, is := v.sees(h.before), v.sees(h.object) && h.kind != "DELETED"
			switch {
			case is && !was:
				send("ADDED", v.of(h.object))
			case is:
				send("MODIFIED", v.of(h.object))
			case was:
				send("DELETED", v.of(h.object))
			}
		}
		if bookmark {
			from = version
			send("BOOKMARK", map[string]any{"metadata": map[string]any{"resourceVersion": strconv.Itoa(version)}})
		}
		if ended {
			return
		}
		select {
		case <-more:
		case <-expired:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// pipes is a listener whose connections never leave the process.
type pipes struct {
	connections chan net.Conn
	once        sync.Once
	closed      chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.connections <- far:
		return near, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.connections:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return pipeAddress{} }

type pipeAddress struct{}

func (pipeAddress) Network() string { return "pipe" }
func (pipeAddress) String() string  { return fmt.Sprintf("%s:80", "api.test") }
