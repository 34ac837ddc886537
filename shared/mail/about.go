package mail

import (
	"strings"

	"keypool/shared/catalog"
	"keypool/shared/notice"
)

// About is what a list says of a notice.
type About struct {
	Title string // a sentence, as in the mail
	Says  string // words of the link to the page where it is mended; empty: there is none
	Path  string // of that page, below the portal's address
}

// AboutNotice returns what a list says of a notice to a merchant.
func AboutNotice(n notice.Notice, m catalog.Merchant) About {
	if n.Kind == notice.SampleMail {
		return About{Title: "A mail was sent to try how it looks."}
	}
	w := noticeWriter{n: n, m: m, now: n.RaisedAt}
	write, ok := notices[n.Kind]
	if !ok {
		return About{Title: "A notice of " + strings.ReplaceAll(string(n.Kind), "-", " ") + "."}
	}
	a := About{Title: write(w).Title}
	if n.Kind == notice.HeldForReview { // the mail counts what is on hold when it leaves
		a.Title = "Your rules put orders on hold."
	}
	a.Says, a.Path = w.leads()
	return a
}
