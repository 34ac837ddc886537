package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/resttest"
	"keypool/shared/catalog"
	"keypool/shared/notice"
)

// fakeIdentities is SES's list of domains. Each is of the deployment, but foreign's.
type fakeIdentities struct {
	mu      sync.Mutex
	all     map[string]catalog.Identity
	foreign string
	err     error
	calls   []string
}

func (f *fakeIdentities) called(call string) (func(), error) {
	f.mu.Lock()
	f.calls = append(f.calls, call)
	if f.all == nil {
		f.all = map[string]catalog.Identity{}
	}
	return f.mu.Unlock, f.err
}

// Claim implements settings.Identities.
func (f *fakeIdentities) Claim(_ context.Context, domain, mailFrom string) error {
	unlock, err := f.called("claim " + domain)
	defer unlock()
	if domain == f.foreign {
		return catalog.ErrTaken
	}
	if err == nil {
		there := f.all[domain]
		there.Tokens, there.Zone = []string{"t1", "t2", "t3"}, "dkim.amazonses.com"
		if there.MailFrom != mailFrom {
			there.MailFrom, there.Found = mailFrom, false
		}
		f.all[domain] = there
	}
	return err
}

// Look implements settings.Identities.
func (f *fakeIdentities) Look(_ context.Context, domain string) (catalog.Identity, bool, error) {
	unlock, err := f.called("look " + domain)
	defer unlock()
	found, ok := f.all[domain]
	return found, ok, err
}

// Free implements settings.Identities.
func (f *fakeIdentities) Free(_ context.Context, domain string) error {
	unlock, err := f.called("free " + domain)
	defer unlock()
	delete(f.all, domain)
	return err
}

// set sets the records of a domain, as its owner does in the DNS.
func (f *fakeIdentities) set(domain string, dkim, mailFrom bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	there := f.all[domain]
	there.Sends, there.Found = dkim, mailFrom
	f.all[domain] = there
}

func (w *world) sender(bearer string) (s Sender) {
	w.Helper()
	w.shop(bearer, "GET", "/v1/sender", nil).Want(200).Into(&s)
	return s
}

// A sender is named, its records are set, and it is verified at the next look: by a call,
// half a minute after the last at the soonest.
func TestSender_untilVerified(t *testing.T) {
	t.Parallel()
	w := open(t)
	nova := w.merchant("nova")
	w.shop(nova, "GET", "/v1/sender", nil).Want(404)
	var s Sender
	w.shop(nova, "PUT", "/v1/sender", Sender{Address: "keys@nova.example"}).Want(201).Into(&s)
	if s.State != "pending" || s.Address != "keys@nova.example" || !s.LookedAt.Equal(noon) {
		t.Errorf("named: %+v", s)
	}
	var kinds []string
	for _, r := range s.Records {
		kinds = append(kinds, r.Type+" "+r.For)
		if !strings.HasSuffix(r.Name, ".nova.example") {
			t.Errorf("a record of another domain: %s", r.Name)
		}
	}
	if got := strings.Join(kinds, ", "); got != "CNAME dkim, CNAME dkim, CNAME dkim, MX mail_from, TXT spf, TXT dmarc" {
		t.Errorf("records: %s", got)
	}
	if got := s.Records[0]; got.Name != "t1._domainkey.nova.example" || got.Value != "t1.dkim.amazonses.com" {
		t.Errorf("dkim: %+v", got)
	}
	if got := s.Records[3].Value; got != "10 feedback-smtp.eu-central-1.amazonses.com" {
		t.Errorf("mail_from: %s", got)
	}
	w.shop(nova, "PUT", "/v1/sender", Sender{Address: "keys@nova.example"}).Want(200) // again

	w.domains.set("nova.example", true, false) // which a former owner may have left behind
	w.advance(31 * time.Second)
	if s = w.sender(nova); s.State != "pending" {
		t.Errorf("without the record of mail_from: %s", s.State)
	}
	w.domains.set("nova.example", true, true)
	looks := len(w.domains.calls)
	if s = w.sender(nova); s.State != "pending" || len(w.domains.calls) != looks {
		t.Errorf("SES is asked twice in half a minute: %s, %v", s.State, w.domains.calls[looks:])
	}
	w.advance(31 * time.Second)
	if s = w.sender(nova); s.State != "verified" || len(s.Records) != 6 {
		t.Errorf("with all records: %+v", s)
	}
	told := w.notices(notice.SenderState)
	if len(told) != 1 || told[0].Facts.Cause != "verified" || told[0].Facts.Address != "keys@nova.example" {
		t.Errorf("told %+v", told)
	}
	if told := w.notices(notice.ChangedText); len(told) != 1 || !slices.Equal(told[0].Facts.Changed[0].Parts, []string{"sender"}) {
		t.Errorf("a change is told as %+v", told)
	}

	var trail AuditList
	w.shop(nova, "GET", "/v1/audit", nil).Want(200).Into(&trail)
	if !slices.ContainsFunc(trail.Items, func(e AuditEntry) bool {
		return e.Thing == "sender" && e.Change == "added" && e.After["address"] == "keys@nova.example"
	}) {
		t.Errorf("the audit trail: %+v", trail.Items)
	}

	// Another address of the same domain is good at once, with the same records.
	mailFrom := s.Records[3].Name
	w.shop(nova, "PUT", "/v1/sender", Sender{Address: "hello@nova.example"}).Want(428)
	w.shop(nova, "PUT", "/v1/sender", Sender{Address: "hello@nova.example"}, "if-match", "*").Want(200).Into(&s)
	if s.State != "verified" || s.Records[3].Name != mailFrom {
		t.Errorf("another address: %+v", s)
	}

	// Records that are gone.
	w.domains.set("nova.example", false, false)
	w.advance(time.Minute)
	if s = w.sender(nova); s.State != "failed" || len(w.notices(notice.SenderState)) != 2 {
		t.Errorf("without records: %+v, told %d", s, len(w.notices(notice.SenderState)))
	}
	w.advance(time.Minute)
	w.sender(nova)
	if told := w.notices(notice.SenderState); len(told) != 2 {
		t.Errorf("told %d times of one failure", len(told)-1)
	}

	w.shop(nova, "DELETE", "/v1/sender", nil).Want(428)
	w.shop(nova, "DELETE", "/v1/sender", nil, "if-match", `"1"`).Want(412)
	w.shop(nova, "DELETE", "/v1/sender", nil, "if-match", "*").Want(204)
	w.shop(nova, "GET", "/v1/sender", nil).Want(404)
	if len(w.domains.all) != 0 {
		t.Error("SES still has the domain")
	}
}

