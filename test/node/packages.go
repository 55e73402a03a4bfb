//go:build linux

package node

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// Packages are those of Debian that a node needs, with a program of each, and where it is.
var packages = map[string]string{
	"containerd":                  "containerd",
	"runc":                        "runc",
	"containernetworking-plugins": "/usr/lib/cni/bridge",
	"conntrack":                   "conntrack",
	"iptables":                    "iptables",
	"iproute2":                    "ip",
	"busybox-static":              busybox,
}

// Missing says which of Debian's packages a node needs and are not there, as an error that says how to get them.
func Missing() error {
	var missing []string
	for pkg, program := range packages {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("a node needs programs of Debian's that are not here: apt-get install --no-install-recommends %s", strings.Join(missing, " "))
}
