package cluster

import (
	"crypto/rand"
	"encoding/csv"
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"rollcall.dev/rollcall/test/cluster/internal/loopback"
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
		if err := WriteKubeconfig(id.kubeconfig, name, c.restConfig(id)); err != nil {
			return err
		}
	}
	return nil
}

// WriteKubeconfig writes a kubeconfig for the server, authority and token of
// cfg to path. user is the name it gives them.
func WriteKubeconfig(path, user string, cfg *rest.Config) error {
	k := clientcmdapi.NewConfig()
	k.Clusters["test"] = &clientcmdapi.Cluster{Server: cfg.Host, CertificateAuthorityData: cfg.CAData}
	k.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: cfg.BearerToken}
	k.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: user}
	k.CurrentContext = "test"
	if err := clientcmd.WriteToFile(*k, path); err != nil {
		return fmt.Errorf("write kubeconfig of %s: %w", user, err)
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

// Dynamic is a client of Admin without a limit to its rate.
func (c *Cluster) Dynamic() dynamic.Interface { return c.dynamic }
