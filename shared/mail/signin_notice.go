package mail

import "keypool/shared/mail/text"

// signIn brings the link and the code by which somebody signs in at the Merchant Portal.
func (w noticeWriter) signIn() letter {
	f := w.n.Facts
	l := letter{
		Badge: calm("Sign in"),
		Title: "Your link and code for the Merchant Portal.",
		Words: words("Open this link in the browser in which you asked for this mail, and press the button there.", "Or type this code there:"),
	}
	l.Words = append(l.Words, text.Block{Keys: []text.Run{{Text: f.Code, Key: true}}})
	l.Words = append(l.Words, words(
		"Both are good once, for ten minutes. If you asked for several mails, only the last one counts.",
		"You did not ask? Then there is nothing to do: this mail is of no use in another browser. Nobody of ours will ever ask you for the code. Do not tell it to anybody.",
	)...)
	l.Subject = "Your sign-in at the Merchant Portal"
	l.Preview = "A link and a code, good for ten minutes."
	l.Details = w.facts("Asked in", f.Browser, "Asked at", w.moment(f.Started))
	return l
}
