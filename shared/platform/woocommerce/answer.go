package woocommerce

import (
	"cmp"
	"net/http"

	"keypool/shared/order"
	"keypool/shared/platform"
)

// reply is the body of an answer. WooCommerce shows it in its log of deliveries: states and
// counts, never keys.
type reply struct {
	Received bool        `json:"received"`
	Order    string      `json:"order,omitempty"`
	Lines    []replyLine `json:"lines,omitempty"`
	Refused  string      `json:"refused,omitempty"` // why the order can never be taken as it is
}

type replyLine struct {
	Line      string              `json:"line"`
	Product   string              `json:"product,omitempty"`
	State     order.State         `json:"state,omitempty"`
	Wanted    int                 `json:"wanted,omitempty"`
	Allocated int                 `json:"allocated,omitempty"`
	Skipped   platform.SkipReason `json:"skipped,omitempty"` // why nothing is stored of it
}

// Answer implements platform.Adapter. WooCommerce sends nothing again, and switches a
// webhook off that is refused six times in a row: all that can never be taken is answered
// 200, and is kept and told. What may pass is 503 all the same, since nothing was stored:
// WooCommerce's log says so, and catch-up finds the order.
func (Adapter) Answer(results []platform.Result) platform.Response {
	body := reply{Received: true}
	for _, result := range results {
		body.Order = cmp.Or(body.Order, result.Order)
		switch result.Outcome {
		case platform.Failed:
			body.Received = false
		case platform.Rejected, platform.Changed:
			body.Refused = result.Field.Error()
		case platform.Accepted, platform.Skipped:
			if result.Line != "" {
				body.Lines = append(body.Lines, replyLine{result.Line, result.Product, result.State, result.Wanted, result.Allocated, result.Why})
			}
		}
	}
	if !body.Received {
		return platform.Respond(http.StatusServiceUnavailable, "application/json", reply{Order: body.Order})
	}
	return platform.Respond(http.StatusOK, "application/json", body)
}
