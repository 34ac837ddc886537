package upload_test

import (
	"testing"

	"keypool/shared/upload"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for _, outcome := range upload.Outcomes {
		if outcome.Words() == string(outcome) && outcome != upload.Accepted {
			t.Errorf("no words for a line that is %s", outcome)
		}
	}
	for _, trait := range upload.Traits {
		if trait.Words() == string(trait) {
			t.Errorf("no words for a file with %s", trait)
		}
	}
}
