package main

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	gocmp "github.com/google/go-cmp/cmp"

	"keypool/infra/proof/resttest"
	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/link"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/review"
)

// held stores a line that the cap holds.
func (w *world) held(merchant string, side pool.Side, number string, at time.Time) order.Fulfillment {
	w.Helper()
	line := w.claim(merchant, "elden", side, number, 120)
	change := order.ChangeOf(line)
	change.After.HoldByRules([]order.Hold{order.HoldCap}, at)
	change.Settle(at)
	if err := w.store.Commit(w.Context(), change); err != nil {
		w.Fatal(err)
	}
	return change.After
}

func (w *world) state(id order.LineID) order.Fulfillment {
	w.Helper()
	line, _, err := w.store.Fulfillment(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return line
}

func TestReview_isSetUnderALock(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	var got ReviewSettings
	first := w.shop(token, "GET", "/v1/review", nil).Want(200).Into(&got)
	if got.Brake == nil || got.Brake.Set || got.BrakesItself || got.Rules.MaxKeys != 0 {
		t.Errorf("a new merchant has %+v", got)
	}
	w.shop(token, "PUT", "/v1/review", `{"rules":{"max_keys":50}}`).Want(428)
	w.shop(token, "PUT", "/v1/review", `{"rules":{"max_keys":50}}`, "if-none-match", "*").Want(412)
	second := w.shop(token, "PUT", "/v1/review", `{"rules":{"max_keys":50,"above":{"EUR":"500.00"}},"brakes_itself":true}`, "if-match", first.ETag()).Want(200)
	w.shop(token, "PUT", "/v1/review", `{"rules":{"max_keys":60}}`, "if-match", first.ETag()).Want(412)
	w.shop(token, "PUT", "/v1/review", `{"rules":{"max_keys":50,"above":{"EUR":"500.00"}},"brakes_itself":true}`).Want(200) // a repeat
	got = ReviewSettings{}
	if third := w.shop(token, "GET", "/v1/review", nil).Want(200).Into(&got); third.ETag() != second.ETag() || got.Rules.MaxKeys != 50 || got.Rules.Above["EUR"] != "500.00" || !got.BrakesItself {
		t.Errorf("read %s %+v", third.ETag(), got)
	}
	where := w.shop(token, "PUT", "/v1/review", `{"rules":{"above":{"EUR":"much"}}}`, "if-match", "*").Want(422).Locations()
	if fmt.Sprint(where) != "[body.rules.above.EUR]" {
		t.Errorf("at fault: %v", where)
	}
}

func TestBrake_isSetOnceAndTakenOff(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	var set, again, off Brake
	w.shop(token, "POST", "/v1/brake", nil).Want(200).Into(&set)
	w.advance(time.Hour)
	w.shop(token, "POST", "/v1/brake", nil).Want(200).Into(&again)
	if !set.Set || !set.SetAt.Equal(noon) || !again.SetAt.Equal(noon) || !strings.Contains(set.By, "the token") {
		t.Errorf("set %+v, then %+v", set, again)
	}
	for _, why := range []string{"?reason=it+was+the+sale", "", "?reason=again"} {
		w.shop(token, "DELETE", "/v1/brake"+why, nil).Want(204)
		w.advance(time.Hour)
	}
	want := Brake{SetAt: noon, By: set.By, ReleasedAt: noon.Add(time.Hour), ReleasedBy: set.By, Reason: "it was the sale"}
	if w.shop(token, "GET", "/v1/brake", nil).Want(200).Into(&off); off != want {
		t.Errorf("it is off: %+v, want %+v", off, want)
	}
	var all ReviewSettings
	if w.shop(token, "GET", "/v1/review", nil).Want(200).Into(&all); *all.Brake != want {
		t.Errorf("review shows %+v, want %+v", *all.Brake, want)
	}
	w.shop(token, "DELETE", "/v1/brake?reason="+strings.Repeat("a", 201), nil).Want(422)

	var anew Brake
	w.shop(token, "POST", "/v1/brake", nil).Want(200).Into(&anew)
	if anew != (Brake{Set: true, SetAt: noon.Add(4 * time.Hour), By: set.By}) {
		t.Errorf("set anew: %+v", anew)
	}
}

func TestHeld_isListedAndDecided(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	one, two := w.held("acme", pool.Live, "1", noon), w.held("acme", pool.Live, "2", noon)
	three, later := w.held("acme", pool.Live, "3", noon), w.held("acme", pool.Live, "4", noon.Add(time.Hour))
	test := w.held("acme", pool.Test, "5", noon)
	var orders []string
	for path := "/v1/held?limit=3"; path != ""; {
		var page HeldList
		w.shop(token, "GET", path, nil).Want(200).Into(&page)
		for _, l := range page.Items {
			if fmt.Sprint(l.Holds) != "[cap]" || l.Quantity != 120 || l.Title != "Elden" {
				t.Errorf("listed %+v", l)
			}
			orders = append(orders, l.Order)
		}
		if path = ""; page.Next != "" {
			path = "/v1/held?limit=3&after=" + url.QueryEscape(page.Next)
		}
	}
	if len(orders) != 4 {
		t.Errorf("listed %v", orders)
	}
	var acted Acted
	w.shop(token, "POST", "/v1/orders/1/reject", `{"reason":"a stolen card"}`).Want(200).Into(&acted)
	if l := acted.Lines[0]; !l.Done || l.State != "returned" {
		t.Errorf("rejected: %+v", l)
	}
	w.shop(token, "POST", "/v1/orders/reject?order=1", `{}`).Want(200).Into(&acted)
	if acted.Lines[0].Done {
		t.Error("it was rejected again")
	}
	w.shop(token, "POST", "/v1/orders/2/release", `{}`).Want(200)
	w.shop(token, "POST", "/v1/orders/2/reject", `{}`).Want(200).Into(&acted)
	if acted.Lines[0].Done {
		t.Error("a line was rejected that nothing holds any more")
	}
	var done Decided
	w.shop(token, "POST", "/v1/held/reject", `{"held_until":"2026-11-23T12:00:00Z"}`).Want(200).Into(&done)
	if done.Done != 1 || done.Left {
		t.Errorf("decided %+v", done)
	}
	for id, want := range map[order.LineID]order.State{
		one.ID: order.Returned, two.ID: order.Waiting, three.ID: order.Returned, later.ID: order.OnHold, test.ID: order.OnHold,
	} {
		if got := w.state(id); got.State() != want {
			t.Errorf("order %s is %s, want %s", got.Order, got.State(), want)
		}
	}
	w.advance(2 * time.Hour)
	w.shop(token, "POST", "/v1/held/release", `{}`).Want(200).Into(&done)
	w.shop(token, "POST", "/v1/held/release?test=true", `{}`).Want(200).Into(&done)
	if w.state(later.ID).State() != order.Waiting || w.state(test.ID).State() != order.Waiting {
		t.Error("not all were released")
	}
	var read OrderList
	w.shop(token, "GET", "/v1/orders/1", nil).Want(200).Into(&read)
	if h := inHistory(read.Items[0]); len(h) == 0 || h[len(h)-1].Code != "rejected: a stolen card" {
		t.Errorf("history %+v", h)
	}
}

// Lines are decided in parts, of which a caller is told.
func TestHeld_inParts(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	for i := range review.AllAtOnce + 2 {
		w.held("acme", pool.Live, fmt.Sprint(i), noon)
	}
	var first, second Decided
	w.shop(token, "POST", "/v1/held/release", `{}`).Want(200).Into(&first)
	w.shop(token, "POST", "/v1/held/release", `{}`).Want(200).Into(&second)
	if first != (Decided{Done: review.AllAtOnce, Left: true}) || second != (Decided{Done: 2}) {
		t.Errorf("decided %+v, then %+v", first, second)
	}
}

// link signs a link of a merchant's.
func (w *world) link(merchant string, purpose link.Purpose, about string) string {
	w.Helper()
	m, _, err := w.store.Merchant(w.Context(), merchant)
	if err != nil {
		w.Fatal(err)
	}
	token, err := link.Link{Purpose: purpose, Merchant: merchant, About: about, Until: w.now().Add(link.GoodFor)}.Token(m.LinkKey)
	if err != nil {
		w.Fatal(err)
	}
	return token
}

// visit opens the page of a link, or presses a button on it as it is now.
func (w *world) visit(method, token, button string) events.APIGatewayV2HTTPResponse {
	w.Helper()
	version := ""
	if method == "POST" {
		if shown := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(w.visit("GET", token, "").Body); shown != nil {
			version = shown[1]
		}
	}
	return w.press(method, token, button, version)
}

// press presses a button on a page that showed a line at a version.
func (w *world) press(method, token, button, version string) events.APIGatewayV2HTTPResponse {
	w.Helper()
	e := resttest.Event(w, "good_api_pool")
	e.RouteKey, e.RawPath, e.RawQueryString = "ANY /links/{token}", "/links/"+token, ""
	e.RequestContext.HTTP.Method = method
	e.Headers = map[string]string{"content-type": "application/x-www-form-urlencoded"}
	e.Body, e.IsBase64Encoded = url.Values{"do": {button}, "seen": {fmt.Sprint(w.now().UnixMilli())}, "version": {version}}.Encode(), false
	got, err := w.serve(w.Context(), e)
	if err != nil {
		w.Fatal(err)
	}
	return got
}

func (w *world) wants(got events.APIGatewayV2HTTPResponse, status int, says ...string) {
	w.Helper()
	if got.StatusCode != status {
		w.Errorf("status %d, want %d", got.StatusCode, status)
	}
	for _, text := range says {
		if !strings.Contains(got.Body, text) {
			w.Errorf("the page does not say %q:\n%s", text, got.Body)
		}
	}
}

func TestLink_showsAndPressingDecides(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("acme")
	line := w.held("acme", pool.Live, "A-1<b>", noon)
	token := w.link("acme", link.Held, string(line.ID))
	before := w.dump()
	page := w.visit("GET", token, "release")
	w.wants(page, 200, "A-1&lt;b&gt;", "Elden", "120", "its order has more keys than your rules let pass", `value="release"`, `value="reject"`, "No key was sent")
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": linkPolicy,
	} {
		if page.Headers[name] != want {
			t.Errorf("%s: %q, want %q", name, page.Headers[name], want)
		}
	}
	if !strings.Contains(page.Body, "<style>"+linkStyle+"</style>") {
		t.Error("the policy does not let the style of the page in")
	}
	for _, secret := range []string{"ada@example.com", "Ada Byron", "<script", token} {
		if strings.Contains(page.Body, secret) {
			t.Errorf("the page holds %q", secret)
		}
	}
	if head := w.visit("HEAD", token, "release"); head.StatusCode != 200 || head.Body != "" {
		t.Errorf("HEAD is answered %d %q", head.StatusCode, head.Body)
	}
	w.wants(w.visit("PUT", token, "release"), 405)
	w.wants(w.visit("POST", token, "set-brake"), 200, `value="release"`) // a button of another page
	if diff := gocmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("to look at a link wrote:\n%s", diff)
	}
	w.wants(w.visit("POST", token, "release"), 200, "is released", "waiting for keys")
	after := w.dump()
	w.wants(w.visit("POST", token, "release"), 200, "done already")
	w.wants(w.visit("POST", token, "reject"), 200, "nothing to decide")
	w.wants(w.visit("GET", token, ""), 200, "nothing to decide")
	if diff := gocmp.Diff(after, w.dump()); diff != "" {
		t.Errorf("a repeat wrote:\n%s", diff)
	}
	if got := w.state(line.ID); got.State() != order.Waiting {
		t.Errorf("the line is %s", got.State())
	}
}

