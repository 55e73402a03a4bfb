package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/cluster/internal/loopback"
	"rollcall.dev/rollcall/test/cluster/process"
)

func (c *Cluster) startEtcd(ctx context.Context) error {
	client := "http://" + loopback.Addr(c.ports.etcd)
	peer := "http://" + loopback.Addr(c.ports.etcdPeer)
	var err error
	c.Etcd, err = c.Process(process.Spec{
		Name: "etcd",
		Path: c.paths.Exe(binaries.Etcd),
		Args: []string{
			"--data-dir=" + c.path("etcd"),
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=default=" + peer,
			"--unsafe-no-fsync", // the data outlives processes, not the machine
			"--log-level=warn",
		},
		Ready: func(ctx context.Context, _ time.Time) error {
			return askOK(ctx, http.DefaultClient, client+"/health", "")
		},
		StopWithin: 5 * time.Second,
	})
	if err != nil {
		return err
	}
	return c.Etcd.Start(ctx)
}

func (c *Cluster) startAPIServer(ctx context.Context, users []User) error {
	if err := c.writeIdentities(users); err != nil {
		return err
	}
	cert, key, err := loopback.Certificate("kube-apiserver")
	if err != nil {
		return err
	}
	_, saKey, err := loopback.Key()
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"apiserver.crt": cert, "apiserver.key": key, "sa.key": saKey} {
		if err := os.WriteFile(c.path(name), data, 0o600); err != nil {
			return err
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	c.caData = cert
	if err := c.writeKubeconfigs(); err != nil {
		return err
	}
	c.APIServer, err = c.Process(process.Spec{
		Name: "kube-apiserver",
		Path: c.paths.Exe(binaries.KubeAPIServer),
		Args: append([]string{
			"--etcd-servers=http://" + loopback.Addr(c.ports.etcd),
			"--bind-address=" + loopback.Host,
			fmt.Sprintf("--secure-port=%d", c.ports.apiServer),
			"--tls-cert-file=" + c.path("apiserver.crt"),
			"--tls-private-key-file=" + c.path("apiserver.key"),
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file=" + c.path("sa.key"),
			"--service-account-signing-key-file=" + c.path("sa.key"),
			"--service-cluster-ip-range=10.96.0.0/16",
			"--authorization-mode=RBAC",
			"--token-auth-file=" + c.path("tokens.csv"),
			// Only the controller-manager makes the ServiceAccounts it demands.
			"--disable-admission-plugins=ServiceAccount",
		}, c.options.APIServerArgs...),
		Ready: func(ctx context.Context, _ time.Time) error {
			return askOK(ctx, client, c.URL()+"/readyz", c.users[Admin].token)
		},
		ReadyWithin: time.Minute,
		// On SIGTERM it waits for its clients' watches, in vain.
		StopWithin: 3 * time.Second,
	})
	if err != nil {
		return err
	}
	if err := c.APIServer.Start(ctx); err != nil {
		return err
	}
	return c.makeClients()
}

// makeClients makes the harness's own, unthrottled way in.
func (c *Cluster) makeClients() error {
	cfg := c.RESTConfig(Admin)
	cfg.QPS, cfg.Timeout = -1, time.Minute
	var err error
	if c.dynamic, err = dynamic.NewForConfig(cfg); err != nil {
		return err
	}
	disco, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return err
	}
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(disco))
	return nil
}

// askOK returns nil if a GET of url answers 200.
func askOK(ctx context.Context, client *http.Client, url, token string) error {
	// One slow answer must not use up the whole wait.
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fmt.Errorf("read answer of %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(url + " answers " + resp.Status + ": " + string(body))
	}
	return nil
}
