package real

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"

	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/etcd"
	"rollcall.dev/rollcall/test/cluster/process"
	"rollcall.dev/rollcall/test/cluster/proxy"
	"rollcall.dev/rollcall/test/exam/witness"
)

// namespace is where all CronWorkflows of the cast are, rollcallNamespace where Rollcall's Lease is.
const (
	namespace         = "exam"
	rollcallNamespace = "rollcall"
)

// A stage is a cluster with Argo and two replicas of Rollcall, each of the three with its own way to the API server.
type stage struct {
	*cluster.Cluster
	argo     *keeper
	replicas []*keeper
	wayArgo  *proxy.Proxy
	ways     []*proxy.Proxy // of the replicas
	recorder *recorder
	watch    *etcd.Watch
	began    time.Time
	tell     func(format string, args ...any)

	mu      sync.Mutex
	outages []witness.Outage
	odd     []string // what is not a mistake by itself, but should be looked at
}

// setUp starts everything. The stage ends with ctx, and is to be taken down by Stop.
func setUp(ctx context.Context, o Options, tell func(string, ...any)) (s *stage, err error) {
	c, err := cluster.Start(ctx, cluster.Options{WithoutArgo: true, Argo: cluster.ArgoOptions{Release: o.Argo}, Keep: o.Keep, Progress: o.Out})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	s = &stage{Cluster: c, tell: tell, began: time.Now()}
	s.recorder = newRecorder(whens, "/registry/leases/"+rollcallNamespace+"/rollcall")
	s.watch = &etcd.Watch{URL: c.EtcdURL(), Change: func(key string, value []byte) { s.recorder.take(key, value, time.Now()) }}
	for _, ns := range []string{namespace, rollcallNamespace} {
		if err := c.CreateNamespace(ctx, ns); err != nil {
			return nil, err
		}
	}
	if err := s.applyCRDs(ctx, o.CRDs); err != nil {
		return nil, err
	}
	if s.wayArgo, err = c.Proxy(cluster.Admin); err != nil {
		return nil, err
	}
	argo, err := c.StartArgo(ctx, cluster.ArgoOptions{
		Release: o.Argo, Kubeconfig: s.wayArgo.Kubeconfig(), Args: []string{"--qps=60", "--burst=120"}, // all fire in the same second
	})
	if err != nil {
		return nil, err
	}
	s.argo = &keeper{Process: argo.Process}
	s.argo.up.Store(true)
	for _, identity := range []string{"one", "two"} {
		if err := s.addReplica(o.Rollcall, identity); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *stage) applyCRDs(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no CRDs of Rollcall's in %s: %w", dir, errors.Join(err, os.ErrNotExist))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := s.Apply(ctx, "", string(text)); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) addReplica(path, identity string) error {
	way, err := s.Proxy(cluster.Admin)
	if err != nil {
		return err
	}
	p, err := s.Process(process.Spec{
		Name: "rollcall-" + identity, Path: path, Args: []string{
			"controller", "--kubeconfig", way.Kubeconfig(), "--identity", identity, "--leader-elect-namespace", rollcallNamespace,
			"--argo-namespace", cluster.DefaultNamespace, "--http-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0", "--log-level", "debug",
		},
	})
	if err != nil {
		return err
	}
	s.replicas, s.ways = append(s.replicas, &keeper{Process: p}), append(s.ways, way)
	return nil
}

// A keeper starts a process again when it ends, as a kubelet does, unless the script wants it down.
type keeper struct {
	*process.Process
	down atomic.Bool // the script wants it down
	up   atomic.Bool // it was started, was ready then, and has not ended since
}

// keep keeps it up until ctx ends. ended is told of each end that the script did not want, and of when it was up again.
func (k *keeper) keep(ctx context.Context, ended func(from, to time.Time)) {
	var since time.Time
	for ctx.Err() == nil {
		if k.Running() && k.up.Load() {
			select {
			case <-k.Done():
			case <-ctx.Done():
				return
			}
			k.up.Store(false)
			since = time.Now()
			if k.down.Load() {
				since = time.Time{} // the script has it on its account
			}
			pause(ctx, time.Second)
		}
		if k.down.Load() {
			pause(ctx, 100*time.Millisecond)
			continue
		}
		if err := k.Start(ctx); err != nil {
			pause(ctx, time.Second)
			continue
		}
		k.up.Store(true)
		if !since.IsZero() {
			ended(since, time.Now())
		}
	}
}

// keepUp keeps all processes up that are no part of the control plane.
func (s *stage) keepUp(ctx context.Context, tasks *sync.WaitGroup) {
	tasks.Go(func() {
		s.argo.keep(ctx, func(from, to time.Time) {
			s.outage(witness.Argo, "", from, to)
			s.tell("Argo had ended by itself, and leads again after %s", to.Sub(from).Round(time.Second))
		})
	})
	for _, r := range s.replicas {
		tasks.Go(func() {
			r.keep(ctx, func(from, to time.Time) {
				s.outage(witness.Rollcall, "", from, to)
				s.oddity("%s ended by itself at %s: %s", r.Name(), from.Format(time.TimeOnly), r.LogTail(5))
			})
		})
	}
}

func (s *stage) outage(what, how string, from, to time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outages = append(s.outages, witness.Outage{What: what, How: how, From: from, To: to})
}

func (s *stage) oddity(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.odd = append(s.odd, fmt.Sprintf(format, args...))
	s.tell(format, args...)
}

// leads waits until some replica has renewed the Lease.
func (s *stage) leads(ctx context.Context, after time.Time) error {
	return cluster.Await(ctx, "a replica of Rollcall to lead", func(context.Context) error {
		if h := s.recorder.leader(); !h.at.After(after) {
			return fmt.Errorf("%q held the Lease at %s", h.holder, h.at.Format(time.TimeOnly))
		}
		return nil
	})
}

// replicaOf is the replica with that identity in the Lease.
func (s *stage) replicaOf(holder string) int {
	for i, r := range s.replicas {
		if strings.HasPrefix(holder, strings.TrimPrefix(r.Name(), "rollcall-")+"_") {
			return i
		}
	}
	return 0
}

// healthy waits until all is up again, and says when that was.
func (s *stage) healthy(ctx context.Context) (time.Time, error) {
	since := time.Now()
	err := cluster.Await(ctx, "everything to be up again", func(ctx context.Context) error {
		if !s.argo.up.Load() {
			return errors.New("argo is not")
		}
		for _, r := range s.replicas {
			if !r.up.Load() {
				return fmt.Errorf("%s is not", r.Name())
			}
		}
		return s.apiReady(ctx)
	})
	if err == nil {
		err = s.leads(ctx, since)
	}
	return time.Now(), err
}

func (s *stage) apiReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client, err := rest.HTTPClientFor(s.RESTConfig(cluster.Admin))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