// A domain is one merchant's; nobody is told whose, and nobody gets it by records that
// another left behind.
func TestSender_domainOfAnother(t *testing.T) {
	t.Parallel()
	w := open(t)
	nova, mallory := w.merchant("nova"), w.merchant("mallory")
	address := Sender{Address: "keys@nova.example"}
	put := func(bearer string) resttest.Response {
		return w.shop(bearer, "PUT", "/v1/sender", address, "if-match", "*")
	}
	w.shop(nova, "PUT", "/v1/sender", address).Want(201)
	refused := w.shop(mallory, "PUT", "/v1/sender", address)
	refused.Want(409)
	if strings.Contains(refused.Body, "nova") {
		t.Errorf("the refusal tells whose it is: %s", refused.Body)
	}
	w.shop(mallory, "GET", "/v1/sender", nil).Want(404)

	// Proven, it is kept.
	w.domains.set("nova.example", true, true)
	w.advance(time.Minute)
	if s := w.sender(nova); s.State != "verified" {
		t.Fatal(s.State)
	}
	w.advance(1000 * time.Hour)
	w.shop(mallory, "PUT", "/v1/sender", address).Want(409)

	// Given up, with its records left behind: DKIM's prove nothing for another.
	w.shop(nova, "DELETE", "/v1/sender", nil, "if-match", "*").Want(204)
	w.domains.all["nova.example"] = catalog.Identity{Sends: true}
	w.shop(mallory, "PUT", "/v1/sender", address).Want(201)
	w.advance(time.Minute)
	if s := w.sender(mallory); s.State != "pending" {
		t.Errorf("what another left behind makes a domain %s", s.State)
	}

	// Not proven for three days, it is free, and who had it has lost it.
	w.advance(71 * time.Hour)
	w.shop(nova, "PUT", "/v1/sender", address).Want(409)
	w.advance(time.Hour)
	w.shop(nova, "PUT", "/v1/sender", address).Want(201)
	w.domains.set("nova.example", true, true)
	w.advance(time.Minute)
	if mine, theirs := w.sender(nova).State, w.sender(mallory).State; mine != "verified" || theirs != "failed" {
		t.Errorf("whose record is there: %s; whose is not: %s", mine, theirs)
	}
	put(mallory).Want(409)
	w.shop(mallory, "DELETE", "/v1/sender", nil, "if-match", "*").Want(204)
	w.advance(time.Minute)
	if s := w.sender(nova); s.State != "verified" {
		t.Errorf("another gave up what it had lost, and the owner's is %s", s.State)
	}
}

