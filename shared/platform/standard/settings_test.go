package standard_test

import (
	"encoding/json"
	"testing"

	"keypool/shared/platform/standard"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]struct {
		mistake string
		answers bool
	}{
		``:                               {"", false},
		`{}`:                             {"", false},
		`{"order_page_in_answer":false}`: {"", false},
		`{"order_page_in_answer":true}`:  {"", true},
		`{"order_page_in_answer":"yes"}`: {"order_page_in_answer is of another type than the guide says", false},
		`{"order_page":true}`:            {"order_page is not a setting of standard accounts: there is order_page_in_answer alone", false},
	} {
		mistake := ""
		if err := (standard.Adapter{}).CheckSettings(json.RawMessage(settings)); err != nil {
			mistake = err.Error()
		}
		if mistake != want.mistake {
			t.Errorf("%s: %q, want %q", settings, mistake, want.mistake)
		}
		if got := (standard.Adapter{}).AnswersPage(json.RawMessage(settings)); got != want.answers {
			t.Errorf("%s: the answer names the page: %t", settings, got)
		}
	}
}
