package main

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/delivery"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/review"
	"keypool/shared/upload"
)

// seller is a world where acme sells keys of the pool elden, in the product 4711, by the account
// shop-eu, and has people of each role.
type seller struct {
	*world
	account catalog.Account
	rows    int
}

func openSeller(t *testing.T, options ...dynamotest.Option) *seller {
	t.Helper()
	s := &seller{world: open(t, options...)}
	for _, role := range []access.Role{access.Manager, access.Support, access.Stock, access.Read} {
		s.person("acme", string(role), "The "+string(role), string(role)+"@acme.example", role)
	}
	s.account = s.sellsAt("acme")
	return s
}

// sellsAt sets up what a merchant needs to sell.
func (s *seller) sellsAt(merchant string) catalog.Account {
	s.Helper()
	account := catalog.Account{Merchant: merchant, Name: "shop-eu", Platform: "standard", Origin: "the shop of " + merchant}
	for _, err := range []error{
		s.store.PutPool(s.Context(), catalog.Pool{Merchant: merchant, Name: "elden", Shards: 1}),
		s.store.PutProduct(s.Context(), catalog.Product{Merchant: merchant, ID: "4711", Title: "Elden", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}),
		s.store.PutAccount(s.Context(), account),
	} {
		if err != nil {
			s.Fatal(err)
		}
	}
	ok, err := s.store.MoveUpload(s.Context(), "", upload.Upload{Merchant: merchant, ID: "upload-1", File: "elden.txt", Pool: "elden", Side: pool.Live, State: upload.Finished, Ranges: 1, ReceivedAt: noon.Add(-time.Hour)}, nil)
	if !ok || err != nil {
		s.Fatal(err)
	}
	return account
}

// stock puts keys for sale, which stand in elden.txt from line 812 on.
func (s *seller) stock(merchant string, texts ...string) {
	s.Helper()
	m, _, err := s.store.Merchant(s.Context(), merchant)
	if err != nil {
		s.Fatal(err)
	}
	for _, text := range texts {
		item := dynamotest.KeyItem(pool.ID{Merchant: merchant, Pool: "elden", Side: pool.Live}, 1, 0, text)
		item["pk"] = &types.AttributeValueMemberS{Value: string(pool.Identify(m.Salt, merchant, pool.Live, text))}
		item["upload"] = &types.AttributeValueMemberS{Value: "upload-1"}
		item["row"] = &types.AttributeValueMemberN{Value: strconv.Itoa(812 + s.rows)}
		s.rows++
		if _, err := dynamotest.Client(s).PutItem(s.Context(), &dynamodb.PutItemInput{TableName: &s.tables.Keys, Item: item}); err != nil {
			s.Fatal(err)
		}
	}
}

// sell has an order of one line paid, and returns the line.
func (s *seller) sell(merchant, number string, quantity int, alter ...func(*order.Fulfillment)) order.Fulfillment {
	s.Helper()
	f := order.Fulfillment{
		Merchant: merchant, Side: pool.Live, Account: "shop-eu", Origin: "the shop of " + merchant, Order: number, Line: "1", Product: "4711", Title: "Elden: The Long Night",
		Quantity: quantity, ReceivedAt: s.now(), PaidAt: s.now().Add(-time.Second), Currency: "EUR", UnitPrice: "29.90", OrderLines: 1,
		Customer: order.Customer{Name: "Marcel Laporte", Email: "marcel@gmial.com", Country: "FR"},
	}
	for _, change := range alter {
		change(&f)
	}
	m, _, err := s.store.Merchant(s.Context(), merchant)
	if err != nil {
		s.Fatal(err)
	}
	f.CustomerHash = order.HashAddress(m.Salt, f.Customer.Email)
	f.ID = f.Identity().ID()
	c := &claim.Claimer{Store: s.store, Cached: s.store, Uncached: s.store, Fill: &s.fills, Notices: s.store, By: "webhook", Now: s.now}
	line, err := c.Claim(s.Context(), f)
	if err != nil {
		s.Fatal(err)
	}
	return line
}

func (s *seller) mailer() *delivery.Mailer {
	return &delivery.Mailer{
		Lines: s.store.LineMails(), Notices: s.store.NoticeMails(), Orders: s.store, History: s.store, Settings: catalog.NewCached(s.store, s.now), SignIns: s.store, Days: s.store, Counts: s.store, Held: s.store, Sales: &review.Sales{Store: s.store, Brakes: s.store, Notices: s.store, Now: s.now},
		MailSender: s.world, PublicURL: publicURL, Now: s.now,
	}
}

