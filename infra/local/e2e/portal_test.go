//go:build deployment

package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/canary"
)

// browser is what a browser does, without showing anything.
type browser struct {
	t      *testing.T
	client *http.Client
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{
		Transport: world.shop.HTTP.Transport, Jar: jar, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is an answer to a browser.
type page struct {
	status int
	header http.Header
	body   string
}

// send opens an address, or sends a form to it.
func (b *browser) send(path string, form url.Values) page {
	b.t.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, world.shop.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	a, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer a.Body.Close()
	content, err := io.ReadAll(a.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{a.StatusCode, a.Header, string(content)}
}

// cookie returns the value of a cookie, empty if the browser has none.
func (b *browser) cookie(name string) string {
	b.t.Helper()
	site, err := url.Parse(world.shop.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(site) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

var (
	signInLink = regexp.MustCompile(`https://\S+(/portal/sign-in/(\S+))`)
	signInCode = regexp.MustCompile(`(?m)^\d{3} \d{4}$`)
)

// owner makes somebody the merchant's owner, and returns the mail address.
func (m *merchant) owner() string {
	m.t.Helper()
	address := world.canaries.New(canary.Merchant) + "@people.example"
	if err := world.shop.Operate(m.t.Context(), http.MethodPost, "/v1/merchants/"+m.Merchant+"/owners", map[string]string{"name": "Ada Owner", "email": address}, nil); err != nil {
		m.t.Fatal(err)
	}
	return address
}

// signInMail waits for the mail that a browser asked for.
func signInMail(t *testing.T, address string) (link, code string) {
	t.Helper()
	mail, err := world.shop.AwaitMail(t.Context(), timeout, address, "/portal/sign-in/")
	if err != nil {
		t.Fatal(err)
	}
	found := signInLink.FindStringSubmatch(mail.Text)
	if !strings.HasPrefix(mail.Text[strings.Index(mail.Text, found[0]):], world.shop.URL+"/") {
		t.Errorf("the mail's link does not lead to the portal at %s", world.shop.URL)
	}
	world.canaries.Add(canary.Link, found[2])
	return found[1], signInCode.FindString(mail.Text)
}

// Somebody signs in by the link of the mail that comes, in the browser that asked for it and
// in no other.
func TestPortal_signIn(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	address := m.owner()
	b := newBrowser(t)
	if p := b.send("/portal", nil); p.status != http.StatusSeeOther || p.header.Get("Location") != "/portal/sign-in" {
		t.Fatalf("the portal is answered %d to a stranger, and leads to %q", p.status, p.header.Get("Location"))
	}
	asked := b.send("/portal/sign-in/ask", url.Values{"email": {address}})
	if asked.status != http.StatusSeeOther || b.cookie("__Host-keypool-signin") == "" {
		t.Fatalf("asked: %d, %v", asked.status, asked.header)
	}
	link, _ := signInMail(t, address)

	scanner := newBrowser(t)
	for _, form := range []url.Values{nil, {}} {
		if p := scanner.send(link, form); p.status != http.StatusForbidden || scanner.cookie("__Host-keypool") != "" {
			t.Errorf("in another browser, the link is answered %d", p.status)
		}
	}
	if p := b.send(link, nil); p.status != http.StatusOK || !strings.Contains(p.body, "<button") {
		t.Fatalf("the link is answered %d: %s", p.status, p.body)
	}
	in := b.send(link, url.Values{})
	if in.status != http.StatusSeeOther || len(in.header.Values("Set-Cookie")) < 2 {
		t.Fatalf("the button is answered %d, with the cookies %d", in.status, len(in.header.Values("Set-Cookie")))
	}
	for _, set := range in.header.Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(set); err != nil || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("a cookie is set otherwise: %v", err)
		}
	}
	session := b.cookie("__Host-keypool")
	world.canaries.Add(canary.Token, session)
	home := b.send("/portal", nil)
	if home.status != http.StatusOK || !strings.Contains(home.body, "Ada Owner") {
		t.Fatalf("the portal is answered %d: %s", home.status, home.body)
	}
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'", "Strict-Transport-Security": "max-age=31536000", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "same-origin", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := home.header.Values(name); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s is %q", name, got)
		}
	}
	style := regexp.MustCompile(`/portal/assets/portal-[0-9a-f]+\.css`).FindString(home.body)
	if p := b.send(style, nil); p.status != http.StatusOK || !strings.Contains(p.body, ":root") || !strings.Contains(p.header.Get("Cache-Control"), "immutable") {
		t.Errorf("%q is answered %d, %v", style, p.status, p.header)
	}
	b.send("/portal/sign-out", url.Values{})
	if p := b.send("/portal", nil); p.status != http.StatusSeeOther || b.cookie("__Host-keypool") != "" {
		t.Errorf("after signing out, the portal is answered %d", p.status)
	}
}

// From outside nobody sees whether an address may sign in.
func TestPortal_unknownAddressIsAnsweredAlike(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	known := m.owner()
	var answers []page
	for _, address := range []string{known, newAddress()} {
		b := newBrowser(t)
		p := b.send("/portal/sign-in/ask", url.Values{"email": {address}})
		shown := b.send(p.header.Get("Location"), nil)
		shown.body = p.body + shown.body
		p.header.Set("Set-Cookie", strings.ReplaceAll(p.header.Get("Set-Cookie"), b.cookie("__Host-keypool-signin"), "…"))
		for _, own := range []string{"Date", "Apigw-Requestid", "X-Amzn-Requestid", "X-Amz-Request-Id", "X-Amz-Id-2"} {
			p.header.Del(own)
		}
		answers = append(answers, page{p.status, p.header, shown.body})
	}
	if d := cmp.Diff(answers[0], answers[1], cmp.AllowUnexported(page{})); d != "" {
		t.Errorf("a known address (-) and an unknown one (+) are answered differently:\n%s", d)
	}
	if _, err := world.shop.AwaitMail(t.Context(), timeout, known, "/portal/sign-in/"); err != nil {
		t.Error(err)
	}
}
