package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/cluster/internal/loopback"
	"rollcall.dev/rollcall/test/cluster/process"
)

// A Cluster is a running control plane. Its methods may be called from any
// goroutine.
type Cluster struct {
	// Etcd and APIServer may be stopped, killed, paused and started again by a
	// test; everything in the cluster feels it.
	Etcd      *process.Process
	APIServer *process.Process
	// Argo is the controller Start started; nil with Options.WithoutArgo.
	Argo *Argo

	options   Options
	data      string // folder
	paths     binaries.Paths
	ports     ports
	users     map[string]identity
	caData    []byte
	dynamic   dynamic.Interface
	mapper    *restmapper.DeferredDiscoveryRESTMapper
	stopSigs  func()
	setUpTime time.Duration

	mu       sync.Mutex
	procs    []*process.Process // in the order in which they were made
	closers  []io.Closer        // proxies
	stopped  bool
	stopOnce sync.Once
	stopErr  error
}

type ports struct{ etcd, etcdPeer, apiServer int }

// startAttempts bounds how often Start picks other ports. Between choosing a
// port and listening on it, another process may take it.
const startAttempts = 3

// Start builds what is not built yet, starts a cluster and waits until all of
// it can be used: once built, a matter of seconds. On error nothing is left
// running.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	o.Argo = o.Argo.withDefaults("")
	users, err := o.users()
	if err != nil {
		return nil, err
	}
	paths, err := binaries.Ensure(ctx, o.Progress, binaries.Etcd, binaries.KubeAPIServer, binaries.Kubectl, o.Argo.Release)
	if err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	for attempt := 1; ; attempt++ {
		c := &Cluster{options: o, paths: paths}
		err := c.start(ctx, users)
		if err == nil {
			fmt.Fprintf(o.Progress, "cluster: up in %s, API server %s, data in %s\n", c.setUpTime.Round(10*time.Millisecond), c.URL(), c.data)
			return c, nil
		}
		portTaken := strings.Contains(err.Error(), "address already in use")
		err = errors.Join(err, c.Stop())
		if !portTaken || attempt == startAttempts || ctx.Err() != nil {
			return nil, fmt.Errorf("start cluster: %w", err)
		}
		fmt.Fprintf(o.Progress, "cluster: another process took a port, trying others\n")
	}
}

func (c *Cluster) start(ctx context.Context, users []User) error {
	begun := time.Now()
	if err := c.makeDataDir(); err != nil {
		return err
	}
	if c.options.StopOnSignal {
		c.stopSigs = c.stopOnSignal()
	}
	p, err := loopback.FreePorts(3)
	if err != nil {
		return err
	}
	c.ports = ports{etcd: p[0], etcdPeer: p[1], apiServer: p[2]}
	if err := c.startEtcd(ctx); err != nil {
		return err
	}
	if err := c.startAPIServer(ctx, users); err != nil {
		return err
	}
	if err := c.applyCRDs(ctx); err != nil {
		return err
	}
	if !c.options.WithoutArgo {
		if c.Argo, err = c.StartArgo(ctx, c.options.Argo); err != nil {
			return err
		}
	}
	c.setUpTime = time.Since(begun)
	return nil
}

// Stop ends every process and removes the data folder, unless Options.Keep is
// set. Further calls do nothing and return what the first one did.
func (c *Cluster) Stop() error {
	c.stopOnce.Do(func() { c.stopErr = c.stop() })
	return c.stopErr
}

func (c *Cluster) stop() error {
	var errs []error
	c.mu.Lock()
	c.stopped = true
	closers, procs := slices.Clone(c.closers), slices.Clone(c.procs)
	c.mu.Unlock()
	for _, cl := range closers {
		errs = append(errs, cl.Close())
	}
	// The last one first, so that no log fills with what the end of the piece
	// below causes. Nothing needs to end in good order: the data goes too.
	for _, p := range slices.Backward(procs) {
		p.Forget()
	}
	if c.data != "" && !c.options.Keep {
		if err := os.RemoveAll(c.data); err != nil {
			errs = append(errs, fmt.Errorf("remove data folder: %w", err))
		}
	}
	if c.stopSigs != nil {
		c.stopSigs()
	}
	return errors.Join(errs...)
}

// DataDir is the folder of everything the cluster writes. Logs are in it, one
// file per process, named after it.
func (c *Cluster) DataDir() string { return c.data }

// ServiceAccountKey is the path of the key that service accounts' tokens are
// signed with.
func (c *Cluster) ServiceAccountKey() string { return c.path("sa.key") }

// CA is the path of the certificate of the API server, which is its own
// authority.
func (c *Cluster) CA() string { return c.path("apiserver.crt") }

// Kubectl is the path of a kubectl of the API server's version.
func (c *Cluster) Kubectl() string { return c.paths.Exe(binaries.Kubectl) }

// SetUpTime is how long Start took, without building.
func (c *Cluster) SetUpTime() time.Duration { return c.setUpTime }

// Pids are the ids of the processes that run at present.
func (c *Cluster) Pids() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var pids []int
	for _, p := range c.procs {
		if pid := p.Pid(); pid != 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Process makes a process that ends with the cluster, like the program under
// test, but does not start it. If spec.Log is empty it is named after spec.Name,
// in DataDir.
func (c *Cluster) Process(spec process.Spec) (*process.Process, error) {
	if spec.Log == "" && spec.Name != "" {
		spec.Log = c.path(spec.Name + ".log")
	}
	p, err := process.New(spec)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil, fmt.Errorf("make process %s: the cluster has been stopped", spec.Name)
	}
	c.procs = append(c.procs, p)
	return p, nil
}

func (c *Cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.data}, elem...)...)
}
