//go:build linux

package isolate

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
)

// socketName is the socket through which connections come in: sockets in the file system know no network namespace.
const socketName = "in.sock"

// Serve leads what connects to Port outside to a TCP address inside, until the process ends.
func (in *Inside) Serve(address string) error {
	listener, err := net.Listen("unix", filepath.Join(in.Dir, socketName))
	if err != nil {
		return fmt.Errorf("isolate: %w", err)
	}
	go forward(listener, "tcp", address)
	return nil
}

// forward leads each connection to an address, until the listener is closed.
func forward(listener net.Listener, network, address string) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer from.Close()
			to, err := net.Dial(network, address)
			if err != nil {
				return
			}
			defer to.Close()
			join(from, to)
		}()
	}
}

// join copies both ways, and passes on that one side has nothing more to say.
func join(a, b net.Conn) {
	var both sync.WaitGroup
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}
	both.Go(func() { pass(a, b) })
	both.Go(func() { pass(b, a) })
	both.Wait()
}
