//go:build deployment

package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"keypool/infra/local/shop"
	"keypool/infra/proof/canary"
	"keypool/shared/platform"
)

// merchant is a merchant of one test, with a pool and a product.
type merchant struct {
	t *testing.T
	shop.Account
	token         string
	notices       string
	pool, product string
}

// newMerchant sets up a merchant that nobody else knows.
func newMerchant(t *testing.T) *merchant {
	t.Helper()
	name := "m" + strings.ToLower(rand.Text()[:8])
	m := &merchant{t: t, notices: world.canaries.New(canary.Merchant) + "@notices.example", pool: name + "-pool", product: name + "-product"}
	never := 0
	made, err := world.shop.SetUp(t.Context(), shop.Setup{
		Merchant: name, Title: "Shop " + name, Notices: m.notices,
		Pool: m.pool, LowStock: &never, Product: m.product, ProductTitle: "Product " + name,
		Token: shop.NewToken{Name: t.Name(), Scopes: []string{"upload", "orders:read", "orders:write", "keys:read", "settings", "secrets"}, PerMinute: 6000},
	})
	if err != nil {
		t.Fatalf("set up a merchant: %v", err)
	}
	m.Account, m.token = made.Account, made.Token.Text
	keepSecret(t, made.Account.Secret)
	world.canaries.Add(canary.Token, m.token)
	return m
}

// is changes the merchant's settings, as the operator.
func (m *merchant) is(settings map[string]any) {
	m.t.Helper()
	if err := world.shop.ChangeAsOperator(m.t.Context(), "/v1/merchants/"+m.Merchant, settings); err != nil {
		m.t.Fatal(err)
	}
}

// keepSecret remembers a signing secret as it must never be seen: the way it is
// told once, and what it stands for.
func keepSecret(t *testing.T, secret string) {
	t.Helper()
	bytes, err := platform.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	world.canaries.Add(canary.Secret, string(bytes))
}

// newKeys makes n keys that were never seen before.
func newKeys(n int) []string {
	made := make([]string, n)
	for i := range made {
		made[i] = strings.ToUpper(world.canaries.New(canary.Key)) + "-" + rand.Text()[:16]
	}
	return made
}

// newAddress is a customer whom nobody else mails.
func newAddress() string { return strings.ToLower(rand.Text()[:10]) + "@" + world.domain }

// drop puts a file into the merchant's live pool and returns its name.
func (m *merchant) drop(content string) string {
	m.t.Helper()
	return m.dropInto(m.pool+"/", content)
}

// dropInto puts a file below the merchant's folder.
func (m *merchant) dropInto(folder, content string) string {
	m.t.Helper()
	file := strings.ToLower(rand.Text()[:8]) + ".txt"
	if err := world.shop.Drop(m.t.Context(), "uploads/"+m.Merchant+"/"+folder+file, []byte(content)); err != nil {
		m.t.Fatal(err)
	}
	return file
}

// stock loads n new keys and waits until they are for sale.
func (m *merchant) stock(n int) []string {
	m.t.Helper()
	made := newKeys(n)
	file := m.drop(strings.Join(made, "\n") + "\n")
	if u := m.loaded(file); u.Accepted != n {
		m.t.Fatalf("%d of %d keys were accepted", u.Accepted, n)
	}
	return made
}

// loaded waits until a file is read and returns its report.
func (m *merchant) loaded(file string) shop.Upload {
	m.t.Helper()
	u, err := world.shop.AwaitUpload(m.t.Context(), timeout, m.token, file, "finished")
	if err != nil {
		m.t.Fatal(err)
	}
	return u
}

// order is an order of so many units by a new customer.
func (m *merchant) order(quantity int) shop.Order {
	return shop.Order{
		ID: "A-" + rand.Text()[:12], Email: newAddress(), Name: "Ada " + world.canaries.New(canary.Customer), Currency: "EUR", Language: "en",
		Lines: []shop.Line{{ID: "1", Product: m.product, Quantity: quantity, UnitPrice: "29.90"}},
	}
}

// pay reports the order and expects its line in that state with so many keys.
func (m *merchant) pay(o shop.Order, state string, held int) {
	m.t.Helper()
	reply, _, err := world.shop.Pay(m.t.Context(), m.Account, o)
	if err != nil {
		m.t.Fatalf("pay: %v", err)
	}
	if len(reply.Lines) != 1 || reply.Lines[0].State != state || reply.Lines[0].Allocated != held {
		m.t.Fatalf("paid: %+v, want one line that is %s with %d keys", reply.Lines, state, held)
	}
}

// send sends a body to the account's address, signed at that time.
func (m *merchant) send(body []byte, at time.Time) shop.Answer {
	m.t.Helper()
	request, err := m.Sign(body, at)
	if err != nil {
		m.t.Fatal(err)
	}
	return do(m.t, request)
}

func do(t *testing.T, r shop.Request) shop.Answer {
	t.Helper()
	answer, err := world.shop.Do(t.Context(), r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Path, err)
	}
	return answer
}

// mailTo waits for the mail to an address that holds the words.
func (m *merchant) mailTo(address string, words ...string) shop.Mail {
	m.t.Helper()
	mail, err := world.shop.AwaitMail(m.t.Context(), timeout, address, words...)
	if err != nil {
		m.t.Fatal(err)
	}
	return mail
}

// notice waits for a mail to the merchant that holds the words.
func (m *merchant) notice(words ...string) shop.Mail {
	m.t.Helper()
	return m.mailTo(m.notices, words...)
}

// mails are all that an address got so far.
func (m *merchant) mails(address string, words ...string) []shop.Mail {
	m.t.Helper()
	all, err := world.shop.Mails(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return shop.To(all, address, words...)
}

// keysOf waits for an order's mail and returns the keys in it.
func (m *merchant) keysOf(o shop.Order) []string {
	m.t.Helper()
	return keysIn(m.mailTo(o.Email, world.mark))
}

// keysIn returns the keys in a mail's text.
func keysIn(mail shop.Mail) []string {
	var found []string
	for word := range strings.FieldsSeq(mail.Text) {
		if strings.HasPrefix(word, world.mark) {
			found = append(found, word)
		}
	}
	return found
}

// line is what the API says of the order's one line, nil if it knows none.
func (m *merchant) line(o shop.Order) *shop.OrderLine {
	m.t.Helper()
	lines, err := world.shop.OrderLines(m.t.Context(), m.token, o.ID)
	if err != nil {
		m.t.Fatal(err)
	}
	if len(lines) == 0 {
		return nil
	}
	return &lines[0]
}

// left are the keys that can still be sold.
func (m *merchant) left() (live, test shop.Stock) {
	m.t.Helper()
	live, test, err := world.shop.Stock(m.t.Context(), m.token, m.pool)
	if err != nil {
		m.t.Fatal(err)
	}
	return live, test
}

// await waits for something to become true.
func (m *merchant) await(what string, ask func(ctx context.Context) bool) {
	m.t.Helper()
	err := shop.Await(m.t.Context(), timeout, what, func() (bool, error) { return ask(m.t.Context()), nil })
	if err != nil {
		m.t.Fatal(err)
	}
}

// body is an order's body with one change in it.
func changed(o shop.Order, old, new string) []byte {
	body := strings.Replace(string(o.Body()), old, new, 1)
	if body == string(o.Body()) {
		panic(fmt.Sprintf("there is no %s in an order", old))
	}
	return []byte(body)
}
