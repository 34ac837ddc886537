package platform

import (
	"cmp"
	"encoding/json"
	"net/http"

	"keypool/shared/order"
)

// Reply is the body of a 200 of Keypool's own scheme and of platforms whose answer is
// free: states and counts, never keys.
type Reply struct {
	Order string      `json:"order,omitempty"`
	Lines []ReplyLine `json:"lines,omitempty"`
	// OrderPage is the address of the page that the customer has of the order.
	OrderPage string `json:"order_page,omitempty"`
	// IgnoredFields are those that are only shown, and could not be read.
	IgnoredFields []string `json:"ignored_fields,omitempty"`

	Ignored bool          `json:"ignored,omitempty"`
	Type    string        `json:"type,omitempty"`
	Skipped []SkippedLine `json:"skipped,omitempty"`
}

// ReplyLine says how a line stands.
type ReplyLine struct {
	Line      string      `json:"line"`
	Product   string      `json:"product"`
	State     order.State `json:"state"`
	Wanted    int         `json:"wanted"`
	Allocated int         `json:"allocated"`
}

// SkippedLine is a line of which nothing is stored.
type SkippedLine struct {
	Line    string     `json:"line"`
	Product string     `json:"product,omitempty"`
	Why     SkipReason `json:"why"`
}

// Add adds what became of an event, or of one line: a result that is Accepted or Skipped.
func (r *Reply) Add(result Result) {
	if result.Outcome == Skipped && result.Why == "" {
		r.Order, r.Ignored, r.Type = cmp.Or(r.Order, result.Order), true, result.Type
		return
	}
	r.Order, r.IgnoredFields = result.Order, result.IgnoredFields
	r.OrderPage = cmp.Or(r.OrderPage, result.OrderPage)
	switch {
	case result.Why != "":
		r.Skipped = append(r.Skipped, SkippedLine{result.Line, result.Product, result.Why})
	case result.Line != "": // else what happened to an order that is not known yet
		r.Lines = append(r.Lines, ReplyLine{result.Line, result.Product, result.State, result.Wanted, result.Allocated})
	}
}

// acknowledgement is the body of the answer to a platform that reads none: it is shown in
// the platform's log of deliveries, or to whoever tries the address by hand.
type acknowledgement struct {
	Reply
	Refused string `json:"refused,omitempty"` // why the webhook, or a part of it, can never be taken as it is
	Left    string `json:"left,omitempty"`    // why nothing was done yet, and need not be sent again
	Reason  string `json:"reason,omitempty"`  // why it is to be sent again
}

// Acknowledge returns the answer to a platform that reads nothing but the status: 503 if
// the webhook is to be sent again, 200 if not. What can never be taken is answered 200,
// too: it is kept and the merchant is told, to send it again would not help, and platforms
// switch an address off that refuses.
func Acknowledge(results []Result) Response {
	var body acknowledgement
	for _, result := range results {
		switch result.Outcome {
		case Failed:
			again := acknowledgement{Reason: "not stored, or not all of it: send the same again"}
			if result.Field != nil {
				again.Reason = result.Field.Error()
			}
			again.Order = cmp.Or(result.Order, body.Order)
			return Respond(http.StatusServiceUnavailable, "application/json", again)
		case Rejected, Changed:
			body.Order, body.Refused = cmp.Or(body.Order, result.Order), result.Field.Error()
		case Left:
			body.Order, body.Left = cmp.Or(body.Order, result.Order), "to catch-up: what the webhook does not say could not be read now, so nothing was stored yet"
		case Accepted, Skipped:
			body.Add(result)
		}
	}
	return Respond(http.StatusOK, "application/json", body)
}

// Respond returns a response with a JSON body, of application/json or a type made of it.
// A 503 asks to be sent again in 5 seconds.
func Respond(status int, contentType string, body any) Response {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	response := Response{Status: status, Header: http.Header{"Content-Type": {contentType}}, Body: encoded}
	if status == http.StatusServiceUnavailable {
		response.Header.Set("Retry-After", "5")
	}
	return response
}
