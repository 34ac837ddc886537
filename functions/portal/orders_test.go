package main

import (
	"fmt"
	"net/url"
	"regexp"
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
		"Paid, as shop-eu reported.", "2 keys were taken from the pool elden.", "Its mail is sent in a moment.").hasNot("AAAA-1111", "BBBB-2222")
	if !strings.Contains(p.body, `data-refresh="2000"`) {
		t.Error("a page that something comes to does not ask to be read again")
	}
	s.mail(line)
	ada.get(pathOf(line)).has("Mailed", "Mail 1 was handed over for marcel@gmial.com.")
	s.news(line, order.MailBounced, "Permanent/General")
	p = ada.get(pathOf(line)).has("Mail came back", "Mail 1 came back from the mail server of gmial.com: it takes no mail for this address.", "Did the customer mean gmail.com?", "Nothing more happens by itself.")
	if !strings.Contains(p.body, `value="marcel@gmail.com"`) {
		t.Error("the right address is not offered")
	}
	if strings.Contains(p.body, "data-refresh") {
		t.Error("a page that nothing comes to asks to be read again")
	}
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
	ada.get(pathOf(first)).has("Waits for keys", "The pool elden is short of keys: 1 key is missing.", "It is the first in line.", "Add keys")
	ada.get(pathOf(second)).has("3 keys are missing", "1 order waits before it.")
	p := ada.get(pathOf(unfed)).has("No pool feeds it", "No pool feeds the product unknown/1.", "Connect the product")
	if !strings.Contains(p.body, `href="/portal/products/unknown%2F1"`) {
		t.Error("the product is not linked")
	}
	s.signIn("support@acme.example").get(pathOf(unfed)).has("No pool feeds the product").hasNot("Connect the product", "Cancel…")
	ada.get(pathOf(first)+"/cancel").has("This cannot be undone.", "Cancel what waits")
	p = ada.get(pathOf(first) + "/cancel")
	ada.post(pathOf(first)+"/cancel", p.actForm("reason", "asked for it")).has("Cancelled: it waits no longer.", "Cancelled by Ada Byron (ada): it does not wait any more.", "Why: asked for it", "Given back")
}
