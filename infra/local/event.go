package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"keypool/infra/local/machine"
	"keypool/infra/local/sample"
	"keypool/infra/local/shop"
	"keypool/infra/local/standin"
	"keypool/shared/mailaddress"
	"keypool/shared/order"
	"keypool/shared/platform"
)

// sendEvent sends a signed sample of a platform's webhook to the account of the demo
// merchant, which it makes if there is none, and says what became of it.
func sendEvent(ctx context.Context, c *call) error {
	p, w, err := chosen(c)
	if err != nil {
		return err
	}
	o, err := orderOf(c, p, w)
	if err != nil {
		return err
	}
	s, env, err := running(ctx, c)
	if err != nil {
		return err
	}
	if o.Product == "" {
		o.Product = env["KEYPOOL_PRODUCT"]
	}
	a, err := accountOf(ctx, c, s, env, p)
	if err != nil {
		return err
	}
	if o.PaidAt.IsZero() {
		o.PaidAt = now()
	}
	w.Be(o)
	request, err := s.Sample(w, env["KEYPOOL_MERCHANT"], a.name, a.secrets, now())
	if err != nil {
		return err
	}
	answer, err := sendSample(ctx, c.machine, s, request, w, o, a.secrets)
	if err != nil {
		return err
	}
	fmt.Printf("POST %s%s\n%s\n\n%d in %s\n%s\n\n", s.URL, request.Path, request.Body, answer.Status, took(answer.Took), answer.Body)
	if answer.Status == http.StatusUnauthorized {
		return &machine.Fault{
			Says: fmt.Sprintf("The account %s has signing secrets of somebody else's, not those of make event.", a.name),
			Try:  "make reset up   (or take the account's own secrets, and send with curl)",
		}
	}
	if answer.Refused() != nil {
		return &machine.Fault{Says: "The webhook was refused.", Try: "make logs FUNCTION=webhook"}
	}
	lines, err := tellOrder(ctx, s, env["KEYPOOL_TOKEN"], w, o)
	if err != nil {
		return err
	}
	for _, says := range hints(lines, env["KEYPOOL_POOL"]) {
		fmt.Printf("\n%s\n", says)
	}
	if o.PaidAt.Before(a.deliversFrom) && isHeld(lines, order.HoldPaidBefore) {
		fmt.Printf("\nPAID_AT is before %s, from which on the account delivers: it gets no key, unless POST /v1/orders/%s/release says so.\n",
			a.deliversFrom.Format(time.RFC3339), w.Order)
	}
	if c.setting("ORDER", "") == "" && !slices.ContainsFunc(lines, func(l shop.OrderLine) bool { return l.State != string(order.Expected) }) {
		fmt.Printf("\nThe order was made up, and nobody has paid it. What happens to an order that was paid names it:\n  make event PLATFORM=%s EVENT=paid\n  make event PLATFORM=%s EVENT=%s ORDER=…   (the number that it prints)\n",
			p.Name, p.Name, w.Event)
	}
	again := fmt.Sprintf("make event PLATFORM=%s EVENT=%s ORDER=%s", p.Name, w.Event, o.ID)
	for _, name := range []string{"PAID_AT", "PRODUCT", "QUANTITY", "EMAIL", "TEST"} {
		if value := c.setting(name, ""); value != "" {
			again += " " + name + "=" + shop.Quote(value)
		}
	}
	fmt.Printf("\nThe same again:  %s\n", again)
	return nil
}

// sendSample sends a sample, while stand-ins of the platform's API answer what the function
// asks for. They print what they are asked: that goes nowhere.
func sendSample(ctx context.Context, m *machine.Machine, s *shop.Shop, r shop.Request, w *sample.Webhook, o sample.Order, secrets shop.Secrets) (shop.Answer, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return shop.Answer{}, err
	}
	defer null.Close()
	out := os.Stdout
	os.Stdout = null
	defer func() { os.Stdout = out }()
	internet, err := standin.Open(ctx, m)
	if err != nil {
		return shop.Answer{}, err
	}
	defer internet.Close()
	if err := internet.Take(w, o, secrets.Credentials); err != nil {
		return shop.Answer{}, err
	}
	return s.Do(ctx, r)
}

