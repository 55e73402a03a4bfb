package model

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/test/exam/fake"
)

// live has a Workflow make progress: its life is a goroutine, as long as this process lives.
func (c *Controller) live(w *fake.Workflow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if poke, ok := c.lives[w.UID]; ok {
		select {
		case poke <- struct{}{}:
		default:
		}
		return
	}
	if w.Fulfilled() && w.TTL < 0 {
		return
	}
	poke := make(chan struct{}, 1)
	c.lives[w.UID] = poke
	c.goes.Go(func() {
		c.lead(w.Key, w.UID, poke)
		c.mu.Lock()
		delete(c.lives, w.UID)
		c.mu.Unlock()
	})
}

// lead leads a Workflow through its phases, to the end of its time to live (workflow/gccontroller/gc_controller.go).
func (c *Controller) lead(key fake.Key, uid string, poke <-chan struct{}) {
	for c.ctx.Err() == nil && c.client.Pass() {
		c.mu.Lock()
		w := c.runs[key]
		c.mu.Unlock()
		if w == nil || w.UID != uid {
			return
		}
		now := c.now()
		var err error
		switch {
		case w.Fulfilled() && w.TTL < 0:
			return
		case w.Fulfilled():
			if left := w.Finished.Add(w.TTL).Sub(now); left > 0 {
				c.await(left, poke)
				continue
			}
			if err = c.client.DeleteRun(c.ctx, key); err == nil {
				return
			}
		case w.Shutdown:
			err = c.end(w, fake.Failed)
		case w.Phase == "":
			c.pause(time.Duration(50+c.server.Rand(900)) * time.Millisecond)
			err = c.client.UpdateRun(c.ctx, key, uid, func(w *fake.Workflow) {
				if w.Phase == "" {
					w.Phase, w.Started = fake.Running, fake.Second(c.now())
				}
			})
		default:
			if left := w.Started.Add(w.Runs).Sub(now); left > 0 {
				c.await(left, poke)
				continue
			}
			phase := fake.Succeeded
			if w.Fails {
				phase = fake.Failed
			}
			err = c.end(w, phase)
		}
		switch {
		case apierrors.IsNotFound(err):
			return
		case err != nil:
			c.pause(time.Duration(1000+c.server.Rand(4000)) * time.Millisecond)
		default:
			c.await(30*time.Second, poke) // until the cache shows it
		}
	}
}

func (c *Controller) end(w *fake.Workflow, phase string) error {
	return c.client.UpdateRun(c.ctx, w.Key, w.UID, func(w *fake.Workflow) {
		if !w.Fulfilled() {
			w.Phase, w.Finished = phase, fake.Second(c.now())
		}
	})
}

// await waits until something was seen of the Workflow, at most so long.
func (c *Controller) await(d time.Duration, poke <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.ctx.Done():
	case <-poke:
	case <-timer.C:
	}
}
