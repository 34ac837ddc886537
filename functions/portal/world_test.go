package main

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/delivery"
	"keypool/shared/dynamo"
	"keypool/shared/idempotency"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/outbox"
	"keypool/shared/search"
	"keypool/shared/settings"
	"keypool/shared/web"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const publicURL = "https://keypool.example"

// world is the portal over tables of its own, with the merchant acme, whose owner is Ada, and
// the mailer that writes what people sign in by.
type world struct {
	*testing.T
	serve  func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)
	portal *portal
	store  *dynamo.Store
	tables dynamo.Tables

	mu    sync.Mutex
	clock time.Time
	sent  []mail.Message

	fills   queue
	files   *fakeFiles
	queue   *fakeQueue
	seals   seals
	jobs    queue
	front   front
	domains domains
}

func open(t *testing.T, options ...dynamotest.Option) *world {
	t.Helper()
	w := &world{T: t, clock: noon}
	w.store, w.tables = dynamotest.Open(t, options...)
	w.portal = &portal{
		door:      &access.Door{Sessions: w.store, People: w.store, Now: w.now},
		signIns:   &access.SignIns{Store: w.store, Counts: w.store, Now: w.now},
		sessions:  w.store,
		merchants: catalog.NewCached(w.store, w.now),
		calls:     &idempotency.Guard{Store: w.store, Now: w.now},
		now:       w.now,
		stock:     w.stock(),

		people:   &settings.People{Store: w.store, Now: w.now},
		tokens:   &settings.Tokens{Store: w.store, Now: w.now},
		trail:    &settings.Trail{Store: w.store},
		notices:  &settings.Notices{Store: w.store},
		overview: overview{lines: &search.Finder{Merchants: catalog.NewCached(w.store, w.now), Lines: w.store, Now: w.now}, held: w.store, shopIs: w.store},
	}
	w.setUp()
	w.serve = web.Server{Handler: w.portal.serve()}.Serve
	w.merchant("acme", "Acme Games")
	w.person("acme", "ada", "Ada Byron", "ada@acme.example", access.Owner)
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// later moves the clock.
func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *world) merchant(name, title string) {
	w.Helper()
	if err := w.store.PutMerchant(w.Context(), catalog.Merchant{Name: name, Title: title, NoticeAddress: "stock@" + name + ".example"}); err != nil {
		w.Fatal(err)
	}
}

// person adds somebody, or gives another role or address.
func (w *world) person(merchant, id, name, address string, role access.Role) {
	w.Helper()
	people, version, err := w.store.People(w.Context(), merchant)
	if err != nil {
		w.Fatal(err)
	}
	next, former := access.Person{Merchant: merchant, ID: id, Name: name, Address: address, Role: role}, ""
	for _, p := range people {
		if p.ID == id {
			next.Version, former = p.Version, p.Address
		}
	}
	if err := w.store.PutPerson(w.Context(), version, next, former); err != nil {
		w.Fatal(err)
	}
}

// Send implements delivery.MailSender.
func (w *world) Send(_ context.Context, m mail.Message) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, m)
	return "0100", nil
}

// browser is a browser with its cookies.
type browser struct {
	*world
	cookies map[string]string
	agent   string
	from    string // network address
}

func (w *world) browser() *browser {
	return &browser{w, map[string]string{}, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "192.0.2.1"}
}

// page is an answer.
type page struct {
	*testing.T
	status  int
	headers map[string]string
	cookies []string
	body    string
	at      string // the address that it was found at
}

// get opens an address, and follows where it leads.
func (b *browser) get(path string) page { b.Helper(); return b.follow(b.send("GET", path, nil)) }

// post sends a form, and follows where its answer leads.
func (b *browser) post(path string, form url.Values, alter ...func(*events.APIGatewayV2HTTPRequest)) page {
	b.Helper()
	return b.follow(b.send("POST", path, form, alter...))
}

func (b *browser) follow(p page) page {
	b.Helper()
	for range 5 {
		if p.status != http.StatusSeeOther {
			return p
		}
		p = b.send("GET", p.headers["Location"], nil)
	}
	b.Fatalf("%s leads round and round", p.at)
	return p
}

