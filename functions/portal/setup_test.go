package main

import (
	"context"
	"sync"
	"time"

	"keypool/shared/settings"
)

// setUp gives the portal what a shop sets up, with fakes of the systems beyond the tables.
func (w *world) setUp() {
	refill := &settings.Refill{Products: w.store, Queue: &w.fills}
	w.portal.goods = &settings.Products{Store: w.store, Related: w.store, Refill: refill, Now: w.now}
	w.portal.codes = &settings.Codes{Store: w.store, Refill: refill, Now: w.now}
}

// queue counts messages.
type queue struct {
	mu   sync.Mutex
	sent []any
}

func (q *queue) Send(_ context.Context, message any, _ time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent = append(q.sent, message)
	return nil
}
