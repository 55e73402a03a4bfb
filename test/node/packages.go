//go:build linux

package node

import (
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
)

// Packages are packages of Debian, each with a program in it, and where that is.
type Packages map[string]string

// What a node needs, and what the monitoring beside it is in tests.
var (
	ForNode = Packages{
		"containerd":                  "containerd",
		"runc":                        "runc",
		"containernetworking-plugins": "/usr/lib/cni/bridge",
		"conntrack":                   "conntrack",
		"iptables":                    "iptables",
		"iproute2":                    "ip",
		"busybox-static":              busybox,
	}
	ForMonitoring = Packages{
		"prometheus":              "prometheus",
		"prometheus-alertmanager": "prometheus-alertmanager",
	}
)

// Names are sorted.
func (p Packages) Names() []string { return slices.Sorted(maps.Keys(p)) }

// Missing says which of them are not there, as an error that says how to get them.
func (p Packages) Missing() error {
	missing := slices.DeleteFunc(p.Names(), func(name string) bool {
		_, err := exec.LookPath(p[name])
		return err == nil
	})
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("packages of Debian's are not installed: %s (make node-packages, as root)", strings.Join(missing, " "))
}
