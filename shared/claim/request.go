package claim

import "keypool/shared/pool"

// FillRequest asks fill to look at a queue of waiting lines: of a pool side, or,
// with a product, of the lines that no pool feeds yet. It is sent by whoever
// queues a line or brings keys; sending it twice is harmless.
type FillRequest struct {
	V        int       `json:"v"` // FillVersion
	Merchant string    `json:"merchant"`
	Side     pool.Side `json:"side"`
	Pool     string    `json:"pool,omitempty"`
	Product  string    `json:"product,omitempty"`
}

// FillVersion is the version of a FillRequest written now; the one before is read too.
const FillVersion = 1

// FillPool asks for a pool side's queue.
func FillPool(p pool.ID) FillRequest {
	return FillRequest{V: FillVersion, Merchant: p.Merchant, Side: p.Side, Pool: p.Pool}
}

// FillProduct asks for the lines of a product that wait for a pool.
func FillProduct(merchant string, side pool.Side, product string) FillRequest {
	return FillRequest{V: FillVersion, Merchant: merchant, Side: side, Product: product}
}