// mail has the due mail of a line sent.
func (s *seller) mail(line order.Fulfillment) {
	s.Helper()
	for _, err := range s.mailer().Mail(s.Context(), []outbox.Item{outbox.LineItem(string(line.ID))}) {
		if err != nil {
			s.Fatal(err)
		}
	}
	s.later(2 * time.Second)
}

// news has SES report something of a line's last mail.
func (s *seller) news(line order.Fulfillment, event order.EventKind, code string) {
	s.Helper()
	now := s.line(line)
	err := s.mailer().ApplyFeedback(s.Context(), delivery.Feedback{Item: outbox.LineItem(string(line.ID)), Number: now.Mail.Number, Event: event, At: s.now(), MessageID: now.Mail.MessageID, Code: code})
	if err != nil {
		s.Fatal(err)
	}
	s.later(2 * time.Second)
}

// line returns a line as it stands.
func (s *seller) line(of order.Fulfillment) order.Fulfillment {
	s.Helper()
	now, _, err := s.store.Fulfillment(s.Context(), of.ID)
	if err != nil {
		s.Fatal(err)
	}
	return now
}

func pathOf(line order.Fulfillment) string { return orderPath(line.ID.OrderHalf()) }

var onceField = regexp.MustCompile(`name="once" value="([^"]+)"`)

// form returns what the form of a page holds that says what was seen.
func (p page) actForm(fields ...string) url.Values {
	p.Helper()
	sent := url.Values{}
	if m := onceField.FindStringSubmatch(p.body); m != nil {
		sent.Set("once", m[1])
	}
	if m := regexp.MustCompile(`name="seen" value="([^"]+)"`).FindStringSubmatch(p.body); m != nil {
		sent.Set("seen", m[1])
	}
	for i := 0; i+1 < len(fields); i += 2 {
		sent.Set(fields[i], fields[i+1])
	}
	return sent
}

func several(n int, what string) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(what, i+1))
	}
	return all
}

func TestOrder_isToldFromPaymentToBounce(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111", "BBBB-2222")
	line := s.sell("acme", "A-1041", 2)
	ada := s.signIn("ada@acme.example")
	p := ada.get(pathOf(line))
	p.has("Order A-1041", "Being mailed", "Marcel Laporte", "marcel@gmial.com", "2 × 29.90 EUR", "2, from elden.txt, lines 812 and 813",
		"Paid, as shop-eu reported.", "2 keys were taken from the pool elden.", "Its mail is sent in a moment.").hasNot("AAAA-1111", "BBBB-2222").refreshes(true)
	s.mail(line)
	ada.get(pathOf(line)).has("Mailed", "Mail 1 was handed over for marcel@gmial.com.")
	s.news(line, order.MailBounced, "Permanent/General")
	p = ada.get(pathOf(line)).has("Mail came back", "Mail 1 came back from the mail server of gmial.com: it takes no mail for this address.", "Did the customer mean gmail.com?", "Nothing more happens by itself.")
	if !strings.Contains(p.body, `value="marcel@gmail.com"`) {
		t.Error("the right address is not offered")
	}
	p.refreshes(false)
	p = ada.post(pathOf(line)+"/send", p.actForm("email", "marcel@gmail.com", "line", string(line.ID)))
	p.has("The address was corrected, and its mail is on its way there.", "The address was corrected by Ada Byron (ada). It was marcel@gmial.com.", "Being mailed")
	s.mail(line)
	s.news(line, order.MailDelivered, "")
	ada.get(pathOf(line)).has("Delivered", "Mail 2 was taken by the mail server of gmail.com.", "Mail 1 came back from the mail server of gmial.com")
}

