package main

import (
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/access"
)

// sentForm is a form as a page shows it, with what a browser sends.
type sentForm struct {
	on, to string
	values url.Values
}

var (
	postForm   = regexp.MustCompile(`(?s)<form([^>]*method="post"[^>]*)>(.*?)</form>`)
	actionOf   = regexp.MustCompile(`\saction="([^"]*)"`)
	buttonOf   = regexp.MustCompile(`<button([^>]*)>`)
	valueOf    = regexp.MustCompile(`\s(name|value|formaction)="([^"]*)"`)
	anyField   = regexp.MustCompile(`<(?:input|textarea|select)[^>]*\sname="([^"]+)"`)
	seldomSent = []string{"/portal/sign-out", "/portal/me/end-others", "/portal/me/end"}
)

// forms returns the forms of a page that send to the portal, each once for each of its buttons.
func (p page) forms() []sentForm {
	p.Helper()
	var all []sentForm
	for _, found := range postForm.FindAllStringSubmatch(p.body, -1) {
		to, _, _ := strings.Cut(p.at, "?")
		if action := actionOf.FindStringSubmatch(found[1]); action != nil {
			to = html.UnescapeString(action[1])
		}
		if !strings.HasPrefix(to, "/portal") {
			continue
		}
		inner := p
		inner.body = found[2]
		values := inner.form()
		for _, name := range anyField.FindAllStringSubmatch(found[2], -1) {
			if typed := typedIn[name[1]]; typed != "" && values.Get(name[1]) == "" {
				values.Set(name[1], typed)
			}
		}
		buttons := buttonOf.FindAllStringSubmatch(found[2], -1)
		if buttons == nil {
			buttons = [][]string{{"", ""}}
		}
		for _, button := range buttons {
			one := sentForm{p.at, to, maps.Clone(values)}
			if strings.Contains(button[1], `type="button"`) {
				continue
			}
			name := ""
			for _, attribute := range valueOf.FindAllStringSubmatch(button[1], -1) {
				switch attribute[1] {
				case "formaction":
					one.to = html.UnescapeString(attribute[2])
				case "name":
					name = attribute[2]
				case "value":
					one.values.Set(name, html.UnescapeString(attribute[2]))
				}
			}
			all = append(all, one)
		}
	}
	return all
}

// typedIn is what a person types into the fields of forms that are empty.
var typedIn = map[string]string{
	"name": "replayed", "title": "Replayed", "email": "replayed@acme.example", "text": "REPLAYED-1", "body": "{KEY}", "id": "replayed", "code": "REPLAYED-CODE", "find": "acme-1001",
	"address": "keys@acme.example", "keys.count": "1", "low_stock": "3", "reminder_hours": "24", "product": "acme-product", "quantity": "1", "document": "{}",
}

// formsOf returns the forms of pages: one of each address and its fields.
func formsOf(pages []page) []sentForm {
	var all []sentForm
	known := map[string]bool{}
	for _, p := range pages {
		for _, f := range p.forms() {
			if key := f.to + " " + strings.Join(slices.Sorted(maps.Keys(f.values)), " ") + f.values.Get("act"); !known[key] {
				known[key] = true
				all = append(all, f)
			}
		}
	}
	return all
}

