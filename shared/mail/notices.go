package mail

import (
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/mail/text"
	"keypool/shared/notice"
	"keypool/shared/phrase"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// ForNotice makes the mail of a notice: the event, its meaning and the next step.
// Uploads are the records of the uploads that the notice is about.
func ForNotice(n notice.Notice, m catalog.Merchant, p catalog.Pool, uploads []upload.Upload, sender mail.Address, operator string, now time.Time) (Message, error) {
	made, err := composeNotice(n, m, p, uploads, sender, operator, now)
	made.Tags = noticeTags(n.ID, n.Mail.Number)
	return made, err
}

func composeNotice(n notice.Notice, m catalog.Merchant, p catalog.Pool, uploads []upload.Upload, sender mail.Address, operator string, now time.Time) (Message, error) {
	if n.Kind == notice.SampleMail {
		return sampleNotice(n, m, sender, operator, now)
	}
	w := noticeWriter{n: n, m: m, p: p, uploads: uploads, now: now}
	if len(uploads) > 0 {
		w.upload = &uploads[0]
	}
	write, ok := notices[n.Kind]
	if !ok {
		return Message{}, fmt.Errorf("no words for a notice of %s", n.Kind)
	}
	l := write(w)
	l.Language, l.From = "en", "Keypool"
	l.Footer = "You get this mail as the operator of Keypool."
	if n.Kind == notice.SignIn {
		l.Footer = "You get this mail because somebody typed your address at the Merchant Portal. Without it nobody can sign in as you."
	}
	if n.Merchant != "" {
		l.Footer = fmt.Sprintf("This mail goes to the notice address of %s. Reply to it to reach whoever runs Keypool for you.", first(m.Title, n.Merchant))
	}
	switch {
	case n.Kind == notice.Invitation:
		l.Footer = fmt.Sprintf("You get this mail because somebody of %s typed your address. Reply to it to reach whoever runs Keypool for them.", first(m.Title, n.Merchant))
	case n.Kind == notice.OperatorHelp && n.To != "":
		l.Footer = fmt.Sprintf("You get this mail as an owner of %s. Reply to it to reach whoever runs Keypool for you.", first(m.Title, n.Merchant))
	}
	if n.ToFurther() {
		l.Footer = fmt.Sprintf("You get this mail because %s had Keypool warn you of the stock of this pool. Reply to it to reach whoever runs Keypool for them.", first(m.Title, n.Merchant))
	}
	l.Preview = first(l.Preview, text.OneLine(text.Plain(l.Words)))
	l.Subject = first(l.Subject, strings.TrimSuffix(l.Title, "."))
	if l.Button = w.button(); n.Kind == notice.SignIn {
		l.Button = button{"Sign in", n.Facts.Link}
	}
	l.Words, l.More = aroundButton(l.Words)
	made := l.mail()
	made.From = mail.Address{Name: first(sender.Name, "Keypool"), Address: sender.Address}
	made.To = mail.Address{Address: operator}
	if to := first(n.To, m.NoticeAddress); (n.Merchant != "" || n.Kind == notice.SignIn) && to != "" {
		made.To.Address = to
		made.ReplyTo = operator
	}
	return made, nil
}

// aroundButton parts the words of a notice: the first paragraph says what has happened, and the
// button follows at once. It follows all words where that paragraph begins a list.
func aroundButton(words []text.Block) (above, below []text.Block) {
	if len(words) == 0 || strings.HasSuffix(text.Plain(words[:1]), ":") {
		return words, nil
	}
	return words[:1], words[1:]
}

// noticeWriter writes one notice.
type noticeWriter struct {
	n       notice.Notice
	m       catalog.Merchant
	p       catalog.Pool
	uploads []upload.Upload
	upload  *upload.Upload // the first of them, nil if there is none
	now     time.Time
}

// notices are the words for each kind.
var notices = map[notice.Kind]func(noticeWriter) letter{
	notice.LowStock:        noticeWriter.lowStock,
	notice.Empty:           noticeWriter.empty,
	notice.Unconnected:     noticeWriter.unconnected,
	notice.UploadReport:    noticeWriter.uploadReport,
	notice.UploadLimit:     noticeWriter.uploadLimit,
	notice.CallLimit:       noticeWriter.callLimit,
	notice.MailLimit:       noticeWriter.mailLimit,
	notice.JobEnded:        noticeWriter.jobEnded,
	notice.LargeUpload:     noticeWriter.uploadReport,
	notice.UploadReminder:  noticeWriter.uploadReminder,
	notice.Misplaced:       noticeWriter.misplaced,
	notice.OrderRefused:    noticeWriter.orderRefused,
	notice.PaidBefore:      noticeWriter.paidBefore,
	notice.NoAddress:       noticeWriter.noAddress,
	notice.PaymentIgnored:  noticeWriter.paymentIgnored,
	notice.MailFailed:      noticeWriter.mailFailed,
	notice.Bounced:         noticeWriter.bounced,
	notice.Complained:      noticeWriter.complained,
	notice.ChangedRepeat:   noticeWriter.changedRepeat,
	notice.RefundFailed:    noticeWriter.refundFailed,
	notice.RefundUnclear:   noticeWriter.refundUnclear,
	notice.RefundMatched:   noticeWriter.refundMatched,
	notice.PaidAfterReturn: noticeWriter.paidAfterReturn,
	notice.PaidAgain:       noticeWriter.paidAgain,
	notice.AddressMended:   noticeWriter.addressMended,
	notice.RiskAfterKeys:   noticeWriter.riskAfterKeys,
	notice.RenewalWaits:    noticeWriter.renewalWaits,
	notice.HeldForReview:   noticeWriter.heldForReview,
	notice.BigDay:          noticeWriter.bigDay,
	notice.UnknownEvent:    noticeWriter.unknownEvent,
	notice.NotSigned:       noticeWriter.notSigned,
	notice.CatchupFailed:   noticeWriter.catchupFailed,
	notice.WebhookInactive: noticeWriter.webhookInactive,
	notice.NewToken:        noticeWriter.newToken,
	notice.ExpiringToken:   noticeWriter.expiringToken,
	notice.NewSecret:       noticeWriter.newSecret,
	notice.ChangedAccount:  noticeWriter.changedAccount,
	notice.ChangedText:     noticeWriter.changedText,
	notice.ChangedPerson:   noticeWriter.changedPerson,
	notice.ChangedAddress:  noticeWriter.changedAddress,
	notice.SignIn:          noticeWriter.signIn,
	notice.Invitation:      noticeWriter.invitation,
	notice.LostInvitation:  noticeWriter.lostInvitation,
	notice.OperatorHelp:    noticeWriter.operatorHelp,
	notice.ChangedWarnings: noticeWriter.changedWarnings,
	notice.UnreadWarning:   noticeWriter.unreadWarning,
	notice.SenderState:     noticeWriter.senderState,
}

func (w noticeWriter) lowStock() letter {
	f := w.n.Facts
	left := phrase.Count(f.Available, "key")
	return letter{
		Badge: warn("Low stock"),
		Title: fmt.Sprintf("%s has %s left.", w.pool(), left),
		Words: words(
			fmt.Sprintf("The pool %s holds %s that %s not sold yet. %s to be told when there are fewer than %s.",
				w.pool(), left, phrase.Plural(f.Available, "is", "are"), w.whoAsked(), phrase.Number(f.Threshold)),
			"Orders are still served at once. When the last key is gone, paid orders wait until you bring new ones; none is lost.",
			w.howToRestock(),
		),
		Details: w.facts("Pool", w.pool(), "Keys left", phrase.Number(f.Available), "Warned below", phrase.Number(f.Threshold), "Seen", w.moment(w.n.RaisedAt)),
	}
}

func (w noticeWriter) empty() letter {
	f := w.n.Facts
	l := letter{
		Badge: stop("Empty"),
		Title: fmt.Sprintf("%s has no keys left.", w.pool()),
		Words: words(
			fmt.Sprintf("The last key of the pool %s is gone. The next paid order will have to wait.", w.pool()),
			w.howToRestock(),
		),
		Details: w.facts("Pool", w.pool(), "Seen", w.moment(w.n.RaisedAt)),
	}
	if f.Waiting == 0 {
		return l
	}
	l.Badge = stop("Orders wait")
	l.Title = fmt.Sprintf("%s has no keys left, and %s.", w.pool(), phrase.Count(f.Waiting, "paid order waits", "paid orders wait"))
	missing := max(f.Missing, f.Waiting)
	what := fmt.Sprintf("%s for %s that the pool %s does not have.",
		phrase.Capital(phrase.Count(f.Waiting, "paid order waits", "paid orders wait")), phrase.Count(missing, "key"), w.pool())
	if !f.Started.IsZero() {
		what += fmt.Sprintf(" The oldest has waited since %s.", w.moment(f.Started))
	}
	turn := "The orders are safe and are served oldest first, each as soon as there are keys for it; the customers are mailed by themselves."
	if f.Waiting == 1 {
		turn = "The order is safe and is served as soon as there are keys for it; the customer is mailed by itself."
	}
	if f.HeadNeeds > 1 && f.Waiting > 1 {
		turn += fmt.Sprintf(" The first in the queue needs %s at once: smaller orders behind it wait for their turn.", phrase.Count(f.HeadNeeds, "key"))
	}
	l.Words = words(what, turn, w.howToRestock())
	l.Details = w.facts("Pool", w.pool(), "Orders that wait", phrase.Number(f.Waiting), "Keys they need", phrase.Number(missing), "Seen", w.moment(w.n.RaisedAt))
	return l
}

func (w noticeWriter) unconnected() letter {
	f := w.n.Facts
	var unfed, shipped []notice.Product
	for _, p := range f.Products {
		if p.Ships {
			shipped = append(shipped, p)
		} else {
			unfed = append(unfed, p)
		}
	}
	var l letter
	if len(unfed) > 0 {
		l = unfedLetter(unfed)
	}
	if len(shipped) > 0 {
		l.Words = append(l.Words, words(
			shippedWords(shipped),
			"If it is no mistake, mark the product as ignored in its settings here. If it is one, say so in the shop: in Shopify, switch off “This is a physical product” at the product; in Stripe, take shippable from it, or put the metadata keypool_product on it. "+
				"Such orders do not wait: give their customers keys by hand, with “Fulfil one by hand” under Orders in the Merchant Portal.",
		)...)
	}
	if len(unfed) == 0 {
		l.Badge, l.Title = warn("Please look"), "Products with keys are sold as things that ship."
		if len(shipped) == 1 {
			l.Title = fmt.Sprintf("Product %s is sold as something that ships.", shipped[0].ID)
		}
	}
	products := details{Title: "Sold"}
	for _, p := range f.Products {
		orders := phrase.Count(p.Count, "order")
		if len(p.Orders) > 0 {
			orders += ": " + strings.Join(p.Orders, ", ")
		}
		if p.Count > len(p.Orders) {
			orders += ", …"
		}
		note := testNote(p.Side)
		if p.Ships {
			note += ", ships"
		}
		products.add(p.ID+note, orders)
	}
	if len(f.Products) == notice.KeptProducts {
		products.add("And others, perhaps", "a mail names "+phrase.Number(notice.KeptProducts))
	}
	l.Details = append([]details{products}, w.facts("Account", f.Account, "Seen", w.moment(w.n.RaisedAt))...)
	return l
}

// unfedLetter tells of products that no pool feeds.
func unfedLetter(products []notice.Product) letter {
	title := fmt.Sprintf("%d products are sold, but no pool feeds them.", len(products))
	sold := "Orders for these products were paid, and Keypool does not know which pool their keys come from. Either a product is not set up, or it has no pool for the currency of the order; or all its orders get one code, which is not set or is blocked."
	if len(products) == 1 {
		p := products[0]
		title = fmt.Sprintf("Product %s is sold, but no pool feeds it.", p.ID)
		sold = fmt.Sprintf("%s for the product %s %s paid%s, and Keypool does not know which pool the keys come from. Either the product is not set up, or it has no pool for the currency of the order; or all its orders get one code, which is not set or is blocked.",
			phrase.Capital(phrase.Count(p.Count, "order")), p.ID, phrase.Plural(p.Count, "was", "were"), testNote(p.Side))
	}
	return letter{
		Badge: stop("Orders wait"),
		Title: title,
		Words: words(
			sold,
			"The orders are safe and wait. Say in the product's settings which pool its keys come from, or enter the one code that all get: "+
				"all orders for it are then served by themselves, oldest first.",
			"You are told at once when this begins, then once a day for each account, of all such products together. If one is sold without keys, mark it as ignored in its settings. "+
				"If the shop sells many other things, have the account ignore all products that are not set up here: its page has that setting.",
		),
	}
}

// shippedWords tells of products that are set up here, and that the shop ships.
func shippedWords(products []notice.Product) string {
	if len(products) == 1 {
		return fmt.Sprintf("The product %s is set up here, and the shop sells it as something that ships. What ships gets no keys, so none were sent.", products[0].ID)
	}
	return fmt.Sprintf("%d products are set up here, and the shop sells them as things that ship, as is marked below. What ships gets no keys, so none were sent.", len(products))
}

func (w noticeWriter) orderRefused() letter {
	f := w.n.Facts
	order := "an order"
	if len(f.Refused) == 1 && f.Refused[0].Order != "" {
		order = "order " + f.Refused[0].Order
	}
	told := "The first order that we cannot take is told at once, others of the same hour together when it ends."
	l := letter{
		Badge: stop("Action needed"),
		Title: fmt.Sprintf("We could not take %s.", order),
		Words: words(
			fmt.Sprintf("Your shop told us of %s, by a signed message or when we asked for what we missed. We could not take what it told us, so no key was sent for that.", order),
			"Correct what is named below in the shop, or the limit it runs into, and let the platform send the message again. If that is no help, give the customer a key by hand, with “Fulfil one by hand” under Orders in the Merchant Portal.",
			told,
		),
	}
	if f.Count > 1 {
		l.Title = fmt.Sprintf("We could not take %s.", phrase.Count(f.Count, "order"))
		l.Words = words(
			fmt.Sprintf("Your shop told us of %s, by signed messages or when we asked for what we missed. We could not take what it told us, so no key was sent for any of that.", phrase.Count(f.Count, "order")),
			"Correct what is named below in the shop, or the limit it runs into, and let the platform send the messages again. If that is no help, give these customers keys by hand, with “Fulfil one by hand” under Orders in the Merchant Portal.",
			told,
		)
	}
	l.Details = w.refusals(phrase.Plural(f.Count, "What was wrong", "What was wrong with each"))
	return l
}

// refusals lists what was refused, and says when.
func (w noticeWriter) refusals(title string) []details {
	f := w.n.Facts
	list := details{Title: title}
	for _, r := range f.Refused {
		list.add(first(r.Order, "without a number")+" ("+r.Account+")", r.Cause)
	}
	if more := f.Count - len(f.Refused); more > 0 {
		list.add("And "+phrase.Number(more)+" more", "in the Merchant Portal, under Orders")
	}
	return append([]details{list}, w.facts("Seen", w.moment(w.n.RaisedAt))...)
}

func (w noticeWriter) paidBefore() letter {
	f := w.n.Facts
	title := phrase.Count(f.Count, "old order is", "old orders are") + " on hold."
	if len(f.Refused) == 1 && f.Count == 1 {
		title = fmt.Sprintf("Order %s is from before, and on hold.", f.Refused[0].Order)
	}
	l := letter{
		Badge: warn("Please look"),
		Title: title,
		Words: words(
			"Your shop told us of orders that were paid before the account delivers: most often they were edited there, or the shop was connected just now. So that nothing is sold again, they are on hold, and no key was sent for them.",
			"If these customers have what they paid for, there is nothing to do. If one has not, release the order. To set an earlier day for the account is of use only for orders that we have not heard of yet.",
			"The first such order of a day is told at once, others together when the day ends.",
		),
	}
	l.Details = w.refusals("Paid")
	return l
}

// mailLimit tells of notices that were not mailed.
func (w noticeWriter) mailLimit() letter {
	f := w.n.Facts
	list := details{Title: "Not sent"}
	for i, subject := range f.Mails {
		list.add(phrase.Number(i+1), subject)
	}
	if more := f.Count - len(f.Mails); more > 0 {
		list.add("And", phrase.Number(more)+" more")
	}
	return letter{
		Badge: warn("Limit reached"),
		Title: phrase.Capital(phrase.Count(f.Count, "mail")) + " to you " + phrase.Plural(f.Count, "was", "were") + " not sent: the day's limit is reached.",
		Words: words(
			fmt.Sprintf("You get up to %s mails from Keypool in a day, by UTC, and have got them. Below are the subjects of those that were not sent after that. Mails to your customers do not count, and all go out.", phrase.Number(int(f.Limit))),
			"Nothing that they tell is lost. The Merchant Portal shows the orders that need you, and what became of your files.",
			"Further ones of the same day are told together when it ends, at midnight UTC. Warnings of stock, orders that get no keys, and changes of who may do what are mailed at once all the while.",
			"If so many mails are usual here, whoever runs Keypool for you can raise the limit: reply to this mail.",
		),
		Details: append([]details{list}, w.facts("Limit", phrase.Number(int(f.Limit))+" mails a day", "Seen", w.moment(w.n.RaisedAt))...),
	}
}

func (w noticeWriter) noAddress() letter {
	f := w.n.Facts
	which, title := "An order was", fmt.Sprintf("Order %s has no mail address.", strings.Join(f.Orders, ", "))
	if f.Count > 1 {
		which, title = phrase.Capital(phrase.Count(f.Count, "order"))+" were", phrase.Capital(phrase.Count(f.Count, "order"))+" have no mail address."
	}
	orders := strings.Join(f.Orders, ", ")
	if f.Count > len(f.Orders) {
		orders += ", …"
	}
	return letter{
		Badge: stop("Action needed"),
		Title: title,
		Words: words(
			which+" paid, and the shop told us no mail address of the customer: there is nowhere to send the keys. What was bought is on hold, and takes no keys yet.",
			"Enter the customer's address at the order in the shop. When the shop tells us of the order again, or we find that it has changed, the keys are sent by themselves; an order from before its account delivers must be released as well. A key to the shop's API has us look every 15 minutes. Without one, Shopify does not tell of the order again: enter such a key on the page of the account.",
			"If your Shopify orders have addresses, your app may not read them: give it access to protected customer data with email addresses (Dev Dashboard, your app, API access). Then change something at each order, such as its note, so that we read it again.",
			"If somebody is to have no keys, give the order back, on its page. The first such order of an hour is told at once, others together when the hour ends.",
		),
		Details: w.facts(phrase.Plural(f.Count, "Order", "Orders"), orders, "Account", f.Account, "Seen", w.moment(w.n.RaisedAt)),
	}
}

func (w noticeWriter) paymentIgnored() letter {
	f := w.n.Facts
	title := phrase.Number(f.Count) + " payments got no keys."
	if len(f.Refused) == 1 && f.Count == 1 {
		title = fmt.Sprintf("The payment %s got no keys.", f.Refused[0].Order)
	}
	l := letter{
		Badge: warn("Please look"),
		Title: title,
		Words: words(
			"Your platform told us of money that did not come by an order which Keypool delivers: nothing says which keys it is for. So no key was sent.",
			"If a customer is to have keys for such a payment, give them by hand, with “Fulfil one by hand” under Orders in the Merchant Portal. If you sell keys in this way, have the customers order by the platform's own checkout: the account's steps in the Merchant Portal say which orders are delivered.",
			"If these payments are for other things, there is nothing to do. Have the account ignore all products that are not set up here, and you are not told of them: its page has that setting.",
			"The first such payment of a day is told at once, others together when the day ends.",
		),
	}
	l.Details = w.refusals("Paid")
	return l
}

// lookAt returns a letter that has the merchant look at an order, whose number stands for %s in
// the title and in what happened. More are pairs of facts.
func (w noticeWriter) lookAt(title, happened, todo string, more ...string) letter {
	order := strings.Join(w.n.Facts.Orders, ", ")
	facts := slices.Concat([]string{"Order", order, "Account", w.n.Facts.Account}, more, []string{"Seen", w.moment(w.n.RaisedAt)})
	return letter{
		Badge:   warn("Please look"),
		Title:   fmt.Sprintf(title, order),
		Words:   words(fmt.Sprintf(happened, order), todo),
		Details: w.facts(facts...),
	}
}

func (w noticeWriter) changedRepeat() letter {
	return w.lookAt(
		"Order %s was reported twice, and not the same.",
		"Your shop told us again that a line of order %s was paid, this time with another product or quantity. We keep to what was said first: nothing was changed, and no further key was sent.",
		"If the order was really changed, sell the difference as an order of its own. If not, the shop sends a wrong message, and somebody should look at it there.",
	)
}

func (w noticeWriter) refundFailed() letter {
	return w.lookAt(
		"A refund of order %s failed.",
		"The platform tells us that a refund of order %s did not reach the customer. Keys that were taken back for it, if any were, stay taken back: nobody can tell whether the customer still has them.",
		"Refund the customer in another way. Another refund at the platform takes further keys of the order, if it has any left. If the order stands after all, replace or deliver its keys by hand.",
		"Refund", w.n.Facts.Cause,
	)
}

func (w noticeWriter) refundUnclear() letter {
	return w.lookAt(
		"Which keys of order %s were refunded?",
		"An amount of order %s was given back, and neither it nor its platform says for which units. No key was taken back: we cannot tell which.",
		"If keys are to be taken back, choose Give back on the order's page, and what it is for. If not, there is nothing to do.",
		"Refund", w.n.Facts.Cause,
	)
}

func (w noticeWriter) refundMatched() letter {
	return w.lookAt(
		"Is the refund of order %s for what you returned before?",
		"A person gave back units of order %s, and now the platform has refunded units of the same line. We take it to be the same return: no key was taken for those units again.",
		"If so, there is nothing to do. If it was for further units, choose Give back on the order's page, and what it is for.",
		"Refund", w.n.Facts.Cause,
	)
}

func (w noticeWriter) paidAfterReturn() letter {
	return w.lookAt(
		"Order %s was refunded before we heard that it was paid.",
		"The platform reported a refund, or a lost dispute, of order %s before it reported the payment. The order is on hold: no key was sent.",
		"Most likely it was paid and refunded at once, and there is nothing to do. If it was paid again, release it, on its page.",
	)
}

func (w noticeWriter) paidAgain() letter {
	return w.lookAt(
		"Order %s was returned, and your shop says that it is paid.",
		"Your shop had given order %s back, in whole or in part: it was cancelled or refunded, and Keypool took its keys back. By now the shop says that it is paid. A return is final, so that no key was sent for it again, and the customer may be waiting.",
		"If it was cancelled by mistake, or was paid once more, fulfil it by hand, under a number that you choose, with “Fulfil one by hand” under Orders in the Merchant Portal. If the customer has the money back, there is nothing to do.",
		"Returned", w.moment(w.n.Facts.Started),
	)
}

func (w noticeWriter) riskAfterKeys() letter {
	return w.lookAt(
		"Order %s is called risky, and its keys are sent.",
		"The platform called order %s risky after it was paid. Your rules hold risky orders, but its keys had been mailed by then, or were being mailed. Nothing was changed.",
		"Look at the order there. If you pay it back, Keypool takes the keys back as your settings say; they cannot be unsent. Put the order on hold, on its page, and they are not mailed again.",
		"The platform's word", w.n.Facts.Cause,
	)
}

// causesOfRenewal say why the keys of a parent cannot be mailed.
var causesOfRenewal = map[string]string{
	"ParentUnknown":   "Keypool does not know that order: it was never reported as paid. It goes out by itself once it is.",
	"ParentUnclear":   "that order has several lines, and none of them is of the same product.",
	"ParentCircle":    "the orders that it renews, one after the other, lead back to each other.",
	"ParentOfAnother": "that order has another customer's address, so its keys may not be this customer's.",
	"ParentWaits":     "that order has not got its own keys yet. It goes out by itself once it has.",
	"ParentHeld":      "that order is on hold or in dispute. It goes out by itself when that ends.",
	"ParentReturned":  "that order was returned, and its keys with it.",
}

func (w noticeWriter) renewalWaits() letter {
	f := w.n.Facts
	renewal, parent := f.Orders[0], f.Orders[len(f.Orders)-1]
	return letter{
		Badge: warn("Please look"),
		Title: fmt.Sprintf("Order %s renews order %s, whose keys we cannot send.", renewal, parent),
		Words: words(
			fmt.Sprintf("The product %s is set to mail a renewal the keys of the order that it renews. The mail of order %s is held back, since %s", f.Product, renewal, causesOfRenewal[f.Cause]),
			"If the customer is to get a new key instead, give the order back, on its page, and have your shop send an order without a parent.",
			"You are told this once a line.",
		),
		Details: w.facts("Order", renewal, "Renews", parent, "Product", f.Product, "Account", f.Account, "Seen", w.moment(w.n.RaisedAt)),
	}
}

func (w noticeWriter) unknownEvent() letter {
	name := w.n.Facts.Cause
	return letter{
		Badge: warn("Please look"),
		Title: fmt.Sprintf("We took no notice of an event named %s.", name),
		Words: words(
			fmt.Sprintf("Your shop sent us an event of the type %s. It was signed as it should be, but Keypool acts on no event of this type: nothing was stored, and no key was sent for it.", name),
			"If it tells of an order that was paid, refunded or disputed, have the shop send it as order.paid, order.refunded or order.disputed: the API's document describes these events under webhooks. If it tells of something else, there is nothing to do, and the shop need not send it.",
			"Which events count for an account of another platform, its settings say: event.paid and event.returned name them. If the name ends with (not passed: …), the event did not pass that test of the settings; of a refund, nothing was taken back.",
			"You are told this once a day for each type.",
		),
		Details: w.facts("Type", name, "Seen", w.moment(w.n.RaisedAt)),
	}
}

func (w noticeWriter) notSigned() letter {
	f := w.n.Facts
	l := letter{
		Badge: stop("Action needed"),
		Title: fmt.Sprintf("A message to your account %s has the wrong signature.", f.Account),
		Words: words(
			fmt.Sprintf("A message came to the address of your account %s, and none of the account's secrets signed it. If your shop sent it, somebody may have paid and got no key: Keypool takes nothing that is not signed.", f.Account),
			"Please compare the signing secret in the shop with the account's. If you are not sure, give the account a new one and write it into the shop; the one before stays good meanwhile. Then let the shop send what failed again.",
			"If the shop has the right secret, a stranger sent the message, and there is nothing to do.",
		),
	}
	if f.Cause == notice.CauseClock {
		l.Title = fmt.Sprintf("A message to your account %s has the wrong time.", f.Account)
		l.Words = words(
			fmt.Sprintf("A message came to the address of your account %s. It was signed as it should be, with a time that is more than five minutes away from ours: an old message that somebody sends again looks the same, so nothing was stored, and no key was sent for it.", f.Account),
			"Please set the clock of the machine that sends it, or have it sign each message when it is sent. Then let the shop send what failed again.",
		)
	}
	l.Words = append(l.Words, words("You are told this once an hour for each account. How many messages were not signed, and when the last good one came, stands on the page of the account.")...)
	l.Details = w.facts("Account", f.Account, "Seen", w.moment(w.n.RaisedAt))
	return l
}

func (w noticeWriter) catchupFailed() letter {
	f := w.n.Facts
	return letter{
		Badge: stop("Action needed"),
		Title: fmt.Sprintf("We cannot ask the platform of your account %s.", f.Account),
		Words: words(
			fmt.Sprintf("Every 15 minutes we ask the payment platform of your account %s what was paid and refunded, so that an order whose webhook never came gets its keys all the same. That fails, for the reason below.", f.Account),
			"Webhooks are taken as before. But an order whose webhook is lost, or for which we have to ask first, now waits until this is mended. Then we ask for everything since the last time, and nothing is left out.",
			"You are told this once a day for each account. How far we have come stands on the page of the account.",
		),
		Details: w.facts("Account", f.Account, "What is wrong", f.Cause, "Seen", w.moment(w.n.RaisedAt)),
	}
}

func (w noticeWriter) webhookInactive() letter {
	f := w.n.Facts
	l := letter{
		Badge: stop("Action needed"),
		Title: fmt.Sprintf("The webhook of your account %s is switched off.", f.Account),
		Words: words(
			fmt.Sprintf("The payment platform of your account %s says that its webhook to us is switched off. Platforms do so by themselves when their messages failed for some time.", f.Account),
			"Please switch it on again in the platform's settings.",
		),
	}
	if f.Cause == notice.CauseMissing {
		l.Title = fmt.Sprintf("The webhook of your account %s is missing.", f.Account)
		l.Words = words(
			fmt.Sprintf("The payment platform of your account %s has no webhook to the account's address, or one that lacks events that we need.", f.Account),
			"Please go through the account's steps once more: they name the address, and the events.",
		)
	}
	l.Words = append(l.Words, words(
		"Until then we ask the platform every 15 minutes, so that no paid order is lost; but its keys go out that much later.",
		"You are told this once a day for each account.",
	)...)
	l.Details = w.facts("Account", f.Account, "Seen", w.moment(w.n.RaisedAt))
	return l
}

func (w noticeWriter) mailFailed() letter {
	f := w.n.Facts
	order := strings.Join(f.Orders, ", ")
	l := letter{
		Badge: stop("Action needed"),
		Title: fmt.Sprintf("The mail for order %s cannot be sent.", order),
		Words: words(
			fmt.Sprintf("The mail service refuses the mail for order %s, for good: most often the customer's address cannot exist as it was typed.", order),
			"The order keeps its keys, and they go to nobody else. Ask the customer for an address that works, enter it on the order's page, and the keys are mailed at once.",
		),
		Details: w.facts("Order", order, "Product", f.Product, "Reason given", f.Cause, "Seen", w.moment(w.n.RaisedAt)),
	}
	if w.n.Merchant == "" {
		l.Title = "A notice cannot be sent."
		l.Words = words(
			fmt.Sprintf("The mail service refuses a notice for %s, for good: most often the notice address cannot exist as it was typed.", order),
			"Until the address is corrected, this merchant is not told of empty pools and waiting orders. Please correct it in the merchant's settings.",
		)
		l.Details = w.facts("Merchant", order, "Reason given", f.Cause, "Seen", w.moment(w.n.RaisedAt))
	}
	return l
}

func (w noticeWriter) bounced() letter {
	f := w.n.Facts
	if w.n.Merchant == "" {
		return letter{
			Badge: stop("Action needed"),
			Title: "Notices to " + phrase.List(f.Orders) + " come back.",
			Words: words(
				"The mail server behind a merchant's notice address refused our notice.",
				"Until the address is corrected, the merchant is not told of empty pools and waiting orders. Please correct it in the merchant's settings.",
			),
			Details: w.facts("Merchants", strings.Join(f.Orders, ", "), "Notices that came back", phrase.Number(f.Count)),
		}
	}
	return letter{
		Badge: stop("Action needed"),
		Title: phrase.Capital(phrase.Count(f.Count, "mail to a customer came back.", "mails to customers came back.")),
		Words: words(
			fmt.Sprintf("The mail servers of these customers refused our %s: the address does not exist, or the mailbox is full. They have not seen what we wrote.",
				phrase.Plural(f.Count, "mail", "mails")),
			"The orders keep their keys, and they go to nobody else. Ask these customers for an address that works, enter it on the order's page, and the keys are mailed at once.",
			"The first mail that comes back is told at once, others of the same hour together when it ends.",
		),
		Details: w.facts(phrase.Plural(f.Count, "Order", "Orders"), w.orders()),
	}
}

func (w noticeWriter) complained() letter {
	f := w.n.Facts
	if w.n.Merchant == "" {
		return letter{
			Badge:   warn("Please look"),
			Title:   "A notice was reported as unwanted.",
			Words:   words("Somebody who reads the notice address of " + phrase.List(f.Orders) + " marked a notice as unwanted mail. Please ask whether the address is the right one: mail providers count such marks against us."),
			Details: w.facts("Merchants", strings.Join(f.Orders, ", "), "Notices", phrase.Number(f.Count)),
		}
	}
	return letter{
		Badge: warn("Please look"),
		Title: phrase.Capital(phrase.Count(f.Count, "customer marked our mail as spam.", "customers marked our mail as spam.")),
		Words: words(
			"They got the mail for their order, and said in their mail program that it is spam. It happens by mistake, and it happens when somebody gets a mail for an order that is not theirs.",
			"Please look whether these orders are genuine. Mail providers count such reports against the sender.",
		),
		Details: w.facts(phrase.Plural(f.Count, "Order", "Orders"), w.orders()),
	}
}

// pool returns the title of the pool, or its name.
func (w noticeWriter) pool() string {
	return first(w.p.Title, w.n.Facts.Pool) + testNote(w.n.Facts.Side)
}

func testNote(side pool.Side) string {
	if side == pool.Test {
		return " (test keys)"
	}
	return ""
}

// whoAsked begins a sentence on what was asked for.
func (w noticeWriter) whoAsked() string {
	if w.n.ToFurther() {
		return w.merchant() + " asked for you"
	}
	return "You asked"
}

func (w noticeWriter) howToRestock() string {
	folder := "uploads/" + w.n.Merchant + "/" + w.n.Facts.Pool + "/"
	if w.n.Facts.Side == pool.Test {
		folder += "test/"
	}
	if w.n.ToFurther() {
		return fmt.Sprintf("If you may sign in to the Merchant Portal for %s, add new keys there. If not, send them to %s.", w.merchant(), w.merchant())
	}
	return "To bring new keys, add a file or paste them in the Merchant Portal. A program drops a text file with one key a line into " + folder + " of the upload bucket."
}

// orders lists the orders that a notice names, and how many more there are.
func (w noticeWriter) orders() string {
	f := w.n.Facts
	list := strings.Join(f.Orders, ", ")
	if more := f.Count - len(f.Orders); more > 0 {
		list += fmt.Sprintf(" and %s more", phrase.Number(more))
	}
	return list
}

// facts makes one table of alternating names and values.
func (w noticeWriter) facts(pairs ...string) []details {
	d := details{Title: "At a glance"}
	for i := 0; i < len(pairs); i += 2 {
		d.add(pairs[i], pairs[i+1])
	}
	if len(d.Rows) == 0 {
		return nil
	}
	return []details{d}
}

// moment returns a time in the merchant's time zone.
func (w noticeWriter) moment(t time.Time) string {
	t = t.In(w.m.Zone())
	return t.Format("2 January 2006, 15:04") + " " + zoneName(t)
}

// zoneName is the abbreviation of a zone, or its offset where it has none.
func zoneName(t time.Time) string {
	name, _ := t.Zone()
	if strings.HasPrefix(name, "+") || strings.HasPrefix(name, "-") {
		return "UTC" + name
	}
	return name
}

// day is the day of t, with its year unless it is this one.
func (w noticeWriter) day(t time.Time) string {
	t, now := t.In(w.m.Zone()), w.now.In(w.m.Zone())
	if t.Year() == now.Year() {
		return t.Format("2 January")
	}
	return t.Format("2 January 2006")
}

// words makes paragraphs of facts. Tags in them are not expanded.
func words(paragraphs ...string) []text.Block {
	var blocks []text.Block
	for _, paragraph := range paragraphs {
		block := text.Block{}
		for _, line := range strings.Split(paragraph, "\n") {
			block.Lines = append(block.Lines, text.Line{{Text: line}})
		}
		blocks = append(blocks, block)
	}
	return blocks
}
