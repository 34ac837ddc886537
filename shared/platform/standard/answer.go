package standard

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/problem"
)

// reply is the body of a 200: states and counts, never keys.
type reply struct {
	Order string      `json:"order,omitempty"`
	Lines []replyLine `json:"lines,omitempty"`
	// IgnoredFields are fields that are only shown, and could not be read.
	IgnoredFields []string `json:"ignored_fields,omitempty"`

	Ignored bool          `json:"ignored,omitempty"`
	Type    string        `json:"type,omitempty"`
	Skipped []skippedLine `json:"skipped,omitempty"`
}

// skippedLine is a line of which nothing is stored.
type skippedLine struct {
	Line    string              `json:"line"`
	Product string              `json:"product,omitempty"`
	Why     platform.SkipReason `json:"why"`
}

type replyLine struct {
	Line      string      `json:"line"`
	Product   string      `json:"product"`
	State     order.State `json:"state"`
	Wanted    int         `json:"wanted"`
	Allocated int         `json:"allocated"`
}

// documentation is where the event is described: a member of the API's document. It is
// the type of a problem (RFC 9457, 3.1.1), so that a refused sender finds the way.
const documentation = "/openapi.json#/webhooks"

// Answer implements platform.Adapter. The worst result decides: a sender that is
// answered 503 sends the order again, and the lines that are stored already stay as
// they are.
func (Adapter) Answer(results []platform.Result) platform.Response {
	worst := slices.MaxFunc(results, func(a, b platform.Result) int { return cmp.Compare(a.Outcome, b.Outcome) })
	switch worst.Outcome {
	case platform.Failed:
		response := refuse(http.StatusServiceUnavailable, "Not stored, or not all of it: send the same again.")
		response.Header.Set("Retry-After", "5")
		return response
	case platform.Rejected:
		refusal := problem.New(http.StatusBadRequest, worst.Field.Error()+".", placeOf(worst.Field))
		refusal.Type = documentation
		return respond(refusal.Status, problem.ContentType, refusal)
	case platform.Changed:
		return refuse(http.StatusConflict, "The line was paid before with another product or quantity, or by another customer; nothing was changed.", placeOf(worst.Field))
	case platform.Skipped, platform.Accepted:
	}
	var body reply
	for _, result := range results {
		if result.Why != "" {
			body.Order, body.IgnoredFields = result.Order, result.IgnoredFields
			body.Skipped = append(body.Skipped, skippedLine{result.Line, result.Product, result.Why})
			continue
		}
		if result.Outcome == platform.Skipped {
			body.Ignored, body.Type = true, result.Type
			continue
		}
		body.Order, body.IgnoredFields = result.Order, result.IgnoredFields
		if result.Line == "" {
			continue // what happened to an order that is not known yet
		}
		body.Lines = append(body.Lines, replyLine{result.Line, result.Product, result.State, result.Wanted, result.Allocated})
	}
	return respond(http.StatusOK, "application/json", body)
}

// placeOf returns the place of a mistake in the body.
func placeOf(e *platform.FieldError) problem.Place {
	place := problem.Place{Message: e.Problem, Location: "body"}
	if e.Field != "" {
		place.Location += "." + e.Field
	}
	return place
}

func refuse(status int, detail string, places ...problem.Place) platform.Response {
	return respond(status, problem.ContentType, problem.New(status, detail, places...))
}

func respond(status int, contentType string, body any) platform.Response {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return platform.Response{Status: status, Header: http.Header{"Content-Type": {contentType}}, Body: encoded}
}