func TestOrder_waits(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	first, second := s.sell("acme", "A-1", 1), s.sell("acme", "A-2", 3)
	unfed := s.sell("acme", "A-3", 1, func(f *order.Fulfillment) { f.Product, f.Title = "unknown/1", "" })
	ada := s.signIn("ada@acme.example")
	ada.get(pathOf(first)).has("Waits for keys", "The pool elden is short of keys: 1 key is missing.", "It is the first in the queue.", "Add keys").refreshes(true)
	ada.get(pathOf(second)).has("3 keys are missing", "1 order waits before it.")
	p := ada.get(pathOf(unfed)).has("No pool feeds it", "No pool feeds the product unknown/1.", "Or say that it needs no keys.", "Connect the product").refreshes(true)
	if !strings.Contains(p.body, `href="`+newProductPath("unknown/1")+`"`) {
		t.Error("the product is not linked")
	}
	if err := s.store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "unknown/1"}); err != nil {
		t.Fatal(err)
	}
	if p := ada.get(pathOf(unfed)); !strings.Contains(p.body, `href="`+productPath("unknown/1")+`"`) {
		t.Error("the product that is set up is not linked")
	}
	s.signIn("support@acme.example").get(pathOf(unfed)).has("No pool feeds the product").hasNot("Connect the product", "Cancel…")
	ada.get(pathOf(first)+"/cancel").has("This cannot be undone.", "Cancel what waits")
	p = ada.get(pathOf(first) + "/cancel")
	ada.post(pathOf(first)+"/cancel", p.actForm("reason", "asked for it")).has("Cancelled: it waits no longer.", "Cancelled by Ada Byron (ada): it does not wait any more.", "Why: asked for it", "Given back").refreshes(false)
}

func TestOrder_holdCanBeUndone(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111")
	line := s.sell("acme", "A-1", 1)
	s.mail(line)
	ada := s.signIn("ada@acme.example")
	p := ada.post(pathOf(line)+"/hold", ada.get(pathOf(line)).actForm())
	p.has("Held: no key and no mail", "Undo", "On hold", "Put on hold by Ada Byron (ada).")
	mails := s.line(line).Mail.Number
	ada.post(pathOf(line)+"/release", p.actForm()).has("Released: it gets its keys", "Released by Ada Byron (ada).")
	if now := s.line(line); now.State() != order.Fulfilled || now.Mail.Number != mails {
		t.Errorf("after the undo: %s, mail %d", now.State(), now.Mail.Number)
	}
	// Who may not release is not offered it, and a hold by others is not undone with one's own.
	support := s.signIn("support@acme.example")
	support.post(pathOf(line)+"/hold", support.get(pathOf(line)).actForm()).has("Held:").hasNot("Undo")
	other := s.sell("acme", "A-2", 1, func(f *order.Fulfillment) { f.Hold(order.HoldPaidBefore) })
	ada.post(pathOf(other)+"/hold", ada.get(pathOf(other)).actForm()).has("Held:", "it was paid before its account delivers").hasNot("Undo").refreshes(true)
}

func TestOrder_changedMeanwhile(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	line := s.sell("acme", "A-1", 1)
	ada, ben := s.signIn("ada@acme.example"), s.signIn("manager@acme.example")
	form := ada.get(pathOf(line)+"/cancel").actForm("reason", "she wrote to us")
	ben.post(pathOf(line)+"/hold", ben.get(pathOf(line)).actForm())
	p := ada.post(pathOf(line)+"/cancel", form)
	p.has("The order has changed since you opened the page", "you saw it waiting for keys. It is on hold now", "all the same")
	if p.status != 409 || !strings.Contains(p.body, `value="she wrote to us"`) {
		t.Errorf("%d; what was typed is lost", p.status)
	}
	if now := s.line(line); now.State() != order.OnHold {
		t.Errorf("it was done: %s", now.State())
	}
}

func TestOrder_giveBackPartsOnce(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", several(3, "KEY-")...)
	line := s.sell("acme", "A-1", 3)
	ada := s.signIn("ada@acme.example")
	p := ada.get(pathOf(line) + "/return").has("Of Elden: The Long Night, of which 3 units are left")
	ada.post(pathOf(line)+"/return", p.actForm("part", string(line.ID), "units", "x")).has("Give a number from 1 on")
	form := p.actForm("part", string(line.ID), "units", "1", "reason", "one did not run")
	form.Set("once", "1")
	ada.post(pathOf(line)+"/return", form).has("Given back. Pay the customer back", "Why: one did not run")
	ada.post(pathOf(line)+"/return", form)
	if now := s.line(line); now.ReturnedUnits != 1 || now.Allocated != 2 {
		t.Errorf("%d units were given back, %d keys are left", now.ReturnedUnits, now.Allocated)
	}
	p = ada.get(pathOf(line) + "/return")
	ada.post(pathOf(line)+"/return", p.actForm()).has("Given back")
	if now := s.line(line); now.State() != order.Returned {
		t.Errorf("all was given back: %s", now.State())
	}
}

