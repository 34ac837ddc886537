package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"keypool/infra/local/machine"
	"keypool/infra/local/sample"
	"keypool/infra/local/shop"
	"keypool/shared/platform/stripe"
)

// demo brings the machine up and shows the main job on it, step by step. Each step that
// it prints has just happened; demo fails if a step did not happen.
func demo(ctx context.Context, c *call) error {
	started := now()
	if err := up(ctx, c); err != nil {
		return err
	}
	s, _, err := running(ctx, c)
	if err != nil {
		return err
	}
	outputs, err := c.machine.Outputs(ctx)
	if err != nil {
		return err
	}
	run := strings.ToLower(rand.Text()[:5])
	st := &story{
		shop: s, machine: c.machine, stock: outputs["StockFunction"],
		run: run, merchant: demoMerchant + "-" + run, notices: "merchant-" + run + "@demo.example",
		ada: "ada-" + run + "@shop.example", grace: "grace-" + run + "@shop.example", alan: "alan-" + run + "@shop.example", edsger: "edsger-" + run + "@shop.example",
		events: os.DirFS(filepath.Join(c.checkout, "events")),
		folder: filepath.Join(c.checkout, ".local", "demo"),
	}
	if err := st.tell(ctx); err != nil {
		return &machine.Fault{Says: "The demo stopped: the step above did not happen.", Try: "make logs", Cause: err}
	}
	st.end(time.Since(started))
	return nil
}

// story is one run of the demo. It has a merchant of its own, so that it can be repeated
// on the same machine: the report of a merchant's second file within five minutes waits
// for their end.
type story struct {
	shop    *shop.Shop
	machine *machine.Machine
	stock   string // function that counts
	account shop.Account
	token   string

	run, merchant            string
	notices                  string // the merchant's address
	ada, grace, alan, edsger string // the customers' addresses
	folder                   string
	events                   fs.FS // with the samples of platforms' webhooks

	first, second shop.Order
	mail          shop.Mail // to the first customer
	customers     string    // the address of the first customer's order page
	page, picture string    // files that show it
	waited        time.Duration
	part          int
}

