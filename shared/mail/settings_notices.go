package mail

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/mail/text"
	"keypool/shared/notice"
	"keypool/shared/phrase"
)

// The notices of changed settings go to somebody who may have changed them a minute ago,
// or who may learn from them that a stranger did. Each says so, and what to do then.

func (w noticeWriter) newToken() letter {
	f := w.n.Facts
	l := letter{
		Badge: warn("New token"),
		Words: words(
			fmt.Sprintf("%s for the API of Keypool %s made for %s. Whoever holds %s can do what stands below.",
				phrase.Capital(phrase.Count(f.Count, "new token", "new tokens")), phrase.Plural(f.Count, "was", "were"), w.merchant(), phrase.Plural(f.Count, "it", "one of them")),
			"If you know of it, there is nothing to do. If not, revoke it, or reply to this mail and ask for that. It is refused from that moment on.",
			together("token"),
		),
	}
	l.Title = fmt.Sprintf("%s API tokens were made.", phrase.Number(f.Count))
	if f.Count == 1 && len(f.Changed) == 1 {
		l.Title = fmt.Sprintf("A new API token: %s.", f.Changed[0].Name)
	}
	for _, c := range f.Changed {
		d := details{Title: text.OneLine(c.Name)}
		d.add("Id", c.ID)
		for _, scope := range c.Parts {
			if person, ok := strings.CutPrefix(scope, notice.OfPerson); ok {
				d.add("Stands for", person+", and may do what that person's role allows")
				continue
			}
			d.add("May "+scope, access.Scope(scope).Meaning())
		}
		d.add("Good until", w.until(c.Until, "it is revoked"))
		w.origin(&d, c)
		l.Details = append(l.Details, d)
	}
	l.Details = append(l.Details, w.moreChanged("in the Merchant Portal, under Settings, API tokens")...)
	return l
}

func (w noticeWriter) expiringToken() letter {
	var c notice.Changed
	if len(w.n.Facts.Changed) > 0 {
		c = w.n.Facts.Changed[0]
	}
	l := letter{
		Badge: warn("Please look"),
		Title: fmt.Sprintf("The API token %s expires on %s.", c.Name, w.day(c.Until)),
		Words: words(
			"What still uses it then is refused with status 401: an upload that runs every night brings no more keys.",
			"If it is used, reply to this mail and ask for a new one that may do the same, put that in its place, and revoke this one. If nobody needs it, there is nothing to do.",
		),
	}
	used := w.n.Facts.Started
	d := details{Title: "At a glance"}
	d.add("Token", c.Name)
	d.add("Id", c.ID)
	d.add("Good until", w.moment(c.Until))
	d.add("Last used", w.until(used, "never"))
	l.Details = []details{d}
	return l
}

func (w noticeWriter) newSecret() letter {
	f := w.n.Facts
	l := letter{
		Badge: warn("New secret"),
		Title: fmt.Sprintf("%s new signing secrets were set.", phrase.Number(f.Count)),
		Words: words(
			fmt.Sprintf("Orders that are signed with %s are taken as paid by %s, and keys are sent for them.",
				phrase.Plural(f.Count, "the new secret", "one of the new secrets"), w.merchant()),
			"If you know of it, there is nothing to do. If not, somebody may be taking keys: reply to this mail at once, make another secret on the page of the account, and let none before it stay good. If a token did it, revoke it: under Settings, API tokens.",
			together("secret"),
		),
	}
	if f.Count == 1 && len(f.Changed) == 1 {
		l.Title = fmt.Sprintf("The account %s has a new signing secret.", f.Changed[0].Name)
	}
	for _, c := range f.Changed {
		d := details{Title: text.OneLine("Account " + c.Name)}
		if len(c.Parts) > 0 {
			d.add("New", phrase.List(c.Parts))
		}
		if !c.Until.IsZero() {
			d.add("The one before", "good until "+w.moment(c.Until))
		}
		if c.Ended > 0 {
			d.add("Taken away", phrase.Count(c.Ended, "secret")+", refused 30 seconds later at the latest")
		}
		w.origin(&d, c)
		l.Details = append(l.Details, d)
	}
	l.Details = append(l.Details, w.moreChanged("in the Merchant Portal, under Platforms")...)
	return l
}

func (w noticeWriter) changedAccount() letter {
	f := w.n.Facts
	l := letter{
		Badge: calm("Changed"),
		Title: fmt.Sprintf("The settings of %s were changed.", phrase.Count(f.Count, "account")),
		Words: words(
			"What decides which paid orders get keys was changed, in the parts that stand below.",
			"If you know of it, there is nothing to do. If not, look at the account, and set it again. If a token did it, revoke it: under Settings, API tokens.",
			together("changed account"),
		),
	}
	if f.Count == 1 && len(f.Changed) == 1 {
		l.Title = fmt.Sprintf("The settings of the account %s were changed.", f.Changed[0].Name)
	}
	l.Details = append(w.whatChanged(), w.moreChanged("in the Merchant Portal, under Platforms")...)
	return l
}

