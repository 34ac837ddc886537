package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/resttest"
	"keypool/shared/link"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/review"
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

// The pages are kept in testdata, where make pictures draws them and make html-lint reads them.
func TestLinkPages_areCurrent(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	page := func(purpose link.Purpose, change func(*review.Page)) linkPage {
		p := review.Page{Link: link.Link{Purpose: purpose, About: "2026-11-23", Until: at.AddDate(0, 0, 7)}, At: at, Title: "Nova Software", Side: pool.Live, Sold: 1204}
		change(&p)
		return wordsOf(p)
	}
	held := []order.HeldLine{
		{Order: "A-61", Title: "Elden Pro 4: the complete edition", Quantity: 3, Reasons: []order.Hold{order.HoldReviewRisk, order.HoldBrake}},
		{Order: "2026-11-23/ORDER/0123456789abcdef0123456789abcdef0123456789abcdef", Product: "222222", Quantity: 1200, Reasons: []order.Hold{order.HoldCap}},
	}
	for name, page := range map[string]linkPage{
		"held": page(link.Held, func(p *review.Page) { p.Line, p.Version = &held[0], 7 }),
		"done": page(link.Held, func(p *review.Page) {
			p.Line, p.Verdict, p.Outcome, p.State = &held[0], review.Release, review.Done, order.Waiting
		}),
		"all":   page(link.HeldAll, func(p *review.Page) { p.Held, p.More = held, true }),
		"brake": page(link.SetBrake, func(*review.Page) {}),
		"bad":   badLink,
	} {
		resttest.IsFile(t, filepath.Join("testdata", "link_"+name+".html"), []byte(page.html()))
	}
}
