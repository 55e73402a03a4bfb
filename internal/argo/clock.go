package argo

import (
	"sync"
	"time"
)

// clock knows how far the API server's clock is ahead of the local one, from the Date headers of its answers. One header
// alone is good to a second: the server cut the fraction off, and its answer took time. Each answer gives bounds between
// which the offset lies; the bounds of several answers narrow it down.
type clock struct {
	now func() time.Time

	mu sync.Mutex
	// low and high are the bounds, valid when known.
	low, high time.Duration
	known     bool
}

// note takes the Date header of an answer to a request that was sent and answered at these local times.
func (c *clock) note(date string, sent, answered time.Time) {
	server, err := time.Parse(time.RFC1123, date)
	if err != nil || answered.Before(sent) {
		return
	}
	// The server wrote its answer between sent and answered, and its clock then read from server to just under a second more.
	low, high := server.Sub(answered), server.Add(time.Second).Sub(sent)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known && low <= c.high && c.low <= high {
		c.low, c.high = max(c.low, low), min(c.high, high)
		return
	}
	// The first answer, or one of the clocks was set.
	c.low, c.high, c.known = low, high, true
}

// offset is 0 while the clocks may well agree, else the middle of the bounds.
func (c *clock) offset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known || c.low <= 0 && 0 <= c.high {
		return 0
	}
	return c.low + (c.high-c.low)/2
}
