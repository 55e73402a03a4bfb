package fake

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A Client is the way of one process to the Server. The process can be frozen, and it can die: then nothing that it still asks for
// is carried out.
type Client struct {
	server *Server
	name   string
	// limit is how long a request waits that has no other end.
	limit time.Duration

	mu     sync.Mutex
	thawed chan struct{} // closed while it is not frozen
	dead   bool
	// crash is after how many requests it dies, 0 for never, and crashOn of what kind, empty for any; crashAfter that it does so when
	// the request has been carried out, crashed who is told.
	crash      int
	crashOn    string
	crashAfter bool
	crashed    func()
}

// NewClient is one for the process of that name.
func (s *Server) NewClient(name string) *Client {
	c := &Client{server: s, name: name, limit: giveUp, thawed: make(chan struct{})}
	close(c.thawed)
	return c
}

// Name is that of the process.
func (c *Client) Name() string { return c.name }

var errDead = errors.New("this process does not exist any more")

// Die ends the process: nothing that it asks for is carried out from now on.
func (c *Client) Die() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
	c.thaw()
}

// Dead says whether it has died.
func (c *Client) Dead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// Frozen says whether it is frozen.
func (c *Client) Frozen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.thawed:
		return false
	default:
		return true
	}
}

// Freeze stops the process where it next asks for something, until Thaw.
func (c *Client) Freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.thawed:
		if !c.dead {
			c.thawed = make(chan struct{})
		}
	default:
	}
}

// Thaw lets it go on.
func (c *Client) Thaw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.thaw()
}

func (c *Client) thaw() {
	select {
	case <-c.thawed:
	default:
		close(c.thawed)
	}
}

// CrashAt has the process die at its n-th request from now on, of those of a kind ("create workflows") or, if that is empty, of all:
// before it is carried out or after.
func (c *Client) CrashAt(n int, kind string, after bool, crashed func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.crash, c.crashOn, c.crashAfter, c.crashed = n, kind, after, crashed
}

// Pass waits while the process is frozen; false when it is dead.
func (c *Client) Pass() bool {
	for {
		c.mu.Lock()
		thawed, dead := c.thawed, c.dead
		c.mu.Unlock()
		if dead {
			return false
		}
		select {
		case <-thawed:
			return true
		default:
		}
		<-thawed
	}
}

// step counts a request, and says whether the process dies of it, before or after it is carried out.
func (c *Client) step(kind string) (before, after bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crash == 0 || c.crashOn != "" && c.crashOn != kind {
		return false, false
	}
	c.crash--
	return c.crash == 0 && !c.crashAfter, c.crash == 0 && c.crashAfter
}

func (c *Client) die() {
	c.Die()
	if c.crashed != nil {
		c.crashed()
	}
}

func (c *Client) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// do makes one request: carry out is called with the Server locked, once or never.
func (c *Client) do(ctx context.Context, verb, resource, name string, carryOut func() error) error {
	if !c.Pass() {
		return errDead
	}
	if err := ctx.Err(); err != nil {
		return connection(err)
	}
	before, after := c.step(verb + " " + resource)
	if before {
		c.die()
		return errDead
	}
	s := c.server
	s.mu.Lock()
	how, until := s.fault(c.name, verb, resource)
	go1, back := time.Duration(1+s.rand.IntN(8))*time.Millisecond, time.Duration(1+s.rand.IntN(8))*time.Millisecond
	late := how == Hang && s.rand.IntN(3) == 0
	if how == Slow {
		go1, back = time.Duration(s.rand.IntN(4000))*time.Millisecond, time.Duration(s.rand.IntN(4000))*time.Millisecond
	}
	s.mu.Unlock()
	if how == Hang && !late {
		return hang(ctx, until)
	}
	if err := c.sleep(ctx, go1); err != nil {
		return connection(err)
	}
	var err error
	s.mu.Lock()
	switch {
	case c.Dead():
		err = errDead
	case how == "" || how == Slow || how == Lost || late:
		if err = carryOut(); how == Lost {
			err = s.answer(how, verb, resource, name)
		}
	default:
		err = s.answer(how, verb, resource, name)
	}
	s.mu.Unlock()
	if after {
		c.die()
		return errDead
	}
	if late {
		return hang(ctx, until)
	}
	if err := c.sleep(ctx, back); err != nil {
		return connection(err)
	}
	if !c.Pass() {
		return errDead
	}
	return err
}
