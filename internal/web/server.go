package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options say what a Server serves where. Log is required, Gatherer where there is a MetricsAddress, Ready where there is an
// Address.
type Options struct {
	// Address is where the health checks and the page are, host:port, of which the host may be empty for all interfaces and the
	// port 0 for one that is free; "" or "0" for nowhere.
	Address string
	// MetricsAddress is likewise where the metrics are. Where it is the same as Address, one server has both.
	MetricsAddress string
	// Gatherer is what /metrics shows.
	Gatherer prometheus.Gatherer
	// Ready says why the process is not ready to do its work; nil when it is. A joined error has its reasons in lines of their
	// own. It has 5 s, and is never asked twice at once.
	Ready func(ctx context.Context) error
	Log   *slog.Logger
}

// The limits of a Server. There is no limit on how long an answer takes but one that outlasts every health check and scrape:
// it is for clients that stopped reading.
const (
	readHeader  = 5 * time.Second
	idle        = 2 * time.Minute
	writeAnswer = 2 * time.Minute
	stopWithin  = 3 * time.Second
	maxHeader   = 16 << 10
)

func (o Options) validate() error {
	switch {
	case o.Log == nil:
		return errors.New("web: Options.Log is missing")
	case o.Ready == nil && on(o.Address):
		return errors.New("web: Options.Ready is missing")
	case o.Gatherer == nil && on(o.MetricsAddress):
		return errors.New("web: Options.Gatherer is missing")
	}
	return nil
}

// on says whether something is served at an address.
func on(address string) bool { return address != "" && address != "0" }

// Server has its addresses from Listen on, and answers while Serve runs.
type Server struct {
	log *slog.Logger
	// listeners and handlers belong together.
	listeners []net.Listener
	handlers  []http.Handler
	// http and metrics are the addresses; empty where there is none.
	http, metrics string
}

// Listen binds the addresses. An error names the flag to change. What connects waits for Serve.
func Listen(o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Server{log: o.Log}
	shared := on(o.Address) && o.Address == o.MetricsAddress
	if on(o.Address) {
		endpoints := []endpoint{healthz(), readyz(o.Ready, o.Log)}
		if shared {
			endpoints = append(endpoints, metrics(o.Gatherer, o.Log))
		}
		address, err := s.listen("--http-address", o.Address, endpoints)
		if err != nil {
			return nil, err
		}
		s.http = address
		if shared {
			s.metrics = address
		}
	}
	if on(o.MetricsAddress) && !shared {
		address, err := s.listen("--metrics-address", o.MetricsAddress, []endpoint{metrics(o.Gatherer, o.Log)})
		if err != nil {
			s.close()
			return nil, err
		}
		s.metrics = address
	}
	return s, nil
}

// listen binds an address for endpoints, and says which one it is.
func (s *Server) listen(flag, address string, endpoints []endpoint) (string, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		hint := "choose another address, or 0 for none"
		if _, _, wrong := net.SplitHostPort(address); wrong != nil {
			hint = "write host:port or :port, or 0 for none"
		}
		return "", fmt.Errorf("listen at %s %q: %w (%s)", flag, address, err, hint)
	}
	s.listeners = append(s.listeners, listener)
	s.handlers = append(s.handlers, handler(endpoints))
	return listener.Addr().String(), nil
}

func (s *Server) close() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
}

// Address is where the health checks are, with the port that was chosen; empty where there are none.
func (s *Server) Address() string { return s.http }

// MetricsAddress is where the metrics are, with the port that was chosen; empty where there are none.
func (s *Server) MetricsAddress() string { return s.metrics }

// Serve answers until ctx ends, and then lets requests under way finish for at most 3 s. It is an error when an address can no
// longer be served before that; then none is. Call it once.
func (s *Server) Serve(ctx context.Context) error {
	servers := make([]*http.Server, len(s.listeners))
	ended := make(chan error, len(s.listeners))
	for i, l := range s.listeners {
		servers[i] = &http.Server{
			Handler: s.handlers[i], ReadHeaderTimeout: readHeader, IdleTimeout: idle, WriteTimeout: writeAnswer, MaxHeaderBytes: maxHeader,
			ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // what clients do wrong
		}
		go func() { ended <- servers[i].Serve(l) }()
	}
	var failed error
	left := len(servers)
	select {
	case <-ctx.Done():
	case err := <-ended:
		failed = fmt.Errorf("serve HTTP at %s: %w", strings.Join(s.addresses(), " and "), err)
		left--
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	for _, server := range servers {
		if err := server.Shutdown(stop); err != nil {
			_ = server.Close() // what is still under way has had its time
		}
	}
	for range left {
		if err := <-ended; failed == nil && !errors.Is(err, http.ErrServerClosed) {
			failed = fmt.Errorf("serve HTTP: %w", err)
		}
	}
	return failed
}

func (s *Server) addresses() []string {
	all := make([]string, len(s.listeners))
	for i, l := range s.listeners {
		all[i] = l.Addr().String()
	}
	return all
}