// chosen returns the platform and the sample that PLATFORM and EVENT name.
func chosen(c *call) (sample.Platform, *sample.Webhook, error) {
	p, ok := sample.Of(c.setting("PLATFORM", ""))
	if !ok {
		return p, nil, &machine.Fault{
			Says: "PLATFORM is one of: " + strings.Join(sample.Names(), ", ") + ".", Try: "make event PLATFORM=stripe EVENT=paid",
		}
	}
	folder := os.DirFS(filepath.Join(c.checkout, "events"))
	w, err := p.Read(folder, c.setting("EVENT", ""))
	if errors.Is(err, sample.ErrUnknown) {
		events, err := p.Events(folder)
		if err != nil {
			return p, nil, err
		}
		return p, nil, &machine.Fault{
			Says: "EVENT, of the platform " + p.Name + ", is one of: " + strings.Join(events, ", ") + ".",
			Try:  "make event PLATFORM=" + p.Name + " EVENT=paid",
		}
	}
	return p, w, err
}

// orderOf returns the order that the settings of the command describe. One without a number
// gets a new one.
func orderOf(c *call, p sample.Platform, w *sample.Webhook) (sample.Order, error) {
	try := "make event PLATFORM=" + p.Name + " EVENT=" + w.Event
	o := sample.Order{ID: c.setting("ORDER", ""), Product: c.setting("PRODUCT", ""), Test: c.setting("TEST", "") != ""}
	if o.Test && p.TestBySample {
		return o, &machine.Fault{Says: "A test order of the platform " + p.Name + " is a sample of its own.", Try: "make event PLATFORM=" + p.Name + " EVENT=paid_test"}
	}
	if text := c.setting("QUANTITY", ""); text != "" {
		var err error
		if o.Quantity, err = strconv.Atoi(text); err != nil || o.Quantity < 1 {
			return o, &machine.Fault{Says: "QUANTITY is not a whole number above 0.", Try: try + " QUANTITY=2"}
		}
	}
	if text := c.setting("PAID_AT", ""); text != "" {
		var err error
		if o.PaidAt, err = time.Parse(time.RFC3339, text); err != nil {
			return o, &machine.Fault{Says: "PAID_AT is not a time.", Try: try + " PAID_AT=2020-01-01T00:00:00Z"}
		}
	}
	if o.ID == "" {
		o.ID = p.ID(sample.NewNumber(), w.Test || o.Test)
	} else if err := p.CheckID(o.ID); err != nil {
		return o, &machine.Fault{Says: "ORDER, of the platform " + p.Name + ", " + err.Error() + ".", Try: try}
	}
	// An address of its own tells the mails of one order from those of another.
	if o.Email = c.setting("EMAIL", "customer-of-"+strings.ToLower(strings.Map(plain, o.ID))+"@shop.example"); !mailaddress.Valid(o.Email) {
		return o, &machine.Fault{Says: "EMAIL is not a mail address.", Try: try + " EMAIL=you@example.com"}
	}
	return o, nil
}

// plain returns a character as it may stand in a mail address.
func plain(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return '-'
}

// account is an account that samples are sent to.
type account struct {
	name         string
	secrets      shop.Secrets
	deliversFrom time.Time
}

