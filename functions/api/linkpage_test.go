package main

import (
	"strings"
	"testing"
)

// Whatever a platform calls an order or a product is shown as text.
func TestLinkPage_textIsNoMarkup(t *testing.T) {
	t.Parallel()
	const evil = `<script>alert("x")</script>'&`
	page := linkPage{
		Tab: evil, Merchant: evil, Badge: &linkBadge{evil, evil}, Title: evil, Words: []string{evil}, Facts: []linkFact{{evil, evil}},
		Lines: []linkFact{{evil, evil}}, After: evil, Buttons: []linkButton{{evil, evil, evil}}, Seen: evil, Version: 7, Foot: evil,
	}.html()
	if strings.Contains(page, "<script") || strings.Contains(page, `"x"`) || strings.Contains(page, "'&") {
		t.Errorf("markup of strangers:\n%s", page)
	}
	const shown = "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&#39;&amp;"
	if n := strings.Count(page, shown); n != 16 {
		t.Errorf("%d texts are shown, want 16:\n%s", n, page)
	}
}
