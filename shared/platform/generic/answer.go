package generic

import (
	"net/http"

	"keypool/shared/platform"
)

// Answer implements platform.Adapter. Senders switch off an address that refuses.
func (Adapter) Answer(results []platform.Result) platform.Response {
	return platform.Acknowledge(results)
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
