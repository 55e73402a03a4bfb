package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"rollcall.dev/rollcall/internal/argo"
	"rollcall.dev/rollcall/internal/config"
)

// connection is the way to a cluster, by kubectl's own flags.
type connection struct {
	flags *genericclioptions.ConfigFlags
	// clusterOnly is dumpless, and the cluster may be the one around this process.
	clusterOnly bool
	// dumpless says that there is no dump that could be read instead.
	dumpless bool
}

func newConnection() *connection {
	return &connection{flags: genericclioptions.NewConfigFlags(true)}
}

func (c *connection) add(cmd *cobra.Command) {
	flags := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	c.flags.CacheDir = nil // nothing is cached
	c.flags.AddFlags(flags)
	addSection(cmd, sectionConnection, flags)
	completeFlag(cmd, "namespace", c.completeNamespaces)
	completeFlag(cmd, "context", c.completeContexts)
}

// given is the namespace of -n, none where the flag was not given.
func (c *connection) given() []string {
	if *c.flags.Namespace == "" {
		return nil
	}
	return []string{*c.flags.Namespace}
}

// namespace is that of -n, else the kubeconfig's.
func (c *connection) namespace() (string, error) {
	namespace, _, err := c.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return "", c.explain(err)
	}
	return namespace, nil
}

func (c *connection) client(judging config.Judging) (*argo.Client, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	client, err := argo.NewClient(cfg, argo.Options{
		Version: buildVersion().Version, ControllerZone: judging.ControllerZone, ArgoNamespace: judging.ArgoNamespace,
	})
	if err != nil {
		return nil, c.explain(err)
	}
	return client, nil
}

func (c *connection) config() (*rest.Config, error) {
	cfg, err := c.flags.ToRESTConfig()
	if err != nil {
		return nil, c.explain(err)
	}
	if c.clusterOnly && c.nowhere() {
		// Nobody waits for an answer here, so it is said before the first request.
		if _, err := rest.InClusterConfig(); err != nil {
			return nil, errNoCluster
		}
	}
	return cfg, nil
}

var errNoCluster = errors.New("no cluster to talk to: there is no kubeconfig, and this is no pod with a service account; name one with --kubeconfig or $KUBECONFIG")

// nowhere says that no kubeconfig and no flag names a cluster: then clientcmd falls back to an address that nobody meant.
func (c *connection) nowhere() bool {
	raw, err := c.flags.ToRawKubeConfigLoader().RawConfig()
	return err == nil && len(raw.Clusters) == 0 && *c.flags.APIServer == ""
}

// explain puts errors that come from having no kubeconfig into words that say what to do.
func (c *connection) explain(err error) error {
	switch empty := clientcmd.IsEmptyConfig(err) || errors.Is(err, argo.ErrUnreachable) && c.nowhere(); {
	case empty && c.clusterOnly:
		return errNoCluster
	case empty && c.dumpless:
		return errors.New("no cluster to talk to: there is no kubeconfig; name one with --kubeconfig or $KUBECONFIG")
	case empty:
		return errors.New("no cluster to talk to: there is no kubeconfig; name one with --kubeconfig or $KUBECONFIG, or read a dump with -f")
	}
	var file *fs.PathError
	if path := *c.flags.KubeConfig; path != "" && errors.As(err, &file) && file.Path == path {
		return fmt.Errorf("--kubeconfig: %w", err)
	}
	return err
}
