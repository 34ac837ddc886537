//go:build deployment

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"keypool/infra/proof/canary"
	"keypool/shared/s3"
	"keypool/shared/upload"
)

// signedIn is a browser in which the merchant's owner is signed in.
func (m *merchant) signedIn() *browser {
	m.t.Helper()
	address, b := m.owner(), newBrowser(m.t)
	b.send("/portal/sign-in/ask", url.Values{"email": {address}})
	link, _ := signInMail(m.t, address)
	if p := b.send(link, url.Values{}); p.status != http.StatusSeeOther {
		m.t.Fatalf("nobody is signed in: %d", p.status)
	}
	world.canaries.Add(canary.Token, b.cookie("__Host-keypool"))
	return b
}

// signedForm is a form that the portal had signed.
type signedForm struct {
	Address string
	Fields  map[string]string
}

// with returns the form with another value of a field.
func (f signedForm) with(name, value string) signedForm {
	f.Fields = maps.Clone(f.Fields)
	f.Fields[name] = value
	return f
}

// sendFile sends a file to the bucket as a browser does: the fields of a form, and the file last.
func (b *browser) sendFile(form signedForm, name, content string) page {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for field, value := range form.Fields {
		if err := w.WriteField(field, value); err != nil {
			b.t.Fatal(err)
		}
	}
	file, err := w.CreateFormFile("file", name)
	if err == nil {
		_, err = io.WriteString(file, content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, form.Address, &body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.Header.Set("Origin", world.shop.URL)
	a, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer a.Body.Close()
	said, err := io.ReadAll(a.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{a.StatusCode, a.Header, string(said)}
}

// report follows where the bucket leads to, and waits for the file to be read.
func (m *merchant) report(b *browser, arrived string, words ...string) {
	m.t.Helper()
	arrived = strings.TrimPrefix(arrived, world.shop.URL)
	if !strings.HasPrefix(arrived, "/portal/arrived?") {
		m.t.Fatalf("the bucket leads to %q", arrived)
	}
	led := b.send(arrived, nil)
	at := led.header.Get("Location")
	if led.status != http.StatusSeeOther || !strings.HasPrefix(at, "/portal/uploads/") {
		m.t.Fatalf("a file that arrived is answered %d %q", led.status, at)
	}
	m.await("the report of the file", func(context.Context) bool {
		p := b.send(at, nil)
		for _, text := range words {
			if !strings.Contains(p.body, text) {
				return false
			}
		}
		return p.status == http.StatusOK
	})
}

var (
	formAddress = regexp.MustCompile(`<form method="post" action="(https?://[^"]+)" enctype="multipart/form-data">`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
)

// A form that the portal signs brings one file of one name and size into the bucket, within its
// time, and the bucket refuses every other one.
func TestPortal_formIsForOneFile(t *testing.T) {
	t.Parallel()
	m, other := newMerchant(t), newMerchant(t)
	b := m.signedIn()
	keys := newKeys(3)
	content := strings.Join(keys, "\n") + "\n"
	sign := func() (form signedForm) {
		t.Helper()
		p := b.send(fmt.Sprintf("/portal/pools/%s/form?side=live&name=mine.txt&size=%d", m.pool, len(content)), nil)
		if err := json.Unmarshal([]byte(p.body), &form); err != nil || form.Address == "" {
			t.Fatalf("a form is answered %d %s, %v", p.status, p.body, err)
		}
		return form
	}
	form := sign()
	key := form.Fields["key"]
	bucket := s3.OpenUploads(awss3.NewFromConfig(world.shop.AWS), world.shop.Bucket)
	address, fields, err := bucket.PresignForm(t.Context(), upload.Form{Name: key, Least: 1, Most: 1 << 20}, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	late := signedForm{address, fields}
	for what, try := range map[string]struct {
		form    signedForm
		content string
	}{
		"a larger file":                {form, content + "X"},
		"a smaller file":               {form, content[1:]},
		"another name":                 {form.with("key", strings.Replace(key, "mine.txt", "other.txt", 1)), content},
		"another pool":                 {form.with("key", strings.Replace(key, m.pool, m.pool+"2", 1)), content},
		"another merchant":             {form.with("key", strings.Replace(strings.Replace(key, m.pool, other.pool, 1), m.Merchant, other.Merchant, 1)), content},
		"another type":                 {form.with("Content-Type", "text/html"), content},
		"another list of who may read": {form.with("acl", "public-read"), content},
		"another place to come back":   {form.with("success_action_redirect", "https://evil.example/"), content},
		"another policy":               {form.with("policy", late.Fields["policy"]), content},
		"another signature":            {form.with("X-Amz-Signature", strings.Repeat("0", 64)), content},
		"a form that has expired":      {late, content},
	} {
		p := b.sendFile(try.form, "mine.txt", try.content)
		if p.status != http.StatusForbidden && p.status != http.StatusBadRequest {
			t.Errorf("%s: the bucket answers %d %v", what, p.status, p.header.Get("Location"))
		}
		if there, err := world.shop.Kept(t.Context(), try.form.Fields["key"]); there || err != nil {
			t.Errorf("%s: a file is there: %t, %v", what, there, err)
		}
	}
	if p := b.send("/portal/arrived?key="+url.QueryEscape(key), nil); p.status != http.StatusNotFound {
		t.Errorf("a file that did not arrive is answered %d", p.status)
	}
	sent := b.sendFile(form, "mine.txt", content)
	if sent.status != http.StatusCreated || sent.header.Get("Access-Control-Allow-Origin") != world.shop.URL {
		t.Fatalf("the file itself is answered %d, for the origin %q: %s", sent.status, sent.header.Get("Access-Control-Allow-Origin"), sent.body)
	}
	m.report(b, "/portal/arrived?keys=3&repeats=0&refused=0&key="+url.QueryEscape(key), "3 keys added", "Your browser saw", "3 keys")
	if stranger := other.signedIn().send("/portal/arrived?key="+url.QueryEscape(key), nil); stranger.status != http.StatusNotFound {
		t.Errorf("another merchant's file is answered %d", stranger.status)
	}
}

// A browser without script sends the page's own form, and the bucket leads it back to the report.
func TestPortal_bareForm(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	b := m.signedIn()
	p := b.send("/portal/pools/"+m.pool+"/add", nil)
	to := formAddress.FindStringSubmatch(p.body)
	if p.status != http.StatusOK || to == nil {
		t.Fatalf("the page that adds keys is answered %d, without a form", p.status)
	}
	form := signedForm{html.UnescapeString(to[1]), map[string]string{}}
	_, rest, _ := strings.Cut(p.body, to[0])
	rest, _, _ = strings.Cut(rest, "</form>")
	for _, field := range hiddenField.FindAllStringSubmatch(rest, -1) {
		form.Fields[html.UnescapeString(field[1])] = html.UnescapeString(field[2])
	}
	if csp := p.header.Get("Content-Security-Policy"); !strings.Contains(csp, strings.Join(strings.SplitN(form.Address, "/", 4)[:3], "/")) {
		t.Errorf("the page may not send to %s: %s", form.Address, csp)
	}
	sent := b.sendFile(form, "by hand.txt", strings.Join(newKeys(2), "\r\n"))
	if sent.status != http.StatusSeeOther {
		t.Fatalf("the file is answered %d: %s", sent.status, sent.body)
	}
	m.report(b, sent.header.Get("Location"), "2 keys added", "by hand.txt")
	if empty := b.sendFile(form, "empty.txt", ""); empty.status == http.StatusSeeOther {
		t.Error("the bucket takes an empty file")
	}
}
