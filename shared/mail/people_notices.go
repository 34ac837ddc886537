package mail

import (
	"fmt"
	"strings"

	"keypool/shared/access"
	"keypool/shared/notice"
)

// person returns the change that a notice about one person tells of.
func (w noticeWriter) person() (c notice.Changed, role access.Role) {
	if len(w.n.Facts.Changed) > 0 {
		c = w.n.Facts.Changed[0]
	}
	for _, part := range c.Parts {
		if name, ok := strings.CutPrefix(part, "role "); ok {
			role = access.Role(name)
		}
	}
	return c, role
}

// invitation holds nothing that anybody could sign in by: who has the address, asks for that.
func (w noticeWriter) invitation() letter {
	c, role := w.person()
	l := letter{
		Badge: calm("Invitation"),
		Title: fmt.Sprintf("You may sign in for %s.", w.merchant()),
		Words: words(
			fmt.Sprintf("You are one of the people who look after %s from now on: what it sells, its keys and its orders are in the Merchant Portal of Keypool.", w.merchant()),
		),
		Subject: fmt.Sprintf("Your access to the Merchant Portal of %s", w.merchant()),
		Preview: fmt.Sprintf("You look after %s from now on.", w.merchant()),
		Details: w.facts("Shop", w.merchant(), "Your role", string(role), "You may", role.Meaning(), "Invited by", c.By, "At", w.moment(c.At)),
	}
	l.Words = append(l.Words, words(
		"Sign in there by this mail address. There is no password: each time, you are mailed a link and a code.",
		"You do not know who invites you? Then there is nothing to do: nothing happens unless you sign in.",
	)...)
	return l
}

func (w noticeWriter) lostInvitation() letter {
	c, _ := w.person()
	l := letter{
		Badge: warn("Please look"),
		Title: fmt.Sprintf("The invitation of %s did not arrive.", c.Name),
		Words: words(
			fmt.Sprintf("%s was invited to the Merchant Portal at %s. The mail could not be delivered there: the address does not exist, or the mailbox is full.", c.Name, w.n.Facts.Address),
			"Correct the address in the Merchant Portal, under Settings, People: the new one is invited then. If nobody of that name works for you, take the person out.",
		),
		Details: w.facts("Id", c.ID, "Address", w.n.Facts.Address, "Seen", w.moment(w.n.RaisedAt)),
	}
	if w.n.Facts.Cause == notice.CauseUnwanted {
		l.Title = fmt.Sprintf("The invitation of %s is not wanted.", c.Name)
		l.Words = words(
			fmt.Sprintf("%s was invited to the Merchant Portal at %s. Somebody who reads that address marked the mail as unwanted, and mail providers count such marks against us.", c.Name, w.n.Facts.Address),
			"Is the address right? If not, correct it or take the person out, in the portal under Settings, People.",
		)
	}
	return l
}

func (w noticeWriter) operatorHelp() letter {
	c, _ := w.person()
	l := letter{
		Badge: warn("Please look"),
		Title: fmt.Sprintf("The operator opened the portal of %s.", w.merchant()),
		Words: words(
			fmt.Sprintf("Whoever runs Keypool for you opened the Merchant Portal of %s, and may do there all that an owner may, until %s. All that is done stands in the audit trail, in the portal under Settings, as done by %s.", w.merchant(), w.moment(c.Until), c.By),
			"Did you ask for help, or know of it? Then there is nothing to do. If not, reply to this mail and ask why. An owner can end it at once, in the portal under Settings, People.",
		),
		Details: w.facts("By", c.By, "Why", c.Name, "From", w.moment(c.At), "Until", w.moment(c.Until)),
	}
	return l
}
