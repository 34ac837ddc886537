package generic

import (
	"net/http"

	"keypool/shared/platform"
	"keypool/shared/problem"
)

// reply is the body of a 200.
type reply struct {
	platform.Reply

	// Refused is the mistake for which the event, or a line of it, was not taken.
	Refused *refused `json:"refused,omitempty"`
}

type refused struct {
	Field   string `json:"field,omitempty"` // of the settings, lines[0].quantity
	Problem string `json:"problem"`
}

// Answer implements platform.Adapter. What was signed and cannot be taken is answered by
// 200, which says why: it is kept, the merchant is told, and to send it again would not
// help. Senders switch off an address that refuses.
func (Adapter) Answer(results []platform.Result) platform.Response {
	var body reply
	for _, result := range results {
		switch result.Outcome {
		case platform.Failed:
			return platform.Respond(http.StatusServiceUnavailable, problem.ContentType, problem.New(http.StatusServiceUnavailable, "Not stored, or not all of it: send the same again."))
		case platform.Rejected, platform.Changed:
			body.Refused = &refused{result.Field.Field, result.Field.Problem}
		case platform.Skipped, platform.Accepted:
			body.Add(result)
		}
	}
	return platform.Respond(http.StatusOK, "application/json", body)
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