func TestOrder_replaceAKey(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111")
	line := s.sell("acme", "A-1", 1)
	ada := s.signIn("ada@acme.example")
	p := ada.get(pathOf(line) + "/replace").has("Elden: The Long Night, key 1")
	form := p.actForm("key", string(line.ID)+" "+string(line.Keys[0].ID))
	ada.post(pathOf(line)+"/replace", form).has("The pool has no key left.")
	s.stock("acme", "BBBB-2222")
	form = ada.get(pathOf(line)+"/replace").actForm("key", string(line.ID)+" "+string(line.Keys[0].ID), "reason", "typed wrong")
	ada.post(pathOf(line)+"/replace", form).has("It has another key", "A key was replaced by another one by Ada Byron (ada).", "Why: typed wrong").hasNot("AAAA-1111", "BBBB-2222")
}

// Keys are shown to those who may, a moment after they signed in, and that is told.
func TestOrder_showKeys(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	texts := several(22, "KEY-OF-A1-")
	s.stock("acme", texts...)
	line := s.sell("acme", "A-1", 22)
	ada := s.signIn("ada@acme.example")
	for _, role := range []string{"support", "stock", "read"} {
		b := s.signIn(role + "@acme.example")
		if p := b.post(pathOf(line)+"/keys", url.Values{}); p.status != 403 {
			t.Errorf("%s: %d", role, p.status)
		} else {
			p.hasNot("KEY-OF-A1-")
		}
		b.get(pathOf(line)).hasNot("Show keys")
	}
	if s.line(line).KeysSeen() {
		t.Error("who may not see keys left a trace of having seen them")
	}
	ada.get(pathOf(line)).has("Show keys").hasNot("KEY-OF-A1-")
	shown := ada.send("POST", pathOf(line)+"/keys", url.Values{})
	for _, text := range texts {
		shown.has(text)
	}
	if shown.headers["Cache-Control"] != "no-store" || strings.Contains(shown.body, "<title>Keys of") {
		t.Error("the page of keys may be kept, or its title names the order")
	}
	s.later(time.Second)
	ada.send("POST", pathOf(line)+"/keys", url.Values{})
	if p := ada.get(pathOf(line)).has("Its keys were shown to Ada Byron (ada).").hasNot("KEY-OF-A1-"); strings.Count(p.body, "were shown to") != 2 {
		t.Error("each time is not told")
	}
	entries, _, err := s.store.Entries(t.Context(), "acme", "", 10)
	if err != nil || len(entries) == 0 || !strings.Contains(fmt.Sprint(entries[0].After), "keys-shown") || entries[0].By != "Ada Byron (ada)" {
		t.Errorf("the audit trail says %+v, %v", entries, err)
	}
	s.later(access.FreshFor)
	if p := ada.send("POST", pathOf(line)+"/keys", url.Values{}); !strings.HasPrefix(p.headers["Location"], againPath) {
		t.Errorf("a quarter of an hour later: %d, %v", p.status, p.headers)
	}
	// Keys that somebody has seen are never sold again.
	ada = s.signIn("ada@acme.example")
	ada.post(pathOf(line)+"/return", ada.get(pathOf(line)+"/return").has("Its keys were mailed or shown").actForm("keys", "restock"))
	if n, err := s.store.Available(t.Context(), line.PoolID(), 1, 100); err != nil || n != 0 {
		t.Errorf("%d keys that were shown are for sale again, %v", n, err)
	}
}

