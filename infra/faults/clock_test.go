package faults

import (
	"sync"
	"time"
)

// clock is the time that everybody goes by. It runs as the real one does, and is
// moved on while nobody is at work: who is moved on in the middle of a mail has
// lost its lease.
type clock struct {
	mu    sync.RWMutex // held for reading by whoever is at work
	moved time.Duration
}

func (c *clock) now() time.Time { return time.Now().Add(c.moved).UTC() }

// work does something in one piece of time.
func (c *clock) work(do func()) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	do()
}

func (c *clock) moveOn(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved += by
}