// Every form of every page acts once, however often it is sent, and leads to the same page. One
// that is older than what it changes changes nothing.
func TestForms_twice(t *testing.T) {
	t.Parallel()
	s, _, _ := twoShops(t)
	all := formsOf(s.as(access.Owner).crawl())
	if len(all) < 30 {
		t.Fatalf("only %d forms were found", len(all))
	}
	did, stale := 0, 0
	for _, f := range all {
		if slices.Contains(seldomSent, f.to) {
			continue
		}
		before := s.stored()
		first := s.as(access.Owner).send("POST", f.to, f.values)
		once := s.stored()
		changed := difference(before, once)
		second := s.as(access.Owner).send("POST", f.to, f.values)
		if again := difference(once, s.stored()); len(again) > 0 {
			t.Errorf("the form of %s to %s, sent twice, changes %v", f.on, f.to, again)
		}
		if len(changed) == 0 {
			continue
		}
		did++
		if f.values.Get("once") == "" {
			t.Errorf("the form of %s to %s has no id of its own", f.on, f.to)
		}
		if first.status == http.StatusSeeOther && second.headers["Location"] != first.headers["Location"] {
			t.Errorf("the form of %s to %s leads to %s, and sent twice to %d %s", f.on, f.to, first.headers["Location"], second.status, second.headers["Location"])
		}
		if f.values.Get("version") == "" || f.values.Get("version") == "*" {
			continue
		}
		stale++
		old := maps.Clone(f.values)
		old.Set("once", "another press of an old page")
		for name, value := range old {
			if name != "once" && name != "version" && len(value) == 1 && typedIn[name] != "" {
				old.Set(name, "X"+value[0])
			}
		}
		p := s.as(access.Owner).send("POST", f.to, old)
		if late := difference(once, s.stored()); len(late) > 0 || p.status < 400 {
			t.Errorf("the form of %s to %s, sent from an old page, is answered %d %s, and changes %v", f.on, f.to, p.status, p.headers["Location"], late)
		}
	}
	t.Logf("%d forms, of which %d did something, and %d have a version", len(all), did, stale)
	if did < 15 || stale < 5 {
		t.Errorf("%d forms did something, %d of them with a version", did, stale)
	}
}

// difference returns the keys of what is stored otherwise, but for sessions.
func difference(before, now map[string]string) []string {
	changed := map[string]bool{}
	for key, is := range now {
		if before[key] != is {
			changed[key] = true
		}
	}
	for key := range before {
		if _, there := now[key]; !there {
			changed[key] = true
		}
	}
	maps.DeleteFunc(changed, func(key string, _ bool) bool { return strings.HasPrefix(key, "sessions#") })
	return slices.Sorted(maps.Keys(changed))
}

// What comes in another form than a page's does nothing: its fields would be taken for empty ones.
func TestForms_thatAreNone(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	before := w.stored()
	many := strings.Repeat("a=b&", 20_000)
	for name, c := range map[string]struct{ kind, body string }{
		"JSON":             {"application/json", `{"name":"Grace"}`},
		"text":             {"text/plain", "name=Grace"},
		"several parts":    {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nGrace\r\n--x--\r\n"},
		"no kind":          {"", "name=Grace"},
		"a strange kind":   {"application/x-www-form-urlencoded, text/plain", "name=Grace"},
		"too many fields":  {"application/x-www-form-urlencoded", many},
		"too large":        {"application/x-www-form-urlencoded", "name=" + strings.Repeat("a", maxForm)},
		"a broken escape":  {"application/x-www-form-urlencoded", "name=%zz"},
		"semicolons":       {"application/x-www-form-urlencoded", "name=a;b=c"},
		"escaped to death": {"application/x-www-form-urlencoded", "%"},
	} {
		for _, path := range []string{"/portal/settings/invite", "/portal/sign-in/ask", "/portal/sign-in/code"} {
			p := b.send("POST", path, nil, func(e *events.APIGatewayV2HTTPRequest) { e.Headers["content-type"], e.Body = c.kind, c.body })
			if want := map[bool]int{true: http.StatusRequestEntityTooLarge, false: http.StatusBadRequest}[name == "too large"]; p.status != want {
				t.Errorf("%s to %s: %d, want %d", name, path, p.status, want)
			}
		}
	}
	w.wantStored("forms that are none", before, true)
	for _, kind := range []string{"application/x-www-form-urlencoded", "Application/X-WWW-Form-URLencoded; charset=utf-8"} {
		p := b.send("POST", "/portal/settings/invite", nil, func(e *events.APIGatewayV2HTTPRequest) { e.Headers["content-type"], e.Body = kind, "name=Grace" })
		p.has("Invite a person")
	}
}
