package operator

import (
	"context"
	"errors"
	"strconv"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

var leasesResource = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

// leaseServer keeps one Lease as an API server does, versions included.
type leaseServer struct {
	mu      sync.Mutex
	lease   *coordinationv1.Lease
	version int
}

func (s *leaseServer) holder() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease == nil || s.lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *s.lease.Spec.HolderIdentity
}

// leaseClient is the way of one process to the server; while it fails no request arrives.
type leaseClient struct {
	coordination.LeaseInterface
	server *leaseServer
	mu     sync.Mutex
	err    error
	asked  int
}

func (c *leaseClient) Leases(string) coordination.LeaseInterface { return c }

func (c *leaseClient) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *leaseClient) way() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return c.err
}

func (c *leaseClient) Get(context.Context, string, metav1.GetOptions) (*coordinationv1.Lease, error) {
	if err := c.way(); err != nil {
		return nil, err
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.server.lease == nil {
		return nil, apierrors.NewNotFound(leasesResource, "rollcall")
	}
	return c.server.lease.DeepCopy(), nil
}

func (c *leaseClient) Create(_ context.Context, lease *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	if err := c.way(); err != nil {
		return nil, err
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.server.lease != nil {
		return nil, apierrors.NewAlreadyExists(leasesResource, "rollcall")
	}
	return c.server.keep(lease), nil
}

func (c *leaseClient) Update(_ context.Context, lease *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	if err := c.way(); err != nil {
		return nil, err
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.server.lease == nil || lease.ResourceVersion != c.server.lease.ResourceVersion {
		return nil, apierrors.NewConflict(leasesResource, "rollcall", errors.New("there is another version by now"))
	}
	return c.server.keep(lease), nil
}

func (s *leaseServer) keep(lease *coordinationv1.Lease) *coordinationv1.Lease {
	s.version++
	s.lease = lease.DeepCopy()
	s.lease.ResourceVersion = strconv.Itoa(s.version)
	return s.lease.DeepCopy()
}
