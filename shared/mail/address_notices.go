package mail

import (
	"fmt"

	"keypool/shared/notice"
)

// addressMended tells of an order whose keys a person had sent to another address. It names
// neither address: who reads the notices of a merchant need not know its customers.
func (w noticeWriter) addressMended() letter {
	f := w.n.Facts
	l := letter{
		Badge: calm("Changed"),
		Title: fmt.Sprintf("The mail address of order %s was corrected%s.", first(f.Orders...), testNote(f.Side)),
		Words: words(
			"Its keys are mailed to the new address, and so is everything about it from now on. Keys that reached the former address before can still be read there.",
			"The former address was told that the mails go elsewhere now. It was not told where.",
			"If you know of it, there is nothing to do. If not, somebody may be taking keys: reply to this mail at once, and replace the order's keys on its page. If a token did it, revoke it: under Settings, API tokens.",
		),
		Details: w.facts("Order", first(f.Orders...), "Account", f.Account),
	}
	if f.Cause == notice.CauseBounced {
		l.Words[1] = words("The former address was not told, since the last mail came back from there.")[0]
	}
	for _, c := range f.Changed {
		w.origin(&l.Details[0], c)
	}
	return l
}