// whatChanged lists the parts that were changed of each thing, and by whom.
func (w noticeWriter) whatChanged() []details {
	d := details{Title: "What changed"}
	for _, c := range w.n.Facts.Changed {
		var parts []string
		for _, part := range c.Parts {
			parts = append(parts, partName(part))
		}
		d.add(c.Name, fmt.Sprintf("%s; by %s, %s", phrase.List(parts), c.By, w.moment(c.At)))
	}
	return []details{d}
}

func (w noticeWriter) changedPerson() letter {
	f := w.n.Facts
	l := letter{
		Badge: warn("People"),
		Title: fmt.Sprintf("The rights of %s were changed.", phrase.Count(f.Count, "person", "people")),
		Words: words(
			fmt.Sprintf("Who may do what for %s was changed, as it stands below. An owner may do everything, a manager all but people, secrets and tokens; support looks after orders, stock brings keys, and read only looks.", w.merchant()),
			"If you know of it, there is nothing to do. If not, take the rights away, as an owner, or reply to this mail and ask for that. They end at that moment.",
			together("changed person"),
		),
	}
	if f.Count == 1 && len(f.Changed) == 1 {
		l.Title = fmt.Sprintf("The rights of %s were changed.", f.Changed[0].Name)
	}
	for _, c := range f.Changed {
		d := details{Title: text.OneLine(c.Name)}
		d.add("Id", c.ID)
		for _, part := range c.Parts {
			if role, ok := strings.CutPrefix(part, "role "); ok {
				d.add("Role now", role)
			} else {
				d.add("Changed", part)
			}
		}
		w.origin(&d, c)
		l.Details = append(l.Details, d)
	}
	l.Details = append(l.Details, w.moreChanged("in the Merchant Portal, under Settings, People")...)
	return l
}

func (w noticeWriter) changedWarnings() letter {
	f := w.n.Facts
	l := letter{
		Badge: calm("Changed"),
		Title: fmt.Sprintf("The warnings of %s go to other addresses.", phrase.Count(f.Count, "pool")),
		Words: words(
			"Further addresses are warned when keys run low, as they stand below. This address is warned all the same.",
			"If you know of it, there is nothing to do. If not, somebody wants to know how well you sell: take the addresses out, in the pool's settings. If a token did it, revoke it: under Settings, API tokens.",
			together("changed pool"),
		),
	}
	if f.Count == 1 && len(f.Changed) == 1 {
		l.Title = fmt.Sprintf("The warnings of the pool %s go to other addresses.", f.Changed[0].Name)
	}
	for _, c := range f.Changed {
		d := details{Title: text.OneLine("Pool " + c.Name)}
		for _, part := range c.Parts {
			if address, ok := strings.CutPrefix(part, notice.AddressAdded); ok {
				d.add("Warned from now on", address)
			} else if address, ok := strings.CutPrefix(part, notice.AddressRemoved); ok {
				d.add("No longer warned", address)
			}
		}
		w.origin(&d, c)
		l.Details = append(l.Details, d)
	}
	l.Details = append(l.Details, w.moreChanged("in the Merchant Portal, under Pools")...)
	return l
}

// unreadWarning tells of an address that a pool's warning did not reach. That of the merchant
// was warned all the same.
func (w noticeWriter) unreadWarning() letter {
	f := w.n.Facts
	l := letter{
		Badge: warn("Please look"),
		Title: fmt.Sprintf("A warning of %s did not reach %s.", w.pool(), f.Address),
		Words: words(
			fmt.Sprintf("The pool's settings name %s as one of the addresses that are warned when keys run low. The mail could not be delivered there: the address does not exist, or the mailbox is full. This address, and the others of the pool, were warned all the same.", f.Address),
			"Correct the address, or take it out, in the pool's settings.",
		),
		Details: w.facts("Pool", w.pool(), "Address", f.Address, "Seen", w.moment(w.n.RaisedAt)),
	}
	if f.Cause == notice.CauseUnwanted {
		l.Title = fmt.Sprintf("A warning of %s is not wanted at %s.", w.pool(), f.Address)
		l.Words = words(
			fmt.Sprintf("The pool's settings name %s as one of the addresses that are warned when keys run low. Somebody who reads it marked the warning as unwanted mail, and mail providers count such marks against us.", f.Address),
			"Please take the address out, in the pool's settings, unless it was a mistake.",
		)
	}
	return l
}

func (w noticeWriter) changedText() letter {
	f := w.n.Facts
	l := letter{
		Badge: calm("Changed"),
		Title: fmt.Sprintf("The texts of %s were changed.", phrase.Count(f.Count, "product")),
		Words: words(
			"What your customers read in their mails was changed, in the parts that stand below.",
			"If you know of it, there is nothing to do. If not, read the texts and links of what is named below, and set them again. If a token did it, revoke it: under Settings, API tokens.",
			together("changed product"),
		),
	}
	if f.Count == 1 && len(f.Changed) == 1 {
		l.Title = fmt.Sprintf("The texts of product %s were changed.", f.Changed[0].Name)
		if f.Changed[0].Name == notice.AllProducts {
			l.Title = "The texts of all products were changed."
		}
	}
	l.Details = append(w.whatChanged(), w.moreChanged("in the Merchant Portal, under Products")...)
	return l
}

