package fake

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// readLease reads a lease; a zero one is none.
func (c *Client) readLease(ctx context.Context, name string) (lease Lease, err error) {
	err = c.do(ctx, "get", "leases", name, func() error {
		lease = c.server.leases[name]
		return nil
	})
	return lease, err
}

// Hold tries to have a lease, or to keep it: false where another holds one that has not run out.
func (c *Client) Hold(ctx context.Context, name, holder string, duration time.Duration) (held bool, err error) {
	err = c.do(ctx, "update", "leases", name, func() error {
		lease := c.server.leases[name]
		if lease.Holder != "" && lease.Holder != holder && now().Before(lease.Renewed.Add(lease.Duration)) {
			return apierrors.NewConflict(leases, name, fmt.Errorf("%s holds it", lease.Holder))
		}
		if lease.Holder != holder {
			lease = Lease{Holder: holder, Acquired: now()}
		}
		lease.Renewed, lease.Duration = now(), duration
		c.server.leases[name] = lease
		held = true
		return nil
	})
	if apierrors.IsConflict(err) {
		err = nil
	}
	return held && err == nil, err
}

// LetGo gives a lease up.
func (c *Client) LetGo(ctx context.Context, name, holder string) {
	_ = c.do(ctx, "update", "leases", name, func() error {
		if lease := c.server.leases[name]; lease.Holder == holder {
			c.server.leases[name] = Lease{}
		}
		return nil
	})
}

const (
	// RollcallsLease is the name of the lease of Rollcall's leader.
	RollcallsLease = "rollcall"
	// The times of internal/operator/leader.go.
	leaseFor    = 15 * time.Second
	renewWithin = 10 * time.Second
	tryEvery    = 2 * time.Second
)

// An Election is operator.Leadership with the times of the real one.
type Election struct {
	client *Client
	// leads is told when it begins and ceases to lead.
	leads func(bool)
}

// NewElection is that of a process; leads is told when it begins and ceases to lead.
func NewElection(client *Client, leads func(bool)) *Election {
	return &Election{client: client, leads: leads}
}

// Run is operator.Leadership's.
func (e *Election) Run(ctx context.Context, lead func(ctx context.Context)) {
	for ctx.Err() == nil {
		if held, _ := e.try(ctx); held {
			e.lead(ctx, lead)
		}
		_ = e.client.sleep(ctx, tryEvery)
	}
}

func (e *Election) try(ctx context.Context) (bool, error) {
	call, cancel := context.WithTimeout(ctx, renewWithin/2)
	defer cancel()
	return e.client.Hold(call, RollcallsLease, e.client.name, leaseFor)
}

// lead leads until the lease cannot be renewed, or ctx and then lead has ended.
func (e *Election) lead(ctx context.Context, lead func(ctx context.Context)) {
	term, end := context.WithCancel(ctx)
	defer end()
	var led sync.WaitGroup
	ended := make(chan struct{})
	e.leads(true)
	led.Go(func() {
		defer close(ended)
		lead(term)
	})
	hold := context.WithoutCancel(ctx)
	for failing := (time.Time{}); ; {
		select {
		case <-ended:
			e.leads(false)
			call, cancel := context.WithTimeout(hold, 1500*time.Millisecond)
			e.client.LetGo(call, RollcallsLease, e.client.name)
			cancel()
			return
		case <-time.After(tryEvery):
		}
		// A process that was frozen leads until it sees that another does, or renewing has failed for so long.
		if e.client.Pass() {
			begun := now()
			held, err := e.try(hold)
			switch {
			case held:
				failing = time.Time{}
				continue
			case failing.IsZero():
				failing = begun
			}
			if err != nil && now().Sub(failing) < renewWithin {
				continue
			}
		}
		end()
		<-ended
		if !e.client.Dead() {
			e.leads(false)
		}
		return
	}
}