// send makes one request, and keeps the cookies of its answer.
func (b *browser) send(method, path string, form url.Values, alter ...func(*events.APIGatewayV2HTTPRequest)) page {
	b.Helper()
	var e events.APIGatewayV2HTTPRequest
	e.RawPath, e.RawQueryString, _ = strings.Cut(path, "?")
	e.RouteKey = "ANY /portal/{proxy+}"
	e.RequestContext.HTTP.Method = method
	e.RequestContext.HTTP.SourceIP = b.from
	e.RequestContext.DomainName = "keypool.example"
	e.Headers = map[string]string{"host": "keypool.example", "user-agent": b.agent, "sec-fetch-site": "same-origin", "accept": "text/html"}
	for name, value := range b.cookies {
		e.Cookies = append(e.Cookies, name+"="+value)
	}
	if form != nil {
		e.Headers["content-type"] = "application/x-www-form-urlencoded"
		e.Body = form.Encode()
	}
	for _, f := range alter {
		f(&e)
	}
	r, err := b.serve(b.Context(), e)
	if err != nil {
		b.Fatal(err)
	}
	for _, set := range r.Cookies {
		c, err := http.ParseSetCookie(set)
		if err != nil {
			b.Fatal(err)
		}
		if !c.Secure || !c.HttpOnly || c.Path != "/" || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
			b.Errorf("%s %s sets the cookie %s", method, path, set)
		}
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return page{b.T, r.StatusCode, r.Headers, r.Cookies, r.Body, path}
}

// has fails the test unless the page holds the texts, as a person reads them.
func (p page) has(texts ...string) page {
	p.Helper()
	for _, text := range texts {
		if !strings.Contains(p.words(), text) {
			p.Errorf("%s (%d) does not say %q:\n%s", p.at, p.status, text, p.words())
		}
	}
	return p
}

// hasNot fails the test if the page holds one of the texts, wherever.
func (p page) hasNot(texts ...string) page {
	p.Helper()
	for _, text := range texts {
		if strings.Contains(p.body, text) {
			p.Errorf("%s (%d) holds %q:\n%s", p.at, p.status, text, p.words())
		}
	}
	return p
}

// shows fails the test unless a person reads the text in the page, or does not.
func (p page) shows(want bool, text string) page {
	p.Helper()
	if strings.Contains(p.words(), text) != want {
		p.Errorf("%s shows %q: %t, want %t", p.at, text, !want, want)
	}
	return p
}

var (
	tag    = regexp.MustCompile(`(?s)<[^>]*>`)
	blanks = regexp.MustCompile(`\s+`)
)

// words are those of the page, without its markup.
func (p page) words() string {
	text := tag.ReplaceAllString(p.body, " ")
	return blanks.ReplaceAllString(unescape(text), " ")
}

func unescape(s string) string {
	return strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&lt;", "<", "&gt;", ">", "&amp;", "&", "&#43;", "+").Replace(s)
}

var (
	linkOfMail = regexp.MustCompile(`https://\S+/portal/sign-in/(\S+)`)
	codeOfMail = regexp.MustCompile(`(?m)^(\d{3} \d{4})$`)
)

// ask asks for a mail, and returns its link and code, "" if none was written.
func (b *browser) ask(address string) (link, code string) {
	b.Helper()
	b.post("/portal/sign-in/ask", url.Values{"email": {address}})
	return b.mailed()
}

// mailed has the mail written that the browser asked for, and returns its link and code.
func (b *browser) mailed() (link, code string) {
	b.Helper()
	before := len(b.sent)
	b.mail(notice.New("", notice.SignIn, access.HashName(b.cookies[signInCookie]), notice.Facts{}, b.now()).ID)
	if len(b.sent) == before {
		return "", ""
	}
	m := b.sent[len(b.sent)-1]
	return linkOfMail.FindStringSubmatch(m.Text)[1], codeOfMail.FindString(m.Text)
}

// mail has a notice mailed, if there is one of that ID.
func (w *world) mail(id string) {
	w.Helper()
	mailer := &delivery.Mailer{
		Lines: w.store.LineMails(), Notices: w.store.NoticeMails(), Settings: catalog.NewCached(w.store, w.now), SignIns: w.store,
		MailSender: w, PublicURL: publicURL, Now: w.now,
	}
	for _, err := range mailer.Mail(w.Context(), []outbox.Item{outbox.NoticeItem(id)}) {
		if err != nil {
			w.Fatal(err)
		}
	}
}

// signIn returns a browser in which somebody is signed in.
func (w *world) signIn(address string) *browser {
	w.Helper()
	b := w.browser()
	_, code := b.ask(address)
	b.post("/portal/sign-in/code", url.Values{"code": {code}})
	if b.cookies[sessionCookie] == "" {
		w.Fatalf("%s is not signed in", address)
	}
	return b
}