// accountOf returns the demo merchant's account with a platform. One that is missing is
// made, with secrets of this machine.
func accountOf(ctx context.Context, c *call, s *shop.Shop, env map[string]string, p sample.Platform) (account, error) {
	a := account{name: p.Name, secrets: shop.NewSecrets(p, func(side string) string {
		return c.machine.Derive("signing secret of the samples of " + p.Name + ", " + side)
	})}
	if p.Name == platform.Standard {
		a.secrets = shop.Secrets{Live: env["KEYPOOL_SECRET"], Test: env["KEYPOOL_SECRET"]}
	}
	token := env["KEYPOOL_TOKEN"]
	found, exists, err := s.PlatformAccount(ctx, token, a.name)
	if err != nil {
		return a, err
	}
	if !exists {
		err := s.WithToken(ctx, env["KEYPOOL_MERCHANT"], []string{"settings", "secrets"}, func(token string) error {
			return s.AddPlatformAccount(ctx, token, a.name, p, a.secrets)
		})
		if err != nil {
			return a, err
		}
		fmt.Fprintf(os.Stderr, "The merchant %s had no account with %s: it was made, with a signing secret of its own.\n\n", env["KEYPOOL_MERCHANT"], p.Name)
		if found, _, err = s.PlatformAccount(ctx, token, a.name); err != nil {
			return a, err
		}
		// Samples name whole seconds: an order of this one would have been paid before.
		time.Sleep(time.Until(found.DeliversFrom.Truncate(time.Second).Add(time.Second)))
	}
	a.deliversFrom = found.DeliversFrom
	return a, nil
}

// tellOrder says how the order of a sample stands once its mail is sent, and which mails its
// customer has. It returns the lines of the order.
func tellOrder(ctx context.Context, s *shop.Shop, token string, w *sample.Webhook, o sample.Order) (lines []shop.OrderLine, err error) {
	err = shop.Await(ctx, 30*time.Second, "the order's mail", func() (bool, error) {
		var err error
		lines, err = s.OrderLines(ctx, token, w.Order)
		return !owesMail(lines), err
	})
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		fmt.Printf("Keypool holds no line of the order %s.\n", w.Order)
	}
	told := map[string]bool{}
	for _, line := range lines {
		if says := stands(line); !told[says] {
			told[says] = true
			fmt.Printf("Order %s, %s.\n", w.Order, says)
		}
	}
	mails, err := s.Mails(ctx)
	if err != nil {
		return nil, err
	}
	own := shop.To(mails, o.Email, w.Order)
	fmt.Printf("The customer %s has %s.\n", o.Email, counted(len(own), "mail about it", "mails about it"))
	for _, m := range own {
		fmt.Printf("  %s  %s\n", m.SentAt.Format(time.TimeOnly), m.Subject)
	}
	return lines, nil
}

// stands says how a line stands, as the end of a sentence.
func stands(line shop.OrderLine) string {
	var reasons []string
	for _, hold := range line.Holds {
		reasons = append(reasons, order.Hold(hold).Says())
	}
	state := line.State
	switch {
	case state == string(order.Expected):
		return "which is not paid: something of it is given back already, and gets no keys when it is paid"
	case state == string(order.OnHold):
		state = "on hold because " + strings.Join(reasons, "; ")
	}
	return fmt.Sprintf("product %s: %s, with %d of %d keys", line.Product, state, line.Allocated, line.Wanted)
}

// hints says what to do about lines that are not delivered, each thing once.
func hints(lines []shop.OrderLine, pool string) []string {
	var all []string
	for _, line := range lines {
		says := waits(line.Product, line.State, pool)
		if slices.ContainsFunc(line.Holds, func(hold string) bool { return order.Hold(hold).ByRule() }) {
			says = "A rule of review holds it. The merchant is mailed links that release or reject what is on hold, of the first in an hour at once:  make inbox"
		}
		if says != "" && !slices.Contains(all, says) {
			all = append(all, says)
		}
	}
	return all
}

// isHeld says whether a line is on hold for a reason.
func isHeld(lines []shop.OrderLine, reason order.Hold) bool {
	return slices.ContainsFunc(lines, func(l shop.OrderLine) bool { return slices.Contains(l.Holds, string(reason)) })
}

// owesMail says whether a mail to the customer is still to come.
func owesMail(lines []shop.OrderLine) bool {
	for _, line := range lines {
		if line.State == string(order.Fulfilled) && line.Delivery != nil && (line.Delivery.State == "due" || line.Delivery.State == "sending") {
			return true
		}
	}
	return false
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
