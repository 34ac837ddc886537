package noventiq

import (
	"net/http"

	"keypool/shared/order"
	"keypool/shared/platform"
)

// reply is the body of an answer: states and counts, never keys.
type reply struct {
	Order   string              `json:"order,omitempty"`
	Product string              `json:"product,omitempty"`
	State   order.State         `json:"state,omitempty"`
	Skipped platform.SkipReason `json:"skipped,omitempty"`
	Refused string              `json:"refused,omitempty"` // why the webhook was not taken; the merchant is told
}

// Answer implements platform.Adapter. What can never be taken is answered 200, since to
// send it again would not help, and is kept and told instead. What may be taken later is
// 503.
func (Adapter) Answer(results []platform.Result) platform.Response {
	status, body := http.StatusOK, reply{}
	for _, result := range results {
		switch result.Outcome {
		case platform.Failed:
			status = http.StatusServiceUnavailable
		case platform.Rejected, platform.Changed:
			body.Order, body.Refused = result.Order, result.Field.Error()
		case platform.Accepted, platform.Skipped:
			body.Order, body.Product, body.State, body.Skipped = result.Order, result.Product, result.State, result.Why
		}
	}
	if status != http.StatusOK {
		body = reply{}
	}
	return platform.Respond(status, "application/json", body)
}
