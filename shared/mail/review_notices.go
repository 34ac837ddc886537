package mail

import (
	"fmt"
	"strings"

	"keypool/shared/mail/text"
	"keypool/shared/notice"
	"keypool/shared/phrase"
)

// heldForReview tells of lines that a rule of the merchant's, or the brake, holds.
func (w noticeWriter) heldForReview() letter {
	f := w.n.Facts
	l := letter{
		Badge: warn("Please decide"),
		Title: fmt.Sprintf("%s on hold%s.", phrase.Capital(phrase.Count(f.Count, "order line is", "order lines are")), testNote(f.Side)),
		Words: words(
			fmt.Sprintf("By your rules, %s looked at before %s. No key was sent, and the customer was not told.",
				phrase.Plural(f.Count, "this order line is", "these order lines are"), phrase.Plural(f.Count, "it gets keys", "they get keys")),
			"Release what is in order: it gets its keys, in its old place in the queue, and is mailed. Reject what is not: it gets none. To pay the customer back is yours to do, at your payment platform.",
		),
	}
	if f.Count == 1 && len(f.Held) == 1 {
		l.Title = fmt.Sprintf("Order %s is on hold%s.", f.Held[0].Order, testNote(f.Side))
	}
	for _, held := range f.Held {
		block := text.Block{Lines: []text.Line{
			{{Text: fmt.Sprintf("Order %s: %s × %s", text.OneLine(held.Order), phrase.Number(held.Quantity), text.OneLine(held.Product))}},
			{{Text: phrase.Capital(strings.Join(held.Why, "; ")) + "."}},
		}}
		if f.Count > 1 && f.Portal != "" {
			block.Lines = append(block.Lines, text.Line{{Text: "Look at this order", Link: f.Portal + toOrders + "/" + held.OrderID}})
		}
		l.Words = append(l.Words, block)
	}
	if more := f.Count - len(f.Held); more > 0 {
		l.Words = append(l.Words, words(fmt.Sprintf("And %s more.", phrase.Number(more)))...)
	}
	l.Words = append(l.Words, words("You are told at once of the first order line on hold in an hour, and of others together when the hour ends. Your rules are in the Merchant Portal, under Settings, Rules.")...)
	l.Preview = "Release or reject what your rules put on hold."
	l.Details = w.facts("Seen", w.moment(w.n.RaisedAt))
	return l
}

// bigDay tells of a day that has sold far more than the days before.
func (w noticeWriter) bigDay() letter {
	f := w.n.Facts
	best := "nothing"
	if f.Threshold > 0 {
		best = phrase.Count(f.Threshold, "key")
	}
	l := letter{
		Badge: stop("Please look"),
		Title: fmt.Sprintf("%s sold today: far more than usual.", phrase.Capital(phrase.Count(f.Count, "key was", "keys were"))),
		Words: words(fmt.Sprintf(
			"Today, by UTC, %s sold %s so far. The best of the 14 days before has sold %s. If a sale or a release explains it, there is nothing to do.",
			w.merchant(), phrase.Count(f.Count, "key"), best)),
	}
	switch {
	case f.Cause == notice.BrakeSet:
		l.Title += " The brake is set."
		l.Words = append(l.Words, words("As your settings say, the brake was set by itself: new orders are put on hold and get no key. Keys that were sent are sent.")...)
		l.Words = append(l.Words, words("When you have looked, take the brake off. What was held stays so until you release or reject it, one by one or all.")...)
	default:
		l.Words = append(l.Words, words("If nothing explains it, somebody may be buying with stolen cards. Set the brake: new orders are then put on hold and get no key, until you have looked at them.")...)
	}
	l.Words = append(l.Words, words("You are told this once a day.")...)
	l.Preview = text.OneLine(text.Plain(l.Words[:1]))
	l.Details = w.facts("Sold today", phrase.Number(f.Count), "Best day of the 14 before", phrase.Number(f.Threshold), "Seen", w.moment(w.n.RaisedAt))
	return l
}