// Another merchant's order is answered as one that does not exist, whatever is asked of it.
func TestOrder_ofAnotherMerchant(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.merchant("rival", "Rival")
	s.sellsAt("rival")
	s.stock("rival", "RIVAL-KEY")
	line := s.sell("rival", "R-1", 1)
	ada := s.signIn("ada@acme.example")
	before := s.line(line)
	paths := []string{""}
	for _, act := range append([]orderAct{holding, {name: "keys"}}, orderActs...) {
		paths = append(paths, "/"+act.name)
	}
	for _, path := range paths {
		if path != "/hold" && path != "/keys" {
			if p := ada.get(pathOf(line) + path); p.status != 404 {
				t.Errorf("GET %s: %d", path, p.status)
			} else {
				p.hasNot("R-1", "marcel", "RIVAL-KEY")
			}
		}
		if path == "" {
			continue
		}
		form := url.Values{"seen": {seenOf(line)}, "force": {"1"}, "key": {string(line.ID) + " " + string(line.Keys[0].ID)}, "email": {"mallory@example.com"}}
		if p := ada.post(pathOf(line)+path, form); p.status != 404 {
			t.Errorf("POST %s: %d", path, p.status)
		} else {
			p.hasNot("R-1", "marcel", "RIVAL-KEY")
		}
	}
	if p := ada.get(pathOf(line) + "/page"); p.status != 404 {
		t.Errorf("the customer's page: %d", p.status)
	}
	for _, act := range []string{"send", "release"} {
		if p := ada.post("/portal/orders/several", url.Values{"act": {act}, "sure": {"1"}, "seen": {seenOf(line)}}); p.status != 404 {
			t.Errorf("several, %s: %d", act, p.status)
		}
	}
	for _, sought := range []string{"R-1", "marcel@gmial.com", "RIVAL-KEY"} {
		if p := ada.post("/portal/find", url.Values{"find": {sought}}); p.status != 404 {
			t.Errorf("found %s: %d", sought, p.status)
		}
	}
	if after := s.line(line); after.Version != before.Version || after.Mail != before.Mail {
		t.Errorf("it was changed: %+v", after)
	}
}

// Each role sees the acts that it may do, and no other one works for it.
func TestOrder_roles(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111")
	line := s.sell("acme", "A-1", 1)
	s.mail(line)
	s.news(line, order.MailBounced, "Permanent/General")
	for role, may := range map[string]string{"support": "send hold", "read": "", "stock": "-"} {
		b := s.signIn(role + "@acme.example")
		p := b.get(pathOf(line))
		if (p.status == 403) != (may == "-") {
			t.Errorf("%s sees the order: %d", role, p.status)
		}
		for _, act := range append([]orderAct{holding}, orderActs...) {
			allowed := strings.Contains(may, act.name)
			if offered := strings.Contains(p.body, pathOf(line)+"/"+act.name+`"`); offered && !allowed {
				t.Errorf("%s is offered to %s", role, act.name)
			}
			if p := b.send("POST", pathOf(line)+"/"+act.name, url.Values{"seen": {"x"}}); (p.status == 403) == allowed {
				t.Errorf("%s to %s: %d", role, act.name, p.status)
			}
		}
		// The mails of support go to the address that paid, alone.
		if p := b.send("POST", pathOf(line)+"/send", url.Values{"email": {"mallory@example.com"}}); p.status != 403 {
			t.Errorf("%s corrects an address: %d", role, p.status)
		}
	}
	if now := s.line(line); now.Customer.Email != "marcel@gmial.com" {
		t.Error("an address was corrected")
	}
}

func TestOrders_listAndFilter(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	ada := s.signIn("ada@acme.example")
	ada.get("/portal/orders").has("There is no order yet", "Test orders are in the list Tests")
	s.stock("acme", "AAAA-1111")
	sold := s.sell("acme", "A-1", 1)
	s.later(24 * time.Hour)
	waits := s.sell("acme", "A-2", 2)
	s.sell("acme", "T-1", 1, func(f *order.Fulfillment) { f.Side = pool.Test })
	ada.get("/portal/orders").has("A-1", "A-2", "Waits for keys", "on 23 Nov 2026, 12:00", "a moment ago").hasNot(">T-1<")
	for query, want := range map[string]string{"show=waiting": "A-2", "show=fulfilled": "A-1", "product=4711&until=2026-11-23": "A-1", "from=2026-11-24": "A-2", "side=test": "T-1", "show=attention": ""} {
		p := ada.get("/portal/orders?" + query)
		for _, number := range []string{"A-1", "A-2", "T-1"} {
			if listed := strings.Contains(p.body, ">"+number+"<"); listed != (number == want) {
				t.Errorf("%s lists %s: %v", query, number, listed)
			}
		}
	}
	s.later(time.Hour)
	ada.get("/portal/orders?show=attention").has("A-2")
	ada.get("/portal/orders?product=other").has("No order fits what you look for.")
	if p := ada.get("/portal/orders?after=x"); p.status != 404 {
		t.Errorf("a place that is none: %d", p.status)
	}
	// Several at once, and what has changed meanwhile is left.
	form := url.Values{"act": {"send"}, "seen": {seenOf(sold), seenOf(waits)}}
	p := ada.post("/portal/orders/several", form).has("2 mails with keys are sent again", "A mail cannot be taken back.")
	sure := url.Values{"act": {"send"}, "sure": {"1"}, "seen": {seenOf(s.line(sold)), seenOf(waits)}, "once": {onceField.FindStringSubmatch(p.body)[1]}}
	s.mail(sold)
	ada.post("/portal/orders/several", sure).has("No order lines were mailed again. 2 order lines were left alone")
	sure = url.Values{"act": {"send"}, "sure": {"1"}, "seen": {seenOf(s.line(sold)), seenOf(waits)}}
	ada.post("/portal/orders/several", sure).has("1 order line was mailed again. 1 order line was left alone")
}

