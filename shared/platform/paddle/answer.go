package paddle

import (
	"cmp"
	"net/http"

	"keypool/shared/platform"
)

// reply is the body of an answer, which Paddle shows in the log of the notification.
type reply struct {
	platform.Reply

	Refused string `json:"refused,omitempty"` // why the event can never be taken as it is
	Reason  string `json:"reason,omitempty"`  // why it is to be sent again
}

// Answer implements platform.Adapter. Paddle sends an event again unless it is answered by
// 200. What is refused for good is kept and told, and answered 200: to send it again would
// not help.
func (Adapter) Answer(results []platform.Result) platform.Response {
	var body reply
	for _, result := range results {
		switch result.Outcome {
		case platform.Failed:
			again := reply{Reason: "not stored, or not all of it: send the same again"}
			again.Order = cmp.Or(result.Order, body.Order)
			if result.Field != nil {
				again.Reason = result.Field.Error()
			}
			return platform.Respond(http.StatusServiceUnavailable, "application/json", again)
		case platform.Rejected, platform.Changed:
			body.Order, body.Refused = cmp.Or(body.Order, result.Order), result.Field.Error()
		case platform.Accepted, platform.Skipped:
			body.Add(result)
		}
	}
	return platform.Respond(http.StatusOK, "application/json", body)
}
