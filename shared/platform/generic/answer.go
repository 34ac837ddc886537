package generic

import (
	"encoding/json"
	"net/http"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/problem"
)

// reply is the body of a 200: states and counts, never keys.
type reply struct {
	Order string      `json:"order,omitempty"`
	Lines []replyLine `json:"lines,omitempty"`
	// IgnoredFields are those of the settings whose value is only shown, and could not be
	// read.
	IgnoredFields []string `json:"ignored_fields,omitempty"`

	Ignored bool          `json:"ignored,omitempty"`
	Type    string        `json:"type,omitempty"`
	Skipped []skippedLine `json:"skipped,omitempty"`

	// Refused is the mistake for which the event, or a line of it, was not taken.
	Refused *refused `json:"refused,omitempty"`
}

type refused struct {
	Field   string `json:"field,omitempty"` // of the settings, lines[0].quantity
	Problem string `json:"problem"`
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

// Answer implements platform.Adapter. What was signed and cannot be taken is answered by
// 200, which says why: it is kept, the merchant is told, and to send it again would not
// help. Senders switch off an address that refuses.
func (Adapter) Answer(results []platform.Result) platform.Response {
	var body reply
	for _, result := range results {
		switch result.Outcome {
		case platform.Failed:
			response := respond(http.StatusServiceUnavailable, problem.ContentType, problem.New(http.StatusServiceUnavailable, "Not stored, or not all of it: send the same again."))
			response.Header.Set("Retry-After", "5")
			return response
		case platform.Rejected, platform.Changed:
			body.Refused = &refused{result.Field.Field, result.Field.Problem}
		case platform.Skipped:
			if result.Why == "" {
				body.Ignored, body.Type = true, result.Type
				continue
			}
			body.Order, body.IgnoredFields = result.Order, result.IgnoredFields
			body.Skipped = append(body.Skipped, skippedLine{result.Line, result.Product, result.Why})
		case platform.Accepted:
			body.Order, body.IgnoredFields = result.Order, result.IgnoredFields
			if result.Line != "" {
				body.Lines = append(body.Lines, replyLine{result.Line, result.Product, result.State, result.Wanted, result.Allocated})
			}
		}
	}
	return respond(http.StatusOK, "application/json", body)
}

// AnswerFor implements platform.Replier: an account may set the text that its sender
// takes for success.
func (a Adapter) AnswerFor(account platform.Account, results []platform.Result) platform.Response {
	response := a.Answer(results)
	s, err := parse(account.Settings)
	if err != nil || s.Answer == "" || response.Status != http.StatusOK {
		return response
	}
	return platform.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain"}}, Body: []byte(s.Answer)}
}

func respond(status int, contentType string, body any) platform.Response {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return platform.Response{Status: status, Header: http.Header{"Content-Type": {contentType}}, Body: encoded}
}