func (w noticeWriter) changedAddress() letter {
	f := w.n.Facts
	l := letter{
		Badge: warn("Notice address"),
		Title: fmt.Sprintf("Notices for %s come here now.", w.merchant()),
		Words: words(
			"This address is now the one that Keypool writes to about your keys: pools that run low, reports of uploads, orders that we cannot take. The former address is told as well.",
			"If you did not expect this, reply to this mail.",
		),
	}
	if f.Address != "" {
		l.Title = fmt.Sprintf("Notices for %s go to another address now.", w.merchant())
		l.Words = words(
			fmt.Sprintf("From now on Keypool writes to %s about pools that run low, reports of uploads, and orders that we cannot take. This is the last notice to the former address, unless the address is set back.", f.Address),
			"If you did not expect this, reply to this mail at once: whoever reads the notices learns of new tokens and secrets, and you no longer do.",
		)
	}
	for _, c := range f.Changed {
		d := details{Title: "At a glance"}
		d.add("Merchant", w.n.Merchant)
		w.origin(&d, c)
		l.Details = append(l.Details, d)
	}
	return l
}

func (w noticeWriter) senderState() letter {
	f := w.n.Facts
	l := letter{
		Badge: calm("Verified"),
		Title: fmt.Sprintf("Mails to your customers come from %s now.", f.Address),
		Words: words(
			"The records of its domain are there. Leave them in place: they are what the mails are checked by.",
			"There is nothing to do.",
		),
		Details: w.facts("Sender", f.Address, "Seen", w.moment(w.n.RaisedAt)),
	}
	const meanwhile = "No mail is held up: until the address is verified, mails come from our own address, with your name."
	switch catalog.SenderState(f.Cause) {
	case catalog.SenderFailed:
		l.Badge = warn("Not verified")
		l.Title = fmt.Sprintf("The domain of %s is not verified.", f.Address)
		l.Words = words(
			"The records that prove the domain to be yours were not found, or are gone.",
			meanwhile,
			"The page of the sender lists the records: set them at whoever keeps your domain, and look there again after some minutes. Three days after a domain was last proven, or was named without proof, another merchant may name it.",
		)
	case catalog.SenderRefused:
		l.Badge = warn("Refused")
		l.Title = fmt.Sprintf("Amazon SES refused a mail from %s.", f.Address)
		l.Words = words(
			"The mail went from our own address instead, with your name, and so do all others from now on.",
			"Look whether the records are there that the page of the sender lists. Then save the address again there.",
		)
	default: // verified
	}
	return l
}

// merchant is the merchant's title, or name.
func (w noticeWriter) merchant() string { return first(w.m.Title, w.n.Merchant) }

// origin adds who made a change, and when.
func (w noticeWriter) origin(d *details, c notice.Changed) {
	d.add("By", c.By)
	d.add("At", w.moment(c.At))
}

// until is the end of something, or words for no end.
func (w noticeWriter) until(t time.Time, never string) string {
	if t.IsZero() {
		return never
	}
	return w.moment(t)
}

// moreChanged is the table of the changes that a notice counts and does not name.
func (w noticeWriter) moreChanged(where string) []details {
	more := w.n.Facts.Count - len(w.n.Facts.Changed)
	if more <= 0 {
		return nil
	}
	d := details{Title: "Not named here"}
	d.add(phrase.Number(more)+" more", where)
	return []details{d}
}

// together says when the kind of notice is sent.
func together(what string) string {
	return fmt.Sprintf("The first %s of an hour is told at once, others together when the hour ends.", what)
}

// partName is the name of a part of a product's mail, or of an account.
func partName(part string) string {
	if language, ok := strings.CutPrefix(part, "text "); ok {
		return fmt.Sprintf("the text in %s", language)
	}
	if language, ok := strings.CutPrefix(part, "frame "); ok {
		return fmt.Sprintf("what stands around the text in %s", language)
	}
	if name, ok := strings.CutPrefix(part, "credential "); ok {
		return fmt.Sprintf("the credential %s", name)
	}
	names := []string{ // each with its words
		"instructions", "the link to the instructions", "download", "the link to the download", "redeem", "the day until which keys are to be redeemed",
		"delivers_from", "the time from which orders are delivered", "other_products", "what becomes of products that nobody knows",
		"settings", "the settings of the platform",
		"sender", "the address that mails come from",
		"shop_title", "the name of the shop", "sender_name", "the name that mails come from", "reply_to", "the address that answers go to",
		"logo", "the logo",
		"original", "the product whose texts it takes over", "title", "the title",
	}
	if i := slices.Index(names, part); i >= 0 {
		return names[i+1]
	}
	return part
}
