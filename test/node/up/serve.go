//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"rollcall.dev/rollcall/test/binaries"
	clusters "rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/kubeconfig"
	"rollcall.dev/rollcall/test/isolate"
	"rollcall.dev/rollcall/test/node"
)

// serve is the process in the background: it keeps the cluster until ctx ends.
func (s *state) serve(ctx context.Context, images []string) (err error) {
	in, err := isolate.Enter(isolate.Options{Forward: true})
	if err != nil {
		return err
	}
	n, err := node.Start(ctx, node.Options{Dir: in.Dir, Cluster: clusters.Options{Progress: os.Stderr, WithoutArgo: true}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	for _, image := range images {
		if err := n.Import(ctx, image); err != nil {
			return err
		}
	}
	if err := n.ImportShell(ctx); err != nil { // for helm test
		return err
	}
	if err := n.InstallArgo(ctx, binaries.Argo37); err != nil {
		return err
	}
	way := n.RESTConfig(clusters.Admin)
	if err := in.Serve(strings.TrimPrefix(way.Host, "https://")); err != nil {
		return err
	}
	way.Host = fmt.Sprintf("https://127.0.0.1:%d", in.Port)
	if err := kubeconfig.Write(s.path(kubeconfigFile), clusters.Admin, way); err != nil {
		return err
	}
	if err := os.WriteFile(s.path(readyFile), []byte(n.Socket()), 0o644); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
