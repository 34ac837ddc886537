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

func TestStamps_tellWhatWasFoundWhen(t *testing.T) {
	monday := Stamp{Day: "2026-11-23", Command: "make bench", Machine: "amd64"}
	sunday := Stamp{Day: "2026-11-22", Command: "make bench ONLY=large", Machine: "amd64"}
	for want, all := range map[string][]Stamped{
		"*2026-11-23, by `make bench` on amd64.*": {{"claim", monday}, {"ingest", monday}},
		"*claim, ingest: 2026-11-23, by `make bench` on amd64; large: 2026-11-22, by `make bench ONLY=large` on amd64.*": {{"claim", monday}, {"large", sunday}, {"ingest", monday}},
	} {
		if got := Stamps(all...); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Grouped(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}