func TestLink_rejectsOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("acme")
	line := w.held("acme", pool.Test, "1", noon)
	token := w.link("acme", link.Held, string(line.ID))
	w.wants(w.visit("POST", token, "reject"), 200, "is rejected", "(a test)")
	w.wants(w.visit("POST", token, "reject"), 200, "done already")
	w.wants(w.visit("POST", token, "release"), 200, "nothing to decide")
	if got := w.state(line.ID); got.State() != order.Returned {
		t.Errorf("the line is %s", got.State())
	}
}

// What somebody has put on hold since, or what was returned, no old mail releases.
func TestLink_outdated(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("acme")
	acts := &lifecycle.Lifecycle{Store: w.store, Wholes: w.store, Uploads: w.store, Notices: w.store, Keys: w.store, Settings: w.store, Fill: w.fill, By: "webhook", Now: w.now}
	back, stopped := w.held("acme", pool.Live, "1", noon), w.held("acme", pool.Live, "2", noon)
	if _, err := acts.Reject(t.Context(), back.ID, lifecycle.Act{By: "test"}); err != nil {
		t.Fatal(err)
	}
	if _, err := acts.ReleaseHeld(t.Context(), stopped.ID, lifecycle.Act{By: "test"}); err != nil {
		t.Fatal(err)
	}
	if _, err := acts.Hold(t.Context(), stopped.ID, lifecycle.Act{By: "test"}); err != nil {
		t.Fatal(err)
	}
	w.wants(w.visit("POST", w.link("acme", link.Held, string(back.ID)), "release"), 200, "nothing to decide", "given back")
	w.visit("POST", w.link("acme", link.Held, string(stopped.ID)), "release")
	if got := w.state(stopped.ID); got.State() != order.OnHold {
		t.Errorf("an old link released what somebody put on hold: %s", got.State())
	}
}

