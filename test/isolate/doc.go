// Package isolate runs a program in namespaces of its own: a network without a way out, mounts, and processes that all end with
// it.
//
// A program calls Enter first thing in main or TestMain. It then runs again, as root of a new network, mount and process-id
// namespace, and whatever it starts there – a container runtime, containers, servers on all interfaces – can neither be reached
// from outside nor outlive it. What the program inside writes below Inside.Dir is visible outside; the folders in which a
// container runtime leaves traces (/run, /var/log, /var/lib/cni, /var/lib/kubelet) are its own.
//
// Outside can be offered one way in: a port on the loopback interface that leads to an address inside (Options.Forward).
//
// It needs Linux and root. The package must not know what runs inside.
package isolate
