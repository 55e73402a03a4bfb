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
	"slices"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/cluster/internal/loopback"
	"rollcall.dev/rollcall/test/cluster/process"
)

// EtcdURL is where etcd serves clients, and its JSON gateway, "http://127.0.0.1:<port>".
func (c *Cluster) EtcdURL() string { return "http://" + loopback.Addr(c.ports.etcd) }

func (c *Cluster) startEtcd(ctx context.Context) error {
	client := c.EtcdURL()
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
			"--unsafe-no-fsync",                   // the data outlives processes, not the machine
			"--watch-progress-notify-interval=5s", // kubeadm's; package etcd relies on it
			"--log-level=warn",
		},
		Ready: func(ctx context.Context, _ time.Time) error {
			return AskOK(ctx, http.DefaultClient, client+"/health", "")
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
	cert, key, err := loopback.Certificate("kube-apiserver", c.options.apiServerNames()...)
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
		Args: slices.Concat([]string{
			"--etcd-servers=" + c.EtcdURL(),
			fmt.Sprintf("--secure-port=%d", c.ports.apiServer),
			"--tls-cert-file=" + c.path("apiserver.crt"),
			"--tls-private-key-file=" + c.path("apiserver.key"),
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file=" + c.path("sa.key"),
			"--service-account-signing-key-file=" + c.path("sa.key"),
			"--service-cluster-ip-range=" + serviceRange,
			"--token-auth-file=" + c.path("tokens.csv"),
		}, c.options.reach(), c.options.APIServerArgs),
		Ready: func(ctx context.Context, _ time.Time) error {
			return AskOK(ctx, client, c.URL()+"/readyz", c.users[Admin].token)
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

// The range of Services' addresses, and the first one in it, which is the API
// server's own.
const serviceRange, serviceAddress = "10.96.0.0/16", "10.96.0.1"

// apiServerNames are what the API server is called beside 127.0.0.1.
func (o Options) apiServerNames() []string {
	if o.NodeAddress == "" {
		return nil
	}
	return []string{o.NodeAddress, serviceAddress, "kubernetes.default", "kubernetes.default.svc", "localhost"}
}

// reach is where the API server listens, and whom it trusts.
func (o Options) reach() []string {
	if o.NodeAddress == "" {
		return []string{
			"--bind-address=" + loopback.Host,
			"--authorization-mode=RBAC",
			// Only the controller-manager makes the ServiceAccounts it demands.
			"--disable-admission-plugins=ServiceAccount",
		}
	}
	return []string{
		"--bind-address=0.0.0.0",
		"--advertise-address=" + o.NodeAddress,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--kubelet-preferred-address-types=InternalIP", // for kubectl logs
	}
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

// AskOK returns nil if a GET of url answers 200.
func AskOK(ctx context.Context, client *http.Client, url, token string) error {
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
