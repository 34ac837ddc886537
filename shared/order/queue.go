package order

import (
	"time"

	"keypool/shared/pool"
)

// Queue is the front of a pool side's queue, oldest line first.
type Queue struct {
	Lines       []Queued // at most QueueFront
	BypassUntil time.Time
}

// QueueFront is how many lines of a queue a claim reads.
const QueueFront = 50

// Queued is a line that misses keys.
type Queued struct {
	Line       LineID
	ReceivedAt time.Time
	Missing    int // 0 while unconnected
}

// FillRequest is the message that asks function fill to serve a queue: that of a
// pool side or, with a product, the lines of a product that no pool feeds yet. A
// function sends it after it queued a line or brought keys. Sending it twice is
// harmless.
type FillRequest struct {
	V        int       `json:"v"` // FillVersion
	Merchant string    `json:"merchant"`
	Side     pool.Side `json:"side"`
	Pool     string    `json:"pool,omitempty"`
	Product  string    `json:"product,omitempty"`
}

// FillVersion is the version of a FillRequest written now. The version before is
// read too.
const FillVersion = 1

// FillPool asks for a pool side's queue.
func FillPool(p pool.ID) FillRequest {
	return FillRequest{V: FillVersion, Merchant: p.Merchant, Side: p.Side, Pool: p.Pool}
}

// FillProduct asks for the lines of a product that wait for a pool.
func FillProduct(merchant string, side pool.Side, product string) FillRequest {
	return FillRequest{V: FillVersion, Merchant: merchant, Side: side, Product: product}
}