// A merchant has three days to prove a domain, however often it is given up and put again: it
// keeps nobody from a domain for longer.
func TestSender_domainIsHeldOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	mallory, nova := w.merchant("mallory"), w.merchant("nova")
	address, other := Sender{Address: "keys@nova.example"}, Sender{Address: "keys@mallory.example"}
	w.shop(mallory, "PUT", "/v1/sender", address).Want(201)
	w.advance(40 * time.Hour)
	w.shop(mallory, "DELETE", "/v1/sender", nil, "if-match", "*").Want(204)
	w.shop(mallory, "PUT", "/v1/sender", address).Want(201)
	w.advance(31 * time.Hour)
	w.shop(mallory, "PUT", "/v1/sender", other, "if-match", "*").Want(200)
	w.shop(mallory, "PUT", "/v1/sender", address, "if-match", "*").Want(200)
	w.shop(nova, "PUT", "/v1/sender", address).Want(409)
	w.advance(time.Hour)
	w.shop(mallory, "PUT", "/v1/sender", other, "if-match", "*").Want(200)
	w.shop(mallory, "PUT", "/v1/sender", address, "if-match", "*").Want(200)
	w.shop(nova, "PUT", "/v1/sender", address).Want(201)
	w.shop(mallory, "DELETE", "/v1/sender", nil, "if-match", "*").Want(204)
	w.shop(mallory, "PUT", "/v1/sender", address).Want(409)

	// Who comes late and has set the records is verified all the same.
	w.shop(nova, "DELETE", "/v1/sender", nil, "if-match", "*").Want(204)
	w.advance(1000 * time.Hour)
	w.shop(nova, "PUT", "/v1/sender", address).Want(201)
	w.domains.set("nova.example", true, true)
	w.advance(time.Minute)
	if s := w.sender(nova); s.State != "verified" {
		t.Errorf("proven late, it is %s", s.State)
	}
}

// What SES does not take, or somebody else of the AWS account has, is told apart.
func TestSender_notTaken(t *testing.T) {
	t.Parallel()
	w := open(t)
	nova := w.merchant("nova")
	for address, want := range map[string]int{
		"keys@keypool.example":      422, // the operator's
		"keys@shop.keypool.example": 422,
		"keys@example":              422, // above the operator's
		"keys@Nova.example":         422,
		"keys@bücher.example":       422,
		"Nova <keys@nova.example>":  422,
		"keys@[127.0.0.1]":          422,
		"keys@-a.example":           422, // not names in DNS
		"keys@a-.example":           422,
		"keys@a_b.example":          422,
		"keys@a!b.example":          422,
		"keys@1.2.3.4":              422,
		"keys@notkeypool.example":   201,
		"keys@a-b.1c.xn--p1ai":      201,

		"keys@" + strings.Repeat("a", 64) + ".example": 422,
	} {
		got := w.shop(nova, "PUT", "/v1/sender", Sender{Address: address}, "if-none-match", "*")
		if got.StatusCode != want {
			t.Errorf("%s: %d, want %d: %s", address, got.StatusCode, want, got.Body)
		}
		if want == 201 {
			w.shop(nova, "DELETE", "/v1/sender", nil, "if-match", "*").Want(204)
		}
	}

	w.domains.foreign = "shared.example"
	w.shop(nova, "PUT", "/v1/sender", Sender{Address: "keys@shared.example"}).Want(409)
	w.shop(nova, "GET", "/v1/sender", nil).Want(404)

	// The sender that there was stays, where its successor is refused.
	zeta := w.merchant("zeta")
	w.shop(zeta, "PUT", "/v1/sender", Sender{Address: "keys@zeta.example"}).Want(201)
	w.domains.set("zeta.example", true, true)
	w.advance(31 * time.Second)
	before := w.sender(zeta)
	if before.State != "verified" {
		t.Fatalf("to begin with it is %s", before.State)
	}
	w.shop(zeta, "PUT", "/v1/sender", Sender{Address: "keys@shared.example"}, "if-match", "*").Want(409)
	if diff := cmp.Diff(before, w.sender(zeta)); diff != "" {
		t.Errorf("the sender before a refusal (-) and after it:\n%s", diff)
	}
	if _, known, err := w.domains.Look(t.Context(), "zeta.example"); !known || err != nil {
		t.Errorf("its domain is known to SES: %t, %v", known, err)
	}

	w.domains.err = context.DeadlineExceeded
	w.shop(nova, "PUT", "/v1/sender", Sender{Address: "keys@nova.example"}).Want(503)
	if s := w.sender(nova); s.State != "pending" {
		t.Errorf("not taken yet: %s", s.State)
	}
	w.domains.err = nil
	w.shop(nova, "PUT", "/v1/sender", Sender{Address: "keys@nova.example"}).Want(200)
	if s := w.sender(nova); len(s.Records) != 6 {
		t.Errorf("taken now, with %d records", len(s.Records))
	}
}