// Lists, orders and pages of acts offer what does something there, and no more.
func TestOrders_offerWhatCanBeDone(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	ada := s.signIn("ada@acme.example")
	// Of an order's lines, one chooses from those to which it can be done.
	s.stock("acme", "BBBB-1111", "BBBB-2222")
	named := func(n, title string, hold ...order.Hold) func(*order.Fulfillment) {
		return func(f *order.Fulfillment) {
			f.Line, f.OrderLines, f.Title = n, 3, title
			for _, h := range hold {
				f.Hold(h)
			}
		}
	}
	first := s.sell("acme", "A-6", 1, named("1", "First"))
	s.sell("acme", "A-6", 1, named("2", "Second"))
	s.sell("acme", "A-6", 1, named("3", "Third", order.HoldByHand))
	ada.get(pathOf(first)+"/send").has("First × 1", "Second × 1").hasNot("Third × 1")
	ada.get(pathOf(first)+"/release").has("Third × 1").hasNot("First × 1", "Second × 1")

	s.stock("acme", "AAAA-1111")
	s.later(time.Hour)
	const tick = `type="checkbox" name="seen"`
	ticks := func(path string, n int) page {
		t.Helper()
		p := ada.get(path)
		if got := strings.Count(p.body, tick); got != n {
			t.Errorf("%s has %d boxes to tick, want %d", path, got, n)
		}
		return p
	}
	s.sell("acme", "A-1", 1)
	s.sell("acme", "A-2", 1) // it waits
	ticks("/portal/orders?show=fulfilled", 3).has("Send again…").hasNot("Release…")
	ticks("/portal/orders?show=waiting", 0).hasNot("Send again…", "Release…", "With those you have ticked")
	noAddress := s.sell("acme", "A-3", 1, func(f *order.Fulfillment) { f.Hold(order.HoldNoAddress) })
	ticks("/portal/orders?show=on_hold", 1).has("Release…").hasNot("Send again…", "Release all…")
	ada.get(pathOf(noAddress)).hasNot("Release…", "Send again…")
	s.sell("acme", "A-4", 1, func(f *order.Fulfillment) { f.Hold(order.HoldByHand) })
	ticks("/portal/orders?show=on_hold", 2).has("Release…").hasNot("Send again…", "Release all…")
	s.sell("acme", "A-5", 1, func(f *order.Fulfillment) { f.Hold(order.HoldReview) })
	ticks("/portal/orders?show=on_hold", 3).has("Release…", "Release all…").hasNot("Send again…")
	ticks("/portal/orders", 6).has("Send again…", "Release…")
}

// What waits is listed from the oldest on, page by page, and what needs somebody apart from it.
func TestOrders_waitingOldestFirst(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111")
	s.sell("acme", "sold", 1)
	var want, unfed []string
	for n := range listed + 12 {
		s.later(time.Minute)
		number := fmt.Sprintf("W-%03d", n)
		s.sell("acme", number, 1, func(f *order.Fulfillment) {
			if n%10 == 3 {
				f.Product = "unknown"
			}
		})
		if n%10 == 3 {
			unfed = append([]string{number}, unfed...)
		} else {
			want = append(want, number)
		}
	}
	s.sell("acme", "held", 1, func(f *order.Fulfillment) { f.Hold(order.HoldByHand) })
	s.sell("acme", "T-1", 1, func(f *order.Fulfillment) { f.Side = pool.Test })
	ada := s.signIn("ada@acme.example")
	numbers := func(p page) (all []string) {
		for _, m := range regexp.MustCompile(`<th scope="row"><span><a [^>]*>([^<]*)</a>`).FindAllStringSubmatch(p.body, -1) {
			all = append(all, m[1])
		}
		return all
	}
	first := ada.get(ordersPath + "?show=waiting")
	next := regexp.MustCompile(`href="([^"]*)" rel="next"`).FindStringSubmatch(first.body)
	if next == nil {
		t.Fatalf("there is no second page of %v", numbers(first))
	}
	got := append(numbers(first), numbers(ada.get(unescape(next[1])))...)
	if !slices.Equal(got, want) {
		t.Errorf("listed are %v", got)
	}
	if got := numbers(ada.get(ordersPath + "?show=on_hold")); !slices.Equal(got, []string{"held"}) {
		t.Errorf("on hold are %v", got)
	}
	if got := numbers(ada.get(ordersPath + "?show=unconnected")); !slices.Equal(got, unfed) {
		t.Errorf("that no pool feeds are %v", got)
	}
	if got := numbers(ada.get(ordersPath + "?side=test&show=waiting")); !slices.Equal(got, []string{"T-1"}) {
		t.Errorf("tests that wait are %v", got)
	}
	ada.get(ordersPath + "?show=waiting&product=other").has("No order waits for keys of a pool.")
}

