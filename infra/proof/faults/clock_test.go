package faults

import (
	"sync"
	"sync/atomic"
	"time"
)

// clock is the time that everybody goes by. It runs as the real one does, and is
// moved on while no mailer is at work: one who is moved on in the middle of a mail
// has lost its lease.
type clock struct {
	mailing sync.RWMutex // held for reading by whoever mails
	moved   atomic.Int64
}

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.moved.Load())).UTC() }

func (c *clock) moveOn(by time.Duration) {
	c.mailing.Lock()
	defer c.mailing.Unlock()
	c.moved.Add(int64(by))
}
