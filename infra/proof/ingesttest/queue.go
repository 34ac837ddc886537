package ingesttest

import (
	"context"
	"sync"
	"time"
)

// Queue is a queue in memory: ingest.Queue, and that of whoever else sends messages. It is
// safe for concurrent use, but for its fields.
type Queue struct {
	Messages []any           // that are in it, the oldest first
	Delays   []time.Duration // of each of them

	mu sync.Mutex
}

// Send adds a message.
func (q *Queue) Send(_ context.Context, message any, delay time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.Messages = append(q.Messages, message)
	q.Delays = append(q.Delays, delay)
	return nil
}

// Next takes the oldest message out, false if there is none.
func (q *Queue) Next() (any, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.Messages) == 0 {
		return nil, false
	}
	message := q.Messages[0]
	q.Messages, q.Delays = q.Messages[1:], q.Delays[1:]
	return message, true
}

// Drain takes all messages out.
func (q *Queue) Drain() (all []any) {
	for {
		message, ok := q.Next()
		if !ok {
			return all
		}
		all = append(all, message)
	}
}