func (st *story) tell(ctx context.Context) error {
	for _, part := range []func(context.Context) error{
		st.dropKeys, st.payForOne, st.payAgain, st.payForMore, st.dropMoreKeys, st.runLow, st.payByStripe, st.countMails,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (st *story) dropKeys(ctx context.Context) error {
	st.heading("A key file is dropped in the bucket")
	threshold := 5
	made, err := st.shop.SetUp(ctx, shop.Setup{
		Merchant: st.merchant, Title: demoTitle, Notices: st.notices,
		Pool: demoPool, LowStock: &threshold, Product: demoProduct, ProductTitle: demoTitleOf,
		Token: shop.NewToken{Name: "make demo", Scopes: demoScopes, PerMinute: 6000},
	})
	if err != nil {
		return err
	}
	st.account, st.token = made.Account, made.Token.Text
	err = st.shop.WithToken(ctx, st.merchant, []string{"settings"}, func(token string) error {
		return st.shop.Change(ctx, token, "/v1/order-page", map[string]any{"default": "on"})
	})
	if err != nil {
		return err
	}
	keys := st.keys(3)
	name := st.file("first.txt")
	content := strings.Join(append(keys, keys[0]), "\n") + "\n"
	st.sent("s3://"+st.shop.Bucket+"/"+name, content)
	start := now()
	if err := st.shop.Drop(ctx, name, []byte(content)); err != nil {
		return err
	}
	mail, err := st.notice(ctx, "first.txt", "3 keys added")
	if err != nil {
		return err
	}
	st.cameBack("its report, to the merchant", start, mail)
	return nil
}

func (st *story) payForOne(ctx context.Context) error {
	st.heading("The payment platform reports an order as paid")
	st.first = st.order(st.ada, "Ada Example", 1)
	start := now()
	if err := st.pay(ctx, st.first, "fulfilled", 1); err != nil {
		return err
	}
	mail, err := st.shop.AwaitMail(ctx, time.Minute, st.ada, demoTitleOf)
	if err != nil {
		return err
	}
	if n := st.keysIn(mail); n != 1 {
		return fmt.Errorf("the customer's mail holds %d keys, not 1", n)
	}
	st.mail, st.customers = mail, orderPage.FindString(mail.Text)
	if st.customers == "" {
		return errors.New("the customer's mail has no link to the order's page")
	}
	st.cameBack("the customer's mail", start, mail)
	return st.save(ctx)
}

// orderPage is the address of an order's page in a mail.
var orderPage = regexp.MustCompile(`https://\S+/o/[A-Za-z0-9_-]{44}`)

func (st *story) payAgain(ctx context.Context) error {
	st.heading("The same webhook comes again, three times at once")
	again := make(chan error)
	for range 3 {
		go func() {
			_, err := st.report(ctx, st.first, "fulfilled", 1)
			again <- err
		}()
	}
	var err error
	for range 3 {
		err = errors.Join(err, <-again)
	}
	if err != nil {
		return err
	}
	allocated, err := st.allocated(ctx, st.first)
	if err != nil {
		return err
	}
	mails, err := st.shop.Mails(ctx)
	if err != nil {
		return err
	}
	if n := len(shop.To(mails, st.ada)); allocated != 1 || n != 1 {
		return fmt.Errorf("the order has %d keys and %d mails", allocated, n)
	}
	st.says("200, 200, 200: the order still has 1 key, the customer has 1 mail.")
	return nil
}

func (st *story) payForMore(ctx context.Context) error {
	st.heading("An order wants more keys than the pool has")
	st.second = st.order(st.grace, "Grace Example", 3)
	start := now()
	if err := st.pay(ctx, st.second, "waiting", 2); err != nil {
		return err
	}
	mail, err := st.notice(ctx, "no keys left", "paid order waits")
	if err != nil {
		return err
	}
	st.cameBack("the merchant is told", start, mail)
	return nil
}

func (st *story) dropMoreKeys(ctx context.Context) error {
	st.heading("The merchant drops a new file")
	name := st.file("second.txt")
	content := strings.Join(st.keys(8), "\n") + "\n"
	st.sent("s3://"+st.shop.Bucket+"/"+name, content)
	start := now()
	if err := st.shop.Drop(ctx, name, []byte(content)); err != nil {
		return err
	}
	mail, err := st.shop.AwaitMail(ctx, time.Minute, st.grace, demoTitleOf)
	if err != nil {
		return err
	}
	if n := st.keysIn(mail); n != 3 {
		return fmt.Errorf("the mail of the order that waited holds %d keys, not 3", n)
	}
	st.waited = mail.SentAt.Sub(start)
	st.cameBack("the order that waited is filled and mailed (counted from the file's drop)", start, mail)
	return nil
}

func (st *story) runLow(ctx context.Context) error {
	st.heading("Stock runs low")
	st.says("7 keys are left. The stock check runs every minute here, on AWS every five; we do not wait for it but call it, before the next order and after.")
	if err := st.checkStock(ctx); err != nil {
		return err
	}
	if err := st.pay(ctx, st.order(st.alan, "Alan Example", 3), "fulfilled", 3); err != nil {
		return err
	}
	start := now()
	if err := st.checkStock(ctx); err != nil {
		return err
	}
	mail, err := st.notice(ctx, "4 keys left", "fewer than 5")
	if err != nil {
		return err
	}
	st.cameBack("the merchant, who asked to be told below 5, is told", start, mail)
	_, err = st.shop.AwaitMail(ctx, time.Minute, st.alan, demoTitleOf)
	return err
}

// payByStripe sends what Stripe sends of a paid Checkout session. What was bought the
// function asks Stripe's API for, which stripe-mock is here.
func (st *story) payByStripe(ctx context.Context) error {
	st.heading("Another customer pays by Stripe")
	p, _ := sample.Of(stripe.Name)
	secrets := shop.NewSecrets(p, func(string) string { return strings.ToLower(rand.Text() + rand.Text())[:32] })
	err := st.shop.WithToken(ctx, st.merchant, []string{"settings", "secrets"}, func(token string) error {
		return st.shop.AddPlatformAccount(ctx, token, p.Name, p, secrets)
	})
	if err != nil {
		return err
	}
	w, err := p.Read(st.events, "paid")
	if err != nil {
		return err
	}
	// Stripe tells whole seconds: the next one is after the account was made.
	o := sample.Order{ID: p.ID(sample.NewNumber(), false), Product: demoProduct, Quantity: 1, Email: st.edsger, PaidAt: now().Truncate(time.Second).Add(time.Second)}
	w.Be(o)
	request, err := st.shop.Sample(w, st.merchant, p.Name, secrets, now())
	if err != nil {
		return err
	}
	st.sent("POST "+request.Path+"  (signed as Stripe does)", fmt.Sprintf("type: %s\nsession: %s\nwhat was bought: not in it", w.Kind(), o.ID))
	answer, err := sendSample(ctx, st.machine, st.shop, request, w, o, secrets)
	if err != nil {
		return err
	}
	start := now().Add(-answer.Took) // stripe-mock has begun before
	if err := answer.Refused(); err != nil {
		return err
	}
	fmt.Printf("  ← %d in %s\n%s\n", answer.Status, took(answer.Took), indent(pretty(answer.Body), "    "))
	mail, err := st.shop.AwaitMail(ctx, time.Minute, st.edsger, demoTitleOf)
	if err != nil {
		return err
	}
	if n := st.keysIn(mail); n != 1 {
		return fmt.Errorf("the mail of Stripe's order holds %d keys, not 1", n)
	}
	st.cameBack("the customer's mail", start, mail)
	return nil
}

func (st *story) checkStock(ctx context.Context) error {
	cfg, err := st.machine.Config()
	if err != nil {
		return err
	}
	out, err := lambda.NewFromConfig(cfg).Invoke(ctx, &lambda.InvokeInput{FunctionName: &st.stock, Payload: []byte("{}")})
	if err != nil {
		return err
	}
	if out.FunctionError != nil {
		return errors.New("the stock check failed")
	}
	return nil
}

// countMails checks at the end that no customer got a second mail.
func (st *story) countMails(ctx context.Context) error {
	mails, err := st.shop.Mails(ctx)
	if err != nil {
		return err
	}
	for _, address := range []string{st.ada, st.grace, st.alan, st.edsger} {
		if n := len(shop.To(mails, address)); n != 1 {
			return fmt.Errorf("%s has %d mails, not 1", address, n)
		}
	}
	return nil
}

func (st *story) end(whole time.Duration) {
	picture := ""
	if st.picture != "" {
		picture = "\n                      " + st.picture
	}
	fmt.Printf(`
────────────────────────────────────────────────────────────────────────
 Done in %s. What happened:
   11 keys uploaded, 8 sold to 4 orders, each mailed once; 3 are left.
   One order was reported 4 times: 1 key, 1 mail. One waited for keys and
   was mailed %s after the file that brought them was dropped.
   The merchant was told when orders waited and when stock ran low.
   One order came by Stripe's own webhook; make event sends any platform's.

 Where to look:
   the portal         %s/portal   (make portal signs you in)
   the mail           %s%s
   the order's page   %s
   every mail         make inbox
   the functions' log make logs
   settings for any AWS tool or curl: . .local/env

 Try next:
   make order QTY=3 EMAIL=you@example.com
   make event PLATFORM=stripe EVENT=paid
   make portal
   make inbox
   make down
────────────────────────────────────────────────────────────────────────
`, took(whole), took(st.waited), st.shop.URL, st.page, picture, st.customers)
}

// pay sends an order, shows the request and the response, and returns an error if the
// response is not the expected one.
func (st *story) pay(ctx context.Context, o shop.Order, state string, allocated int) error {
	st.sent("POST "+st.account.Path()+"  (signed by Standard Webhooks)", pretty(o.Body()))
	answer, err := st.report(ctx, o, state, allocated)
	if err != nil {
		return err
	}
	fmt.Printf("  ← %d in %s\n%s\n", answer.Status, took(answer.Took), indent(pretty(answer.Body), "    "))
	return nil
}

func (st *story) report(ctx context.Context, o shop.Order, state string, allocated int) (shop.Answer, error) {
	reply, answer, err := st.shop.Pay(ctx, st.account, o)
	if err != nil {
		return answer, err
	}
	if len(reply.Lines) != 1 || reply.Lines[0].State != state || reply.Lines[0].Allocated != allocated {
		return answer, fmt.Errorf("the answer is not one line that is %s with %d keys: %s", state, allocated, answer.Body)
	}
	return answer, nil
}

// allocated returns the number of keys that an order has, as the API shows it.
func (st *story) allocated(ctx context.Context, o shop.Order) (int, error) {
	lines, err := st.shop.OrderLines(ctx, st.token, o.ID)
	n := 0
	for _, line := range lines {
		n += line.Allocated
	}
	return n, err
}

// notice waits for a mail to the merchant.
func (st *story) notice(ctx context.Context, words ...string) (shop.Mail, error) {
	return st.shop.AwaitMail(ctx, time.Minute, st.notices, words...)
}

// keys makes n new keys that begin with the name of this run.
func (st *story) keys(n int) []string {
	made := make([]string, n)
	for i := range made {
		random := rand.Text()
		made[i] = fmt.Sprintf("%s-%s-%s-%s", strings.ToUpper(st.run), random[:5], random[5:10], random[10:15])
	}
	return made
}

// keysIn counts the keys of this run in a mail.
func (st *story) keysIn(m shop.Mail) int { return strings.Count(m.Text, strings.ToUpper(st.run)+"-") }

func (st *story) file(name string) string {
	return "uploads/" + st.merchant + "/" + demoPool + "/" + name
}

func (st *story) order(email, name string, quantity int) shop.Order {
	return shop.Order{
		ID: newOrderID(), Email: email, Name: name, Currency: "EUR", Language: "en",
		Lines: []shop.Line{{Product: demoProduct, Quantity: quantity, UnitPrice: "29.90"}},
	}
}

// save writes the first customer's mail to a file, and a picture of it if Chromium is
// installed.
func (st *story) save(ctx context.Context) error {
	if err := os.MkdirAll(st.folder, 0o755); err != nil {
		return err
	}
	st.page = filepath.Join(st.folder, "mail.html")
	if err := os.WriteFile(st.page, []byte(st.mail.HTML), 0o644); err != nil {
		return err
	}
	picture := filepath.Join(st.folder, "mail.png")
	os.Remove(picture)
	for _, browser := range []string{"chromium", "chromium-browser", "google-chrome"} {
		path, err := exec.LookPath(browser)
		if err != nil {
			continue
		}
		if err := takePicture(ctx, path, st.page, picture); err != nil {
			st.says("(" + browser + " could not take a picture of it: " + err.Error() + ")")
			return nil
		}
		st.picture = picture
		st.says("saved as " + st.page + " and as a picture beside it")
		return nil
	}
	st.says("saved as " + st.page)
	return nil
}

func takePicture(ctx context.Context, browser, page, picture string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	profile, err := os.MkdirTemp("", "keypool-picture-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(profile)
	args := []string{
		"--headless", "--disable-gpu", "--hide-scrollbars", "--user-data-dir=" + profile,
		"--window-size=760,900", "--screenshot=" + picture, "file://" + page,
	}
	if os.Geteuid() == 0 {
		args = append([]string{"--no-sandbox"}, args...) // its sandbox does not work for root; the page is our own
	}
	if err := exec.CommandContext(ctx, browser, args...).Run(); err != nil {
		return err
	}
	_, err = os.Stat(picture)
	return err
}

func (st *story) heading(text string) {
	st.part++
	fmt.Printf("\n── %d. %s\n", st.part, text)
}

func (st *story) says(text string) { fmt.Println("  " + text) }

func (st *story) sent(to, content string) {
	fmt.Printf("  → %s\n%s\n", to, indent(content, "    "))
}

func (st *story) cameBack(what string, start time.Time, m shop.Mail) {
	fmt.Printf("  ← %s, after %s\n", what, took(m.SentAt.Sub(start)))
	fmt.Println(indent(fmt.Sprintf("To: %s\nSubject: %s\n\n%s", strings.Join(m.To, ", "), m.Subject, strings.TrimSpace(m.Text)), "    │ "))
}

func pretty(body []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, body, "", "  ") != nil {
		return string(body)
	}
	return out.String()
}
