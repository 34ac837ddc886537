package mail

import (
	"fmt"
	"strings"

	"keypool/shared/mail/text"
)

// heldForReview tells of lines that a rule of the merchant's, or the brake, holds.
func (w noticeWriter) heldForReview() letter {
	f := w.n.Facts
	l := letter{
		Badge: warn("Please decide"),
		Title: fmt.Sprintf("%s on hold%s.", capital(count(f.Count, "order line is", "order lines are")), testNote(f.Side)),
		Words: words(
			fmt.Sprintf("By your rules, %s looked at before %s. No key was sent, and the customer was not told.",
				plural(f.Count, "this order line is", "these order lines are"), plural(f.Count, "it gets keys", "they get keys")),
			"Release what is in order: it gets its keys, in its old place in line, and is mailed. Reject what is not: it gets none. To pay the customer back is yours to do, at the platform.",
		),
	}
	if f.Count == 1 && len(f.Held) == 1 {
		l.Title = fmt.Sprintf("Order %s is on hold%s.", f.Held[0].Order, testNote(f.Side))
	}
	for _, held := range f.Held {
		block := text.Block{Lines: []text.Line{
			{{Text: fmt.Sprintf("Order %s: %s × %s", text.OneLine(held.Order), number(held.Quantity), text.OneLine(held.Product))}},
			{{Text: capital(strings.Join(held.Why, "; ")) + "."}},
		}}
		l.Words = append(l.Words, block)
	}
	if more := f.Count - len(f.Held); more > 0 {
		l.Words = append(l.Words, words(fmt.Sprintf("And %s more.", number(more)))...)
	}
	l.Words = append(l.Words, words(
		"By the API: POST /v1/orders/{order}/release, or POST /v1/orders/{order}/return to reject. The first order line on hold in an hour is told at once, others together when it ends.")...)
	l.Preview = "Release or reject what your rules put on hold."
	l.Details = w.facts("Seen", w.moment(w.n.RaisedAt))
	return l
}
