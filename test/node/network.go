//go:build linux

package node

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// bridge is the interface that the pods' network hangs on.
const bridge = "cni0"

// conflist is how CNI gives a pod its network: an address of Address's range, on the bridge.
const conflist = `{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [{
    "type": "bridge", "bridge": "` + bridge + `", "isGateway": true, "hairpinMode": true, "forceAddress": false,
    "ipam": {"type": "host-local", "dataDir": %q, "ranges": [[{"subnet": "10.244.0.0/24", "gateway": "` + Address + `"}]], "routes": [{"dst": "0.0.0.0/0"}]}
  }, {"type": "portmap", "capabilities": {"portMappings": true}}]
}
`

// makeNetwork makes the bridge before any pod does: the API server is reached through it. A machine with a way out is refused.
func makeNetwork(ctx context.Context, dir string) error {
	interfaces, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("node: %w", err)
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback == 0 {
			return fmt.Errorf("node: this network has the interface %s: a node is for a network namespace of its own (isolate.Enter)", i.Name)
		}
	}
	for _, command := range []string{
		"ip link add " + bridge + " type bridge",
		"ip addr add " + Address + "/24 dev " + bridge,
		"ip link set " + bridge + " up",
		// Some look for the route to the API server's range before they dial it.
		"ip route add default dev " + bridge,
	} {
		words := strings.Fields(command)
		if out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("node: %s: %w: %s", command, err, out)
		}
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	conf := filepath.Join(dir, "cni")
	if err := os.MkdirAll(conf, 0o755); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	text := fmt.Sprintf(conflist, filepath.Join(dir, "cni-addresses"))
	return os.WriteFile(filepath.Join(conf, "10-pods.conflist"), []byte(text), 0o644)
}
