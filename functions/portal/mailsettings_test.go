package main

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"keypool/shared/access"
	"keypool/shared/catalog"
)

// domains are the domains that SES knows.
type domains struct {
	all     map[string]catalog.Identity
	foreign string // is somebody else's
}

func (d *domains) Claim(_ context.Context, domain, mailFrom string) error {
	if domain == d.foreign {
		return catalog.ErrTaken
	}
	if d.all == nil {
		d.all = map[string]catalog.Identity{}
	}
	d.all[domain] = catalog.Identity{Tokens: []string{"token-1", "token-2", "token-3"}, Zone: "dkim.amazonses.com", MailFrom: mailFrom}
	return nil
}

func (d *domains) Look(_ context.Context, domain string) (catalog.Identity, bool, error) {
	found, ok := d.all[domain]
	return found, ok, nil
}

func (d *domains) Free(_ context.Context, domain string) error { delete(d.all, domain); return nil }

func TestMailSettings(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	empty := b.get(mailSettingsPath).has("Customers' mails come from keys@keypool.example", "Address that mails come from").hasNot("Records for your domain", "Remove")
	b.post(mailSettingsPath, empty.with("address", "keys@nowhere")).has("Nothing was changed").hasNot("Records for your domain")
	beside := b.get(mailSettingsPath)
	set := b.post(mailSettingsPath, empty.with("address", "keys@shop.example"))
	set.has("Saved.", "keys@shop.example", "Not all records were found yet", "token-1._domainkey.shop.example", "token-3.dkim.amazonses.com", "v=spf1 include:amazonses.com ~all", "_dmarc.shop.example")

	// Somebody else has set another one since the first page was shown.
	stale := b.post(mailSettingsPath, beside.with("address", "mail@other.example"))
	if stale.status != http.StatusConflict {
		t.Errorf("a change of what has changed is %d", stale.status)
	}
	stale.has("Not saved: somebody else has changed this meanwhile.", "keys@shop.example")

	w.domains.foreign = "taken.example"
	b.post(mailSettingsPath, b.get(mailSettingsPath).with("address", "keys@taken.example")).has("This domain is in use already")
	b.get(mailSettingsPath).has("keys@shop.example")

	gone := b.post(mailSettingsPath+"/remove", b.get(mailSettingsPath+"/remove").has("None waits").form())
	gone.has("Removed.").hasNot("Records for your domain")
	if len(w.domains.all) != 0 {
		t.Errorf("SES still has %v", w.domains.all)
	}
	if p := b.get(mailSettingsPath + "/remove"); p.status != http.StatusNotFound {
		t.Errorf("there is nothing to remove, and the page is %d", p.status)
	}
}

func TestMailSettings_roles(t *testing.T) {
	t.Parallel()
	w := open(t)
	for role, status := range map[access.Role][2]int{access.Manager: {200, 303}, access.Read: {200, 403}, access.Support: {403, 403}, access.Stock: {403, 403}} {
		w.person("acme", string(role), "Bob", string(role)+"@acme.example", role)
		b := w.signIn(string(role) + "@acme.example")
		if p := b.send("GET", mailSettingsPath, nil); p.status != status[0] {
			t.Errorf("%s sees it: %d", role, p.status)
		}
		if p := b.send("POST", mailSettingsPath, url.Values{"address": {"keys@" + string(role) + ".example"}}); p.status != status[1] {
			t.Errorf("%s sets it: %d", role, p.status)
		}
	}
}
