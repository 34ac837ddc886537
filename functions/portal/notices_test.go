package main

import (
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/job"
	keymail "keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// buttonOfMail finds the button of a mail in its text: the words, and the address on a line of its own.
var buttonOfMail = regexp.MustCompile(`(?m)^(.+):\nhttps://keypool\.example(/\S*)$`)

// The button of each kind of notice leads to a page that is there. A role that may not see it is
// told what to ask for.
func TestNotices_buttonsLeadToPages(t *testing.T) {
	t.Parallel()
	s, acme, _ := twoShops(t)
	facts := notice.Facts{
		Portal: publicURL + access.PortalPath, Pool: acme["pool"], Side: pool.Live, Product: acme["product"], Orders: []string{"acme-1001"}, OrderID: acme["order"],
		Account: acme["account"], Uploads: []string{acme["upload"]}, Count: 1, Address: "stock@acme.example",
		Products: []notice.Product{{ID: "a product", Side: pool.Live, Orders: []string{"acme-1001"}, Count: 1}},
		Refused:  []notice.Refused{{Order: "acme-1001", Account: acme["account"], Cause: "lines"}},
		Changed:  []notice.Changed{{ID: "ada", Parts: []string{"role owner"}, By: "ada", At: noon}},
		Held:     []notice.HeldLine{{Order: "acme-1001", OrderID: acme["order"], Product: "Elden", Quantity: 1, Why: []string{"risk"}}},
		Job:      &notice.Job{ID: acme["job"], Kind: job.Export, Keys: 2},
	}
	changed := map[notice.Kind]string{
		notice.ChangedWarnings: acme["pool"], notice.NewSecret: acme["account"], notice.ChangedAccount: acme["account"], notice.ChangedText: acme["product"],
	}
	ships := facts
	ships.Products = []notice.Product{{ID: acme["product"], Side: pool.Live, Ships: true, Count: 1}}
	many := facts
	many.Count, many.OrderID, many.Products, many.Uploads = 3, "", slices.Repeat(facts.Products, 2), slices.Repeat(facts.Uploads, 2)
	none := []notice.Kind{notice.SignIn, notice.SampleMail, notice.KeysElsewhere, notice.Misplaced}
	ada, stock := s.as(access.Owner), s.as(access.Stock)
	followed, refused := 0, 0
	for _, kind := range notice.Kinds {
		for name, f := range map[string]notice.Facts{"one": facts, "many": many, "ships": ships} {
			if slices.Contains(none, kind) {
				continue
			}
			f.Changed = slices.Clone(f.Changed)
			f.Changed[0].Name = changed[kind]
			if f.Cause = "a cause"; kind == notice.RenewalWaits {
				f.Cause = "ParentWaits"
			}
			if kind == notice.ChangedAddress { // to the new one
				f.Address = ""
			}
			m, err := keymail.ForNotice(notice.New("acme", kind, "x", f, noon), catalog.Merchant{Name: "acme"}, catalog.Pool{}, nil, mail.Address{}, "", noon)
			if err != nil {
				t.Fatal(kind, err)
			}
			found := buttonOfMail.FindStringSubmatch(m.Text)
			if found == nil {
				t.Errorf("%s, %s, has no button:\n%s", kind, name, m.Text)
				continue
			}
			followed++
			if p := ada.send("GET", found[2], nil); p.status != http.StatusOK {
				t.Errorf("the button %q of %s, %s, leads to %s, which is %d", found[1], kind, name, found[2], p.status)
			}
			switch p := stock.send("GET", found[2], nil); p.status {
			case http.StatusForbidden:
				refused++
				p.has("Your role does not include this.", "You are signed in as stock, which means: bring keys", "Ask an owner of the shop to do it, or to give you another role")
			case http.StatusOK:
			default:
				t.Errorf("as stock, %s is %d", found[2], p.status)
			}
		}
	}
	if followed != 3*(len(notice.Kinds)-len(none)) || refused == 0 {
		t.Errorf("%d buttons were followed, and %d of them refused to stock", followed, refused)
	}
}

// Who opens the button of a mail and is not signed in, is led to sign in, and then to that very
// page: by the code, and by the mail's link in the same browser.
func TestNotice_leadsToItsPageBySigningIn(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	for _, to := range []string{"/portal/pools/elden/add", "/portal/orders?show=on_hold&side=test"} {
		for how, enter := range map[string]func(b *browser, link, code string) page{
			"code": func(b *browser, _, code string) page {
				return b.send("POST", "/portal/sign-in/code", url.Values{"code": {code}})
			},
			"link": func(b *browser, link, _ string) page {
				b.get("/portal/sign-in/" + link).has("Sign in")
				return b.send("POST", "/portal/sign-in/"+link, url.Values{})
			},
		} {
			b := s.browser()
			if p := b.send("GET", to, nil); p.headers["Location"] != "/portal/sign-in" {
				t.Fatalf("a stranger is led to %q", p.headers["Location"])
			}
			link, code := b.ask("ada@acme.example")
			if p := enter(b, link, code); p.status != http.StatusSeeOther || p.headers["Location"] != to {
				t.Errorf("by the %s, %s is answered %d and leads to %q", how, to, p.status, p.headers["Location"])
			}
			if b.cookies[backCookie] != "" {
				t.Error("the browser would come back there again, the next time")
			}
			if p := b.send("GET", to, nil); p.status != http.StatusOK {
				t.Errorf("%s is %d then", to, p.status)
			}
		}
	}
}

// A cookie that leads elsewhere, or nowhere, is none.
func TestSignIn_leadsBackToOwnPagesAlone(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, to := range []string{"https://elsewhere.example/portal/x", "//elsewhere.example/portal/x", "/\\elsewhere.example", "/o/x", "/portal/sign-in/again", "/portal/../v1", "%zz", "javascript:alert(1)"} {
		b := w.browser()
		_, code := b.ask("ada@acme.example")
		b.cookies[backCookie] = url.QueryEscape(to)
		if p := b.send("POST", "/portal/sign-in/code", url.Values{"code": {code}}); p.headers["Location"] != "/portal" {
			t.Errorf("%q leads to %q", to, p.headers["Location"])
		}
		w.later(11 * time.Minute)
	}
}

// An order on hold is told by mail; its button leads to the order, where it is released.
func TestNotice_heldIsReleasedFromTheMail(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "K-1", "K-2")
	if err := s.store.PutReview(t.Context(), catalog.Review{Merchant: "acme", Rules: catalog.Rules{Always: true}}); err != nil {
		t.Fatal(err)
	}
	line := s.sell("acme", "A-1", 1)
	if err := claim.TellHeld(t.Context(), s.store, s.line(line)); err != nil {
		t.Fatal(err)
	}
	first, _ := notice.Held("acme", pool.Live, s.line(line).HeldAt)
	for _, err := range s.mailer().Mail(t.Context(), []outbox.Item{outbox.NoticeItem(first.ID)}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(s.sent) != 1 {
		t.Fatalf("%d mails", len(s.sent))
	}
	found := buttonOfMail.FindStringSubmatch(s.sent[0].Text)
	if found == nil || found[1] != "Release or reject" || found[2] != pathOf(line) {
		t.Fatalf("the mail has the button %q:\n%s", found, s.sent[0].Text)
	}
	ada := s.signIn("ada@acme.example")
	ada.get(found[2]).has("A-1", "On hold", "Release", "Reject")
	ada.post(found[2]+"/release", ada.get(found[2]+"/release").actForm())
	if got := s.line(line); got.State() == order.OnHold {
		t.Errorf("it is %s", got.State())
	}
}

// All that rules hold is released or rejected at once, but not what was held since the page said
// what that does, nor what is of the other side.
func TestOrders_decideAllOnHold(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	if err := s.store.PutReview(t.Context(), catalog.Review{Merchant: "acme", Rules: catalog.Rules{Always: true}}); err != nil {
		t.Fatal(err)
	}
	ada := s.signIn("ada@acme.example")
	const held = "/portal/orders?show=on_hold"
	one, two := s.sell("acme", "A-1", 1), s.sell("acme", "A-2", 1)
	test := s.sell("acme", "T-1", 1, func(f *order.Fulfillment) { f.Side = pool.Test })
	s.later(time.Second)
	ada.get("/portal/orders").hasNot("Release all")
	ada.get(held).has("To decide about all that your rules hold at once", "Release all", "Reject all")
	for _, role := range []string{"support", "read"} {
		b := s.signIn(role + "@acme.example")
		b.get(held).hasNot("Release all")
		b.post("/portal/orders/held", url.Values{"act": {"release"}, "side": {"live"}}).has("Your role does not include this.")
	}
	asked := ada.post("/portal/orders/held", url.Values{"act": {"release"}, "side": {"live"}}).has("Release all on hold", "A mail cannot be taken back.")
	s.later(time.Second)
	late := s.sell("acme", "A-3", 1)
	s.later(time.Second)
	form := asked.form()
	for range 2 { // a double press is one act
		ada.post("/portal/orders/held", form).has("2 order lines were released from hold.")
	}
	for line, want := range map[order.LineID]order.State{one.ID: order.Waiting, two.ID: order.Waiting, test.ID: order.OnHold, late.ID: order.OnHold} {
		if now, _, err := s.store.Fulfillment(t.Context(), line); err != nil || now.State() != want {
			t.Errorf("order %s is %s, want %s (%v)", now.Order, now.State(), want, err)
		}
	}
	ada.get(held+"&side=test").has("T-1", "Reject all")
	asked = ada.post("/portal/orders/held", url.Values{"act": {"reject"}, "side": {"test"}}).has("Reject all on hold", "This cannot be undone.")
	ada.post("/portal/orders/held", asked.form()).has("1 order line was rejected.")
	if got := s.line(test); got.State() != order.Returned {
		t.Errorf("the test order is %s", got.State())
	}
	if p := ada.post("/portal/orders/held", url.Values{"act": {"sell"}}); p.status != http.StatusBadRequest {
		t.Errorf("another act is answered %d", p.status)
	}
}
