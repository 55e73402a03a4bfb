//go:build node

package install

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/isolate"
	"rollcall.dev/rollcall/test/node"
)

// What all tests share. They run one after the other: two Rollcalls that watch the same namespaces would not agree.
var (
	shared *node.Node
	// chart is the folder of the chart, rollcall the command line, helm that of the pinned version.
	chart, rollcall, helm string
	// scratch is where tests leave files.
	scratch string
)

// needed is what runs on the node and beside it.
var needed = append(append([]binaries.Binary{}, binaries.Etcd, binaries.KubeAPIServer, binaries.Kubectl, binaries.Argo37, binaries.Helm), binaries.Node()...)

func TestMain(m *testing.M) {
	flag.Parse()
	status, err := run(m)
	if err != nil {
		// That the node cannot be raised is a failure, and nothing is skipped in silence.
		fmt.Fprintf(os.Stderr, "NOT RUN: no test of the installed chart was run, since the node could not be raised:\n%v\n", err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (status int, err error) {
	if err := errors.Join(node.ForNode.Missing(), node.ForMonitoring.Missing()); err != nil {
		return 0, err
	}
	if !isolate.IsInside() { // where nothing can be downloaded
		if _, err := binaries.Ensure(context.Background(), os.Stderr, needed...); err != nil {
			return 0, err
		}
	}
	in, err := isolate.Enter(isolate.Options{})
	if err != nil {
		return 0, err
	}
	paths, err := binaries.Ensure(context.Background(), os.Stderr, needed...)
	if err != nil {
		return 0, err
	}
	if err := find(paths); err != nil {
		return 0, err
	}
	scratch = in.Dir
	shared, err = node.Start(context.Background(), node.Options{Dir: in.Dir, Cluster: cluster.Options{Progress: os.Stderr, WithoutArgo: true}})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, shared.Stop()) }()
	if err := provide(context.Background()); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// find finds what was built before.
func find(paths binaries.Paths) error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	chart, rollcall, helm = filepath.Join(root, "charts", "rollcall"), filepath.Join(root, "bin", "rollcall"), paths.Exe(binaries.Helm)
	if _, err := os.Stat(rollcall); err != nil {
		return fmt.Errorf("%w: run make build", err)
	}
	return nil
}

// provide gives the node Rollcall's image, under the name that the chart asks for, and Argo's controller.
func provide(ctx context.Context) error {
	image := filepath.Join(filepath.Dir(filepath.Dir(chart)), "dist", "node", "rollcall-"+chartField("appVersion")+"-linux-"+runtime.GOARCH+".tar")
	if _, err := os.Stat(image); err != nil {
		return fmt.Errorf("%w: run make test-node, which builds it", err)
	}
	if err := shared.Import(ctx, image); err != nil {
		return err
	}
	if err := shared.ImportShell(ctx); err != nil {
		return err
	}
	return shared.InstallArgo(ctx, binaries.Argo37)
}
