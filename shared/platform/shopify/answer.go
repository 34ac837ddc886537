package shopify

import (
	"net/http"

	"keypool/shared/platform"
)

// reply is the body of an answer. Shopify keeps none of it; who tries the address by hand
// reads it.
type reply struct {
	platform.Reply
	Refused string `json:"refused,omitempty"` // why the webhook can never be taken as it is
	Reason  string `json:"reason,omitempty"`  // why it is to be sent again
}

// Answer implements platform.Adapter. Shopify sends a webhook again unless it is answered
// 2xx, 8 times in 4 hours, and then deletes the webhooks that an app made: what is refused
// for good is kept and told, and answered 200.
func (Adapter) Answer(results []platform.Result) platform.Response {
	var body reply
	for _, result := range results {
		switch result.Outcome {
		case platform.Failed:
			again := reply{Reason: "not stored, or not all of it: send the same again"}
			if result.Field != nil {
				again.Reason = result.Field.Error()
			}
			return platform.Respond(http.StatusServiceUnavailable, "application/json", again)
		case platform.Rejected, platform.Changed:
			body.Refused = result.Field.Error()
		case platform.Skipped, platform.Accepted:
			body.Add(result)
		}
	}
	return platform.Respond(http.StatusOK, "application/json", body)
}
