package cluster

import (
	"crypto/rand"
	"encoding/csv"
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"rollcall.dev/rollcall/test/cluster/internal/loopback"
	"rollcall.dev/rollcall/test/cluster/kubeconfig"
	"rollcall.dev/rollcall/test/cluster/proxy"
)

type identity struct{ token, kubeconfig string }

// writeIdentities makes up a token per user and writes the file from which the
// API server knows them. It reads that file once, as it starts.
func (c *Cluster) writeIdentities(users []User) error {
	f, err := os.OpenFile(c.path("tokens.csv"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	c.users = make(map[string]identity, len(users))
	for _, u := range users {
		id := identity{token: rand.Text(), kubeconfig: c.path(u.Name + ".kubeconfig")}
		c.users[u.Name] = id
		row := []string{id.token, u.Name, u.Name}
		if len(u.Groups) > 0 {
			row = append(row, strings.Join(u.Groups, ","))
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func (c *Cluster) writeKubeconfigs() error {
	for name, id := range c.users {
		if err := kubeconfig.Write(id.kubeconfig, name, c.restConfig(id)); err != nil {
			return err
		}
	}
	return nil
}

// URL is the API server's, "https://127.0.0.1:<port>".
func (c *Cluster) URL() string { return "https://" + loopback.Addr(c.ports.apiServer) }

// Kubeconfig is the path of a kubeconfig file for user, which is Admin, Nobody
// or in Options.Users; empty for any other.
func (c *Cluster) Kubeconfig(user string) string { return c.users[user].kubeconfig }

// RESTConfig is how a Go client gets in as user; for a name without a
// Kubeconfig it holds no credential, which the API server calls anonymous. Its
// limits (QPS, Burst, Timeout) are unset: a client under test brings its own.
func (c *Cluster) RESTConfig(user string) *rest.Config { return c.restConfig(c.users[user]) }

func (c *Cluster) restConfig(id identity) *rest.Config {
	return &rest.Config{
		Host:            c.URL(),
		BearerToken:     id.token,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.caData},
	}
}

// Dynamic is a client of Admin without a limit to its rate. A request ends after a
// minute, a watch too; who must not miss anything watches etcd (package etcd).
func (c *Cluster) Dynamic() dynamic.Interface { return c.dynamic }

// Proxy makes a way to the API server for user that a test can break, with a
// kubeconfig of its own. It ends with the cluster.
func (c *Cluster) Proxy(user string) (*proxy.Proxy, error) {
	id, ok := c.users[user]
	if !ok {
		return nil, fmt.Errorf("cluster: make proxy: %q is not in Options.Users", user)
	}
	f, err := os.CreateTemp(c.data, "proxy-*.kubeconfig")
	if err != nil {
		return nil, fmt.Errorf("cluster: make proxy: %w", err)
	}
	f.Close()
	p, err := proxy.New(proxy.Options{Upstream: c.restConfig(id), Kubeconfig: f.Name(), User: user})
	if err != nil {
		return nil, fmt.Errorf("cluster: make proxy for %s: %w", user, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closers = append(c.closers, p)
	return p, nil
}
