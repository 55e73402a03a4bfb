package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"

	"k8s.io/client-go/rest"

	"rollcall.dev/rollcall/test/cluster/internal/loopback"
	"rollcall.dev/rollcall/test/cluster/kubeconfig"
)

// Options for New.
type Options struct {
	// Upstream is the way to the server. Its token is handed to the client, and
	// passed on as the client sends it.
	Upstream *rest.Config
	// Kubeconfig is where to write a kubeconfig that leads through the proxy;
	// empty: nowhere.
	Kubeconfig string
	// User is the name the kubeconfig gives the token's owner; empty: "user".
	User string
}

// A Proxy is one way to an API server. Its methods may be called from any
// goroutine.
type Proxy struct {
	addr       string
	rest       *rest.Config
	kubeconfig string
	tls        *tls.Config
	server     *http.Server
	forward    *httputil.ReverseProxy
	transport  *http.Transport
	life       context.Context // ends with Close
	end        context.CancelFunc

	mu       sync.Mutex
	listener net.Listener // nil while down
	closed   bool
	conns    map[*conn]struct{}
	rules    []*Scripted
	records  []*Request
}

// New starts a proxy on a free port of 127.0.0.1.
func New(o Options) (*Proxy, error) {
	if o.Upstream == nil {
		return nil, errors.New("proxy: Options.Upstream is nil")
	}
	upstream, err := url.Parse(o.Upstream.Host)
	if err != nil {
		return nil, fmt.Errorf("proxy: Options.Upstream.Host: %w", err)
	}
	upstreamTLS, err := rest.TLSConfigFor(o.Upstream)
	if err != nil {
		return nil, fmt.Errorf("proxy: Options.Upstream: %w", err)
	}
	ports, err := loopback.FreePorts(1)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	certPEM, keyPEM, err := loopback.Certificate("proxy")
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{
		addr:  loopback.Addr(ports[0]),
		conns: map[*conn]struct{}{},
		tls:   &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}},
		transport: &http.Transport{
			TLSClientConfig:     upstreamTLS,
			DisableCompression:  true, // records are to be read
			MaxIdleConnsPerHost: 64,
		},
	}
	p.life, p.end = context.WithCancel(context.Background())
	p.rest = &rest.Config{
		Host: "https://" + p.addr, BearerToken: o.Upstream.BearerToken,
		TLSClientConfig: rest.TLSClientConfig{CAData: certPEM},
	}
	quiet := log.New(io.Discard, "", 0) // broken connections are what it is for
	p.forward = p.reverseProxy(upstream, quiet)
	p.server = &http.Server{
		Handler:  http.HandlerFunc(p.serve),
		ErrorLog: quiet,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c.(*tls.Conn).NetConn())
		},
	}
	if o.Kubeconfig != "" {
		user := o.User
		if user == "" {
			user = "user"
		}
		if err := kubeconfig.Write(o.Kubeconfig, user, p.rest); err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		p.kubeconfig = o.Kubeconfig
	}
	return p, p.Up()
}

// RESTConfig leads through the proxy. Its limits (QPS, Burst, Timeout) are
// unset.
func (p *Proxy) RESTConfig() *rest.Config { return rest.CopyConfig(p.rest) }

// Kubeconfig is the path of the file that leads through the proxy; empty if
// Options named none.
func (p *Proxy) Kubeconfig() string { return p.kubeconfig }

// Add puts a rule in force, behind those that are already. The first rule that
// applies to a request decides alone.
func (p *Proxy) Add(r Rule) *Scripted {
	s := &Scripted{p: p, rule: r}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, s)
	return s
}

// ClearRules takes all rules out of force.
func (p *Proxy) ClearRules() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.rules {
		s.removed = true
	}
	p.rules = nil
}

// Down refuses connections from now on and resets those there are.
func (p *Proxy) Down() {
	p.mu.Lock()
	l := p.listener
	p.listener = nil
	p.mu.Unlock()
	if l != nil {
		l.Close()
	}
	p.Cut()
}

// Up undoes Down, on the same port.
func (p *Proxy) Up() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errors.New("proxy: it is closed")
	}
	if p.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	p.listener = l
	go p.server.Serve(tls.NewListener(&listener{Listener: l, p: p}, p.tls)) //nolint:errcheck // ends with its listener
	return nil
}

// Cut resets every connection there is, watches among them. New ones are
// accepted.
func (p *Proxy) Cut() {
	p.mu.Lock()
	conns := make([]*conn, 0, len(p.conns))
	for c := range p.conns {
		conns = append(conns, c)
	}
	p.mu.Unlock()
	for _, c := range conns {
		c.reset()
	}
}

// Close ends the proxy for good.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.end()
	p.Down()
	err := p.server.Close()
	p.transport.CloseIdleConnections()
	if errors.Is(err, net.ErrClosed) {
		return nil // Down closed the listener, and the server had not noticed yet
	}
	return err
}

// listener keeps account of the connections it accepts.
type listener struct {
	net.Listener
	p *Proxy
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{TCPConn: raw.(*net.TCPConn), p: l.p}
		l.p.mu.Lock()
		down := l.p.listener != l.Listener // went down just now
		if !down {
			l.p.conns[c] = struct{}{}
		}
		l.p.mu.Unlock()
		if !down {
			return c, nil
		}
		c.reset()
	}
}

type connKey struct{}

// conn is a client's connection, below TLS.
type conn struct {
	*net.TCPConn
	p *Proxy
}

func (c *conn) Close() error {
	c.p.mu.Lock()
	delete(c.p.conns, c)
	c.p.mu.Unlock()
	return c.TCPConn.Close()
}

// reset makes Close send a RST instead of a FIN.
func (c *conn) reset() {
	_ = c.SetLinger(0)
	_ = c.Close()
}
