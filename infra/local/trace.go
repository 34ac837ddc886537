package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
	"keypool/shared/access"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// trace prints what happened to an order, and what comes next. It uses the deployment that
// the shell's AWS settings lead to, or the one-machine run: see anyShop. The token of the
// demo merchant there is in .local/env; of others the operator makes one for a moment.
func trace(ctx context.Context, c *call) error {
	const usage = "make trace ORDER=A-1001 MERCHANT=demo"
	number, merchant := c.setting("ORDER", ""), c.setting("MERCHANT", "demo")
	if number == "" || pool.CheckName(merchant) != nil {
		return &machine.Fault{Says: "ORDER is the order's number, as its platform names it; MERCHANT the name of whose it is.", Try: usage}
	}
	s, where, err := anyShop(ctx, c)
	if err != nil {
		return err
	}
	var found []shop.Trace
	read := func(token string) (err error) {
		found, err = s.Traces(ctx, token, number)
		return err
	}
	if env, missing := readEnvironment(c.checkout); s.Inbox != "" && missing == nil && env["KEYPOOL_MERCHANT"] == merchant {
		err = read(env["KEYPOOL_TOKEN"])
	} else {
		err = s.WithToken(ctx, merchant, []string{string(access.OrdersRead)}, read)
	}
	switch {
	case shop.IsMissing(err):
		return &machine.Fault{Says: fmt.Sprintf("There is no merchant %q %s.", merchant, where), Try: usage}
	case err != nil:
		return err
	case len(found) == 0:
		return &machine.Fault{Says: fmt.Sprintf("%s has no order %s %s. An order is known once its platform has reported it.", merchant, printable(number), where), Try: usage}
	}
	for _, o := range found {
		printTrace(os.Stdout, o)
	}
	return nil
}

// printTrace prints one order: how its lines stand, what happened, and what comes by itself.
func printTrace(to io.Writer, o shop.Trace) {
	about := "Order " + printable(o.Order) + ", account " + printable(o.Account)
	if o.Test {
		about += ", a test"
	}
	fmt.Fprintf(to, "%s\n\n", about)
	for _, line := range o.Lines {
		says := fmt.Sprintf("  line %s: %s", printable(line.Line), stands(line.OrderLine))
		if line.QueuePlace > 0 {
			says += fmt.Sprintf(", place %d of its queue", line.QueuePlace)
		}
		fmt.Fprintln(to, printable(says))
		if line.Mend != "" {
			fmt.Fprintf(to, "    %s\n", printable(line.Mend))
		}
	}
	fmt.Fprintln(to)
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	ahead := false
	for _, e := range o.Timeline {
		if e.Ahead && !ahead {
			ahead = true
			table.Flush()
			fmt.Fprintln(to, "\nBy itself, unless something else comes first:")
		}
		at := "at once"
		if !e.At.IsZero() {
			at = e.At.UTC().Format(time.DateTime)
		}
		fmt.Fprintf(table, "  %s\tline %s\t%s\t%s\n", at, printable(e.Line), printable(told(e)), printable(e.By))
	}
	table.Flush()
	if !ahead {
		fmt.Fprintln(to, "\nNothing comes by itself.")
	}
	fmt.Fprintln(to)
}

// told says in words what an entry tells. Another is told by its name.
func told(e shop.TraceEntry) string {
	mail := fmt.Sprintf("mail %d", e.Mail)
	where := "the queue of " + e.Pool
	if e.Pool == "" {
		where = "the queue of its product, which no pool feeds"
	}
	says, known := map[string]string{
		string(order.Received):         "paid, through the account " + e.Account,
		string(order.KeysTaken):        fmt.Sprintf("%s of the pool %s", counted(e.Keys, "key", "keys"), e.Pool),
		string(order.InQueue):          "stands in " + where,
		string(order.ByHand):           "fulfilled by hand",
		string(order.PaidAgain):        "paid again, and nothing was changed",
		string(order.AddressAdded):     "the customer's address came",
		string(order.AddressCorrected): "the customer's address was corrected",
		string(order.RiskReported):     "called risky",
		string(order.UnitsReturned):    "units were given back",
		string(order.OrderReturned):    "the order was given back",
		string(order.RefundMatched):    "a refund of units that were given back before",
		string(order.RefundFailed):     "a refund failed",
		string(order.Resent):           "its keys are mailed again",
		string(order.Replaced):         "a key was replaced",
		string(order.PageOpened):       "the order's page was opened",
		string(order.KeysShown):        "its keys were shown",
		string(order.LinkReplaced):     "the order's page got another link",
		string(order.LinkRevoked):      "the link of the order's page was revoked",
		string(order.MailSent):         mail + " was sent",
		string(order.MailDelayed):      mail + " was not taken yet",
		string(order.MailDelivered):    mail + " arrived",
		string(order.MailBounced):      mail + " came back",
		string(order.MailComplained):   mail + " was called spam",
		string(order.MailFailed):       mail + " was refused by Amazon SES",
		string(order.MailUncertain):    mail + " may have gone out: the next is sent",
		string(order.MailWithdrawn):    mail + " was not sent any more",
		string(order.MailTried):        "its mail is sent",
		string(order.LeaseEnds):        "its mail is sent again, if that was cut off",
		string(order.SweepLooks):       "the sweep looks whether something stopped halfway",
		string(order.AttentionBegins):  "somebody has to look at it",
	}[e.What]
	if !known {
		says = e.What
	}
	if e.MessageID != "" {
		says += " (" + e.MessageID + ")"
	}
	if e.Code != "" {
		says += ": " + e.Code
	}
	return says
}

// printable returns a text without what would steer a terminal: orders are named by strangers.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
