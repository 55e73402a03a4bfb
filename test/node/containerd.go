//go:build linux

package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"rollcall.dev/rollcall/test/cluster/process"
)

// pause is the image of the container that holds a pod's namespaces.
const pause = "rollcall.dev/test/pause:1"

// containerdConfig is what differs from containerd's own. Without restrict_oom_score_adj runc fails in a process that may not
// lower its score. Network namespaces below the state folder go with it.
const containerdConfig = `version = 2
root = %[1]q
state = %[2]q
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = %[3]q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %[4]q
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %[5]q
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`

func (n *Node) startContainerd(ctx context.Context) error {
	text := fmt.Sprintf(containerdConfig, filepath.Join(n.dir, "containerd"), "/run/containerd", n.Socket(), pause, filepath.Join(filepath.Dir(n.dir), "cni"))
	config := filepath.Join(n.dir, "containerd.toml")
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	var err error
	n.Containerd, err = n.Process(process.Spec{
		Name: "containerd", Path: "containerd", Args: []string{"--config", config},
		Ready: func(ctx context.Context, _ time.Time) error { return ctr(ctx, n.Socket(), "version") },
	})
	if err != nil {
		return err
	}
	return n.Containerd.Start(ctx)
}

// Socket is where containerd listens. Sockets are files: this one is reached from outside of the node's network too.
func (n *Node) Socket() string { return filepath.Join(n.dir, "containerd.sock") }

// Import makes the images of an archive (docker save, or OCI) known to the node.
func (n *Node) Import(ctx context.Context, archive string) error {
	return Import(ctx, n.Socket(), archive)
}

// Import makes the images of an archive known to the node whose containerd listens at a socket.
func Import(ctx context.Context, socket, archive string) error {
	return ctr(ctx, socket, "images", "import", "--all-platforms=false", archive)
}

// ctr runs containerd's own client.
func ctr(ctx context.Context, socket string, args ...string) error {
	out, err := exec.CommandContext(ctx, "ctr", append([]string{"--address", socket, "--namespace", "k8s.io"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ctr %v: %w: %s", args, err, out)
	}
	return nil
}