// A page that was opened before the line changed does nothing, and shows the line as it is.
func TestLink_changedSinceItWasOpened(t *testing.T) {
	t.Parallel()
	w := open(t)
	shop := w.merchant("acme")
	line := w.held("acme", pool.Live, "1", noon)
	token := w.link("acme", link.Held, string(line.ID))
	w.wants(w.visit("GET", token, ""), 200, fmt.Sprintf(`name="version" value="%d"`, line.Version))
	w.shop(shop, "POST", "/v1/orders/1/hold", `{"reason":"ask the bank"}`).Want(200)
	before := w.dump()
	for _, version := range []string{fmt.Sprint(line.Version), "", "0", "x"} {
		for _, button := range []string{"release", "reject"} {
			w.wants(w.press("POST", token, button, version), 200, "has changed since you opened", "somebody put it on hold", `value="release"`, fmt.Sprintf(`value="%d"`, line.Version+1))
		}
	}
	if diff := gocmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("an old page wrote:\n%s", diff)
	}
	w.wants(w.press("POST", token, "release", fmt.Sprint(line.Version+1)), 200, "is released", "stays on hold for another reason", "somebody put it on hold")
	w.wants(w.press("POST", token, "release", fmt.Sprint(line.Version+1)), 200, "done already")
	if got := w.state(line.ID); got.State() != order.OnHold {
		t.Errorf("the line is %s", got.State())
	}
	w.shop(shop, "POST", "/v1/orders/1/release", `{}`).Want(200)
	if got := w.state(line.ID); got.State() != order.Waiting {
		t.Errorf("released by its order's number, the line is %s", got.State())
	}
}

