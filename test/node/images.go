//go:build linux

package node

import (
	"context"
	"os"
)

func (n *Node) importPause(ctx context.Context) error {
	return n.Import(ctx, os.Getenv("PAUSE_TAR"))
}
