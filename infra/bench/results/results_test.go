package results

import "testing"

func TestReplaced(t *testing.T) {
	const page = "# Page\n<!-- one -->\nold\n<!-- /one -->\nby hand\n<!-- two -->\n<!-- /two -->\n"
	const want = "# Page\n<!-- one -->\nnew\n<!-- /one -->\nby hand\n<!-- two -->\n<!-- /two -->\n"
	if got, err := replaced(page, "one", "new"); err != nil || got != want {
		t.Errorf("got %v, %q", err, got)
	}
	if got, err := replaced(want, "two", "more"); err != nil || got == want {
		t.Errorf("an empty part was not filled: %v, %q", err, got)
	}
	for _, part := range []string{"three", ""} {
		if _, err := replaced(page, part, "new"); err == nil {
			t.Errorf("part %q was found", part)
		}
	}
}