// A page of all lines does not decide about one that somebody put on hold by hand since.
func TestLink_allButWhatWasHeldByHandSince(t *testing.T) {
	t.Parallel()
	w := open(t)
	shop := w.merchant("acme")
	one, two := w.held("acme", pool.Live, "1", noon), w.held("acme", pool.Live, "2", noon)
	token := w.link("acme", link.HeldAll, "live")
	w.advance(time.Minute)
	w.shop(shop, "POST", "/v1/orders/2/hold", `{}`).Want(200)
	w.advance(-time.Minute)
	w.wants(w.press("POST", token, "release", ""), 200, "1 order line is released")
	if w.state(one.ID).State() != order.Waiting || w.state(two.ID).State() != order.OnHold {
		t.Errorf("the lines are %s and %s", w.state(one.ID).State(), w.state(two.ID).State())
	}
	w.advance(time.Hour)
	w.wants(w.visit("GET", token, ""), 200, "somebody put it on hold")
	w.wants(w.visit("POST", token, "release"), 200, "1 order line is released")
}

func TestLink_decidesAllThatWasSeen(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("acme")
	one, other := w.held("acme", pool.Live, "1", noon), w.held("acme", pool.Test, "2", noon)
	later := w.held("acme", pool.Live, "3", noon.Add(time.Minute))
	token := w.link("acme", link.HeldAll, "live")
	w.wants(w.visit("GET", token, ""), 200, "Order 1: 120 × Elden", "Release all", "Reject all")
	w.wants(w.visit("POST", token, "release"), 200, "1 order line is released")
	if w.state(one.ID).State() != order.Waiting || w.state(other.ID).State() != order.OnHold || w.state(later.ID).State() != order.OnHold {
		t.Error("others were released than those that were held when the page was shown")
	}
	w.advance(time.Hour)
	w.wants(w.visit("POST", token, "reject"), 200, "1 order line is rejected")
	w.wants(w.visit("POST", token, "reject"), 200, "nothing to decide")
}