// An order may have a hundred lines, which is one more than a transaction compares.
func TestOrder_ofAHundredLines(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	var first order.Fulfillment
	for n := range 100 {
		line := s.sell("acme", "A-1", 1, func(f *order.Fulfillment) {
			f.Line, f.OrderLines, f.Title = fmt.Sprint(n), 100, fmt.Sprintf("Part %03d", n)
			if n == 7 {
				f.Product = "unknown"
			}
		})
		if n == 7 {
			first = line
		}
	}
	ada := s.signIn("ada@acme.example")
	// Each line is a link there; what there is to see and to do of one stands on its page.
	whole := ada.get(pathOf(first)).has("100 lines", "Part 000", "Part 099", "The pool elden is short of keys: 1 key is missing.", "and 98 further lines", "No pool feeds the product unknown.",
		"Open a line to see all that happened to it.")
	whole.hasNot("29.90 EUR")
	one := ada.get(pathOf(first)+"?line="+first.ID.LineHalf()).has("Here is one line of the order alone: Part 007 . See all 100 lines", "29.90 EUR", "No pool feeds the product unknown.",
		"Paid, as shop-eu reported.", "It began to wait: no pool feeds its product.").hasNot("Part 008", "is short of keys", "further thing", "Erase the customer")
	if !strings.Contains(whole.body, `href="`+pathOf(first)+"?line="+first.ID.LineHalf()+`"`) {
		t.Error("no link leads to a line")
	}
	for act, want := range map[string]string{"cancel": `value="` + string(first.ID) + `" checked`, "return": `value="` + string(first.ID) + `" selected`} {
		path := pathOf(first) + "/" + act + "?line=" + string(first.ID)
		if asked := ada.get(path); !strings.Contains(one.body, `href="`+path+`"`) || !strings.Contains(asked.body, want) || strings.Count(asked.body, " checked") > 1 {
			t.Errorf("%s of one line", act)
		}
	}
	for _, wrong := range []string{"?line=", "?line=x", "?line=" + string(first.ID)} {
		if p := ada.get(pathOf(first) + wrong); p.status != 404 {
			t.Errorf("%s is answered %d", wrong, p.status)
		}
	}
	held := one.actForm("line", string(first.ID))
	ada.post(pathOf(first)+"/hold", held).has("Held:")
	if lines, err := s.store.Lines(t.Context(), first.ID.OrderHalf()); err != nil || s.line(first).State() != order.OnHold ||
		slices.ContainsFunc(lines, func(f order.Fulfillment) bool { return f.ID != first.ID && f.State() == order.OnHold }) {
		t.Error("not that line alone is on hold")
	}
	form := ada.get(pathOf(first) + "/return").actForm()
	s.later(time.Second)
	if _, err := s.portal.orders.acts.Release(t.Context(), first.ID, lifecycle.Act{By: "Ben"}); err != nil {
		t.Fatal(err)
	}
	ada.post(pathOf(first)+"/return", form).has("The order has changed since you opened the page")
	ada.post(pathOf(first)+"/return", ada.get(pathOf(first)+"/return").actForm()).has("Given back.")
	lines, err := s.store.Lines(t.Context(), first.ID.OrderHalf())
	if err != nil || len(lines) != 100 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	for _, line := range lines {
		if line.State() != order.Returned {
			t.Fatalf("line %s is %s", line.Line, line.State())
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111")
	line := s.sell("acme", "A-1", 1)
	ada := s.signIn("ada@acme.example")
	find := func(what string) page { return ada.send("POST", "/portal/find", url.Values{"find": {what}}) }
	for _, what := range []string{" A-1 ", "Marcel@gmial.com"} {
		if p := find(what); p.headers["Location"] != pathOf(line) {
			t.Errorf("%q leads to %d %v", what, p.status, p.headers)
		}
	}
	find("AAAA-1111").has("A key", "Sold", "A-1", "elden.txt, line 812", "Uploaded.", "Does it not work for the customer? Replace it").shows(false, "AAAA-1111")
	find("nothing").has("There is no order of that number here", "Look through all orders")
	s.sell("acme", "A-2", 1)
	p := find("marcel@gmial.com").has("The customer's orders", "A-1", "A-2")
	if strings.Contains(p.headers["Location"], "@") {
		t.Error("an address stands in an address")
	}
	s.sell("acme", "A-2", 1, func(f *order.Fulfillment) { f.Side = pool.Test })
	find("A-2").has("The orders of that number", "Test")
	if p := s.signIn("stock@acme.example").post("/portal/find", url.Values{"find": {"A-1"}}); p.status != 403 {
		t.Errorf("who brings keys finds orders: %d", p.status)
	}
}

func TestOrders_brake(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	ada := s.signIn("ada@acme.example")
	ada.get("/portal/orders").has("Emergency brake…")
	p := ada.get("/portal/orders/brake").has("Every paid order is put on hold")
	ada.post("/portal/orders/brake", p.actForm()).has("The brake is set. No paid order gets keys.", "The brake is set since today, 12:00 , by Ada Byron (ada)")
	s.signIn("support@acme.example").get("/portal/orders").has("The brake is set").hasNot("Take the brake off")
	line := s.sell("acme", "A-1", 1)
	ada.get(pathOf(line)).has("On hold", "the brake was set", "Reject…")
	ada.post("/portal/orders/brake/release", url.Values{}).has("The brake is off.").hasNot("The brake is set since")
	ada.post(pathOf(line)+"/reject", ada.get(pathOf(line)+"/reject").actForm()).has("Rejected: it gets no key.", "Given back")
}

func TestOrder_eraseTheCustomer(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "AAAA-1111")
	line := s.sell("acme", "A-1", 1)
	ada := s.signIn("ada@acme.example")
	ada.post(pathOf(line)+"/erase", ada.get(pathOf(line)+"/erase").actForm()).has("It still owes its customer something")
	ada.post(pathOf(line)+"/erase", ada.get(pathOf(line)+"/erase").actForm("force", "1", "all", "1")).has("Their other orders follow within minutes.", "Erased, today", "All that was kept of the customer was erased by Ada Byron (ada).").hasNot("marcel", "Marcel")
	waits := s.sell("acme", "A-2", 1)
	ada.post(pathOf(waits)+"/erase", ada.get(pathOf(waits)+"/erase").actForm("force", "1")).has("It is on hold for good").refreshes(false)
	s.later(access.FreshFor)
	if p := ada.send("GET", pathOf(line)+"/erase", nil); !strings.HasPrefix(p.headers["Location"], againPath) {
		t.Errorf("a quarter of an hour later: %d", p.status)
	}
}

// A list, an order and what is found take the same round trips with many as with one, and no
// more bytes than a page may have.
func TestOrderPages_roundTrips(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Trips
	s := openSeller(t, calls.Option)
	s.stock("acme", several(40, "KEY-")...)
	sold := s.sell("acme", "A-0", 40)
	for n := range listed + 1 {
		s.sell("acme", fmt.Sprint("A-long-number-of-an-order-", n), 2)
	}
	waits := s.sell("acme", "B-1", 1)
	ada := s.signIn("ada@acme.example")
	for _, path := range []string{"/portal/orders", "/portal/orders?show=waiting", "/portal/orders?show=on_hold", "/portal/orders?product=4711&side=test", pathOf(sold), pathOf(waits), pathOf(sold) + "/send"} {
		ada.wantTrips(&calls, path)
		if p := ada.get(path); p.status != 200 || len(p.body) > 60_000 {
			t.Errorf("%s: %d, %d bytes", path, p.status, len(p.body))
		}
	}
	if p := ada.get("/portal/orders"); !strings.Contains(p.body, `rel="next"`) {
		t.Error("the list has no second page")
	}
}
