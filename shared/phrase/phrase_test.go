package phrase

import "testing"

func TestSentence(t *testing.T) {
	t.Parallel()
	for problem, want := range map[string]string{
		"":                        "",
		"not a day":               "Not a day.",
		"is missing":              "This is missing.",
		"There is one.":           "There is one.",
		"“pool” is used":          "“pool” is used.",
		"über 63 letters":         "Über 63 letters.",
		"did you mean gmail.com?": "Did you mean gmail.com?",
	} {
		if got := Sentence(problem); got != want {
			t.Errorf("%q becomes %q, want %q", problem, got, want)
		}
	}
}