func TestLink_brake(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("acme")
	if _, err := w.store.AddSold(t.Context(), "acme", 512, noon); err != nil {
		t.Fatal(err)
	}
	set, off := w.link("acme", link.SetBrake, "2026-11-23"), w.link("acme", link.ReleaseBrake, "2026-11-23")
	brake := func() catalog.Brake {
		r, err := w.store.Review(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return r.Brake
	}
	w.wants(w.visit("GET", set, ""), 200, "Set the brake?", "512 keys")
	w.wants(w.visit("POST", set, "release-brake"), 200, "Set the brake?")
	if brake().Set() {
		t.Fatal("it is set already")
	}
	w.wants(w.visit("POST", set, "set-brake"), 200, "The brake is set.")
	w.wants(w.visit("POST", set, "set-brake"), 200, "done already")
	w.wants(w.visit("GET", off, ""), 200, "Take the brake off?")
	w.wants(w.visit("POST", off, "release-brake"), 200, "The brake is off.", "Taken off", "by a link in a mail")
	w.wants(w.visit("POST", off, "release-brake"), 200, "done already", "Taken off")
	if brake().Set() {
		t.Error("it is still set")
	}
	w.advance(24 * time.Hour)
	w.visit("POST", set, "set-brake")
	w.wants(w.visit("POST", off, "release-brake"), 200, "on another day")
	if !brake().Set() {
		t.Error("an old link took off the brake of another day")
	}
}

// Each link that is of no use is answered alike, and does nothing.
func TestLink_invalid(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("acme")
	w.merchant("mallory")
	line := w.held("acme", pool.Live, "1", noon)
	good := w.link("acme", link.Held, string(line.ID))
	body, signature, _ := strings.Cut(good, ".")
	otherBody, otherSignature, _ := strings.Cut(w.link("acme", link.HeldAll, "live"), ".")
	m, _, err := w.store.Merchant(t.Context(), "mallory")
	if err != nil {
		t.Fatal(err)
	}
	stolen, err := link.Link{Purpose: link.Held, Merchant: "acme", About: string(line.ID), Until: noon.Add(time.Hour)}.Token(m.LinkKey)
	if err != nil {
		t.Fatal(err)
	}
	nobody, err := link.Link{Purpose: link.Held, Merchant: "nobody", About: string(line.ID), Until: noon.Add(time.Hour)}.Token(m.LinkKey)
	if err != nil {
		t.Fatal(err)
	}
	before := w.dump()
	first := ""
	for name, token := range map[string]string{
		"cut": good[:len(good)-3], "no signature": body + ".", "no dot": body, "nothing": "x", "of another purpose": body + "." + otherSignature,
		"another body": otherBody + "." + signature, "of another's key": stolen, "of nobody": nobody,
		"another's line":   w.link("mallory", link.Held, string(line.ID)),
		"no line":          w.link("acme", link.Held, "Zx0LJ3r8kqf1N2b7c4dP5QmT6wYvU9sA8eRtG3hJkL2n"),
		"no side":          w.link("acme", link.HeldAll, "both"),
		"no day":           w.link("acme", link.SetBrake, "today"),
		"no known purpose": w.link("acme", "pay-out", "live"),
		"long":             strings.Repeat("a", 5000),
	} {
		for _, method := range []string{"GET", "POST"} {
			got := w.visit(method, token, "release")
			if first == "" {
				first = got.Body
			}
			if got.StatusCode != 404 || got.Body != first || !strings.Contains(got.Body, "not valid") || got.Headers["Content-Security-Policy"] != linkPolicy {
				t.Errorf("%s %s: %d\n%s", method, name, got.StatusCode, got.Body)
			}
		}
	}
	w.advance(link.GoodFor)
	for _, method := range []string{"GET", "POST"} {
		if got := w.visit(method, good, "release"); got.StatusCode != 410 || got.Body != first {
			t.Errorf("%s of an expired link: %d\n%s", method, got.StatusCode, got.Body)
		}
	}
	if diff := gocmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("an invalid link wrote:\n%s", diff)
	}
}
