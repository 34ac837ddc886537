package stripe

import (
	"cmp"
	"net/http"

	"keypool/shared/order"
	"keypool/shared/platform"
)

// reply is the body of an answer. Stripe's dashboard shows it beside the event: states
// and counts, never keys.
type reply struct {
	Received bool        `json:"received"`
	Order    string      `json:"order,omitempty"`
	Lines    []replyLine `json:"lines,omitempty"`
	Refused  string      `json:"refused,omitempty"` // why the event can never be taken as it is
	Reason   string      `json:"reason,omitempty"`  // why it is to be sent again
}

type replyLine struct {
	Line      string              `json:"line"`
	Product   string              `json:"product,omitempty"`
	State     order.State         `json:"state,omitempty"`
	Wanted    int                 `json:"wanted,omitempty"`
	Allocated int                 `json:"allocated,omitempty"`
	Skipped   platform.SkipReason `json:"skipped,omitempty"` // why nothing is stored of it
}

// Answer implements platform.Adapter. Stripe sends an event again unless it is answered
// 2xx, and switches an endpoint off that refuses for days: what is refused for good is
// kept and told, and answered 200.
func (Adapter) Answer(results []platform.Result) platform.Response {
	body := reply{Received: true}
	for _, result := range results {
		body.Order = cmp.Or(body.Order, result.Order)
		switch result.Outcome {
		case platform.Failed:
			body.Received = false
			if result.Field != nil {
				body.Reason = result.Field.Error()
			}
		case platform.Rejected, platform.Changed:
			body.Refused = result.Field.Error()
		case platform.Accepted:
			body.Lines = append(body.Lines, replyLine{Line: result.Line, Product: result.Product, State: result.State, Wanted: result.Wanted, Allocated: result.Allocated})
		case platform.Skipped:
			if result.Line != "" {
				body.Lines = append(body.Lines, replyLine{Line: result.Line, Product: result.Product, Skipped: result.Why})
			}
		}
	}
	if body.Received {
		return platform.Respond(http.StatusOK, "application/json", body)
	}
	again := reply{Order: body.Order, Reason: cmp.Or(body.Reason, "not stored, or not all of it: send the same again")}
	return platform.Respond(http.StatusServiceUnavailable, "application/json", again)
}
