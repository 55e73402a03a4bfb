package argo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"rollcall.dev/rollcall/backfill"
)

// Options configure a Client.
type Options struct {
	// Version is Rollcall's own, for the user agent; empty means "dev".
	Version string
	// ControllerZone is the local zone of Argo's controller, in which it writes scheduled times; nil means UTC.
	ControllerZone *time.Location
	// ArgoNamespace is where Argo's controller keeps the settings that hold for what Look reads; empty means "argo".
	ArgoNamespace string
	// Now is the local clock; nil means time.Now.
	Now func() time.Time
}

// auditRetries is how often a read of an audit is repeated when the API server asks for it (Retry-After) or drops the
// connection. What backfill.Executor does through Looker and Writer is never repeated here: it keeps count itself.
const auditRetries = 3

// Requests per second, and how many may come at once. An audit of everything takes a few dozen requests.
const (
	defaultQPS   = 50
	defaultBurst = 100
)

// fieldManager is under which name Rollcall writes.
const fieldManager = "rollcall"

// Client reads and writes Argo's objects through an API server. It is safe for concurrent use.
type Client struct {
	host  string
	audit rest.Interface // repeats reads as auditRetries says
	plain rest.Interface // repeats nothing
	clock *clock
	zone  *time.Location
	argo  objectName // Argo's ConfigMap

	mu        sync.Mutex
	lifetimes map[templateName]kept[lifetime]
	configs   map[objectName]kept[controllerConfig]
}

var _ backfill.Submitter = (*Client)(nil)

// kept is a value and until when it is used without reading it again.
type kept[T any] struct {
	value T
	until time.Time
}

// NewClient makes a client from a configuration, which it does not change. No request is made.
func NewClient(cfg *rest.Config, options Options) (*Client, error) {
	if cfg == nil {
		return nil, errors.New("no configuration to reach an API server with")
	}
	if options.Version == "" {
		options.Version = "dev"
	}
	if options.ControllerZone == nil {
		options.ControllerZone = time.UTC
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	c := &Client{
		clock:     &clock{now: options.Now},
		zone:      options.ControllerZone,
		argo:      Scope{ArgoNamespace: options.ArgoNamespace}.withDefaults().config(),
		lifetimes: map[templateName]kept[lifetime]{},
		configs:   map[objectName]kept[controllerConfig]{},
	}
	cfg = dynamic.ConfigFor(cfg)
	cfg.AcceptContentTypes = "application/json" // what this package decodes, whatever client-go's feature gates say
	cfg.ContentType = "application/json"
	cfg.GroupVersion, cfg.APIPath = nil, ""
	cfg.UserAgent = "rollcall/" + options.Version
	if cfg.QPS == 0 && cfg.RateLimiter == nil {
		cfg.QPS, cfg.Burst = defaultQPS, defaultBurst
	}
	if cfg.WarningHandler == nil && cfg.WarningHandlerWithContext == nil {
		cfg.WarningHandler = rest.NoWarnings{}
	}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return transport{next, c.clock} })
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	base, err := rest.UnversionedRESTClientForConfigAndClient(cfg, client)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	c.host = base.Get().URL().Host
	c.audit = limited{base, auditRetries}
	c.plain = limited{base, 0}
	return c, nil
}

// ClockOffset is how far the API server's clock is ahead of the local one, from its answers so far; 0 before the first, and
// while they differ by no more than the second to which its answers give the time.
func (c *Client) ClockOffset() time.Duration { return c.clock.offset() }

// Now is the present time by the API server's clock.
func (c *Client) Now() time.Time { return c.clock.now().Add(c.clock.offset()).Round(0).UTC() }

// segments are the path of a resource, or of one object of it.
func segments(resource schema.GroupVersionResource, name objectName) ([]string, error) {
	path := []string{"apis", resource.Group}
	if resource.Group == "" {
		path = []string{"api"}
	}
	path = append(path, resource.Version)
	for _, s := range []string{name.namespace, name.name} {
		if wrong := rest.IsValidPathSegmentName(s); len(wrong) > 0 {
			return nil, fmt.Errorf("%q cannot be the name of a Kubernetes object: %s", s, wrong[0])
		}
	}
	if name.namespace != "" {
		path = append(path, "namespaces", name.namespace)
	}
	path = append(path, resource.Resource)
	if name.name != "" {
		path = append(path, name.name)
	}
	return path, nil
}

// get reads one object.
func get(ctx context.Context, from rest.Interface, resource schema.GroupVersionResource, name objectName) (json.RawMessage, error) {
	path, err := segments(resource, name)
	if err != nil {
		return nil, err
	}
	return body(from.Get().AbsPath(path...).Do(ctx))
}

// body is the answer; its error is the Status in it where there is one.
func body(result rest.Result) (json.RawMessage, error) {
	if err := result.Error(); err != nil {
		return nil, err
	}
	return result.Raw()
}
