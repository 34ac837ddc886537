package faults

import (
	"sync"
	"sync/atomic"
	"time"
)

// clock is the time of all use cases. It runs as the real one does, and is advanced
// only while no mailer works: otherwise the mailer would lose its lease in the middle
// of a mail.
type clock struct {
	mailing sync.RWMutex // held for reading by every mailer
	moved   atomic.Int64
}

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.moved.Load())).UTC() }

func (c *clock) advance(by time.Duration) {
	c.mailing.Lock()
	defer c.mailing.Unlock()
	c.moved.Add(int64(by))
}
