package main

import (
	"slices"
	"strings"
	"testing"

	"keypool/shared/access"
	"keypool/shared/order"
	"keypool/shared/outbox"
)

func TestErase(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	owing, done := w.paidOrder("7", 1), w.paidOrder("8", 1)
	for _, line := range []order.Fulfillment{owing, done} {
		change := order.ChangeOf(line)
		change.After.Customer = order.Customer{Name: "Ada", Email: "ada@example.com"}
		if line.Order == "8" {
			change.After.Mail = line.Mail.Completed(outbox.Delivered, "1", "", noon)
		}
		if err := w.store.Commit(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	var got Acted
	w.shop(token, "POST", "/v1/orders/7/erase", EraseAct{}).Want(200).Into(&got)
	if line := got.Lines[0]; line.Done || !strings.Contains(line.Detail, "force") || line.State != "fulfilled" {
		t.Errorf("of a line that owes its mail: %+v", line)
	}
	if w.state(owing.ID).Customer.Name != "Ada" {
		t.Error("it is erased")
	}
	w.shop(token, "POST", "/v1/orders/7/erase", EraseAct{Seen: Seen{map[string]int{"1": 1}}, Force: true}).Want(409)
	for range 2 {
		w.shop(token, "POST", "/v1/orders/7/erase", EraseAct{Force: true}).Want(200).Into(&got)
		if line := got.Lines[0]; !line.Done || line.State != "on_hold" || !strings.Contains(line.Detail, "erased") {
			t.Errorf("with force: %+v", line)
		}
		w.shop(token, "POST", "/v1/orders/erase?order=8", EraseAct{}).Want(200).Into(&got)
		if line := got.Lines[0]; !line.Done || line.State != "fulfilled" {
			t.Errorf("of a line that was delivered: %+v", line)
		}
	}
	var list OrderList
	if w.shop(token, "GET", "/v1/orders/7", nil).Want(200).Into(&list); strings.Contains(list.Items[0].Lines[0].Mend, "release") || !strings.Contains(list.Items[0].Lines[0].Mend, "return") {
		t.Errorf("what can be done for a line that is on hold for good: %s", list.Items[0].Lines[0].Mend)
	}
	w.shop(token, "GET", "/v1/orders/8", nil).Want(200).Into(&list)
	if o := list.Items[0]; o.Customer != (Customer{}) || o.Lines[0].ErasedAt.IsZero() || len(o.Lines[0].KeyIDs) != 1 {
		t.Errorf("the order is shown as %+v", o)
	}

	w.shop(token, "POST", "/v1/orders/8/resend", LinesAct{}).Want(200).Into(&got)
	if line := got.Lines[0]; line.Done || !strings.Contains(line.Detail, "nobody to mail") {
		t.Errorf("sent again: %+v", line)
	}
	if refused := w.shop(token, "POST", "/v1/orders/8/replace", ReplaceAct{Line: "1", KeyID: list.Items[0].Lines[0].KeyIDs[0]}).Want(409); !strings.Contains(refused.Body, "was erased") {
		t.Errorf("replaced: %s", refused.Body)
	}

	var started Job
	w.shop(token, "POST", "/v1/customers/erase", EraseCustomer{Email: "ada@example.com"}).Want(202).Into(&started)
	if sent := w.jobs.drain(); len(sent) != 1 || !strings.Contains(sent[0], started.ID) || started.Kind != "erase" {
		t.Errorf("job %+v, asked for %q", started, sent)
	}
	var trail AuditList
	w.shop(token, "GET", "/v1/audit", nil).Want(200).Into(&trail)
	if !slices.ContainsFunc(trail.Items, func(e AuditEntry) bool { return e.Thing == "job" && e.Name == started.ID && e.After["kind"] == "erase" }) {
		t.Errorf("the audit trail has %+v", trail.Items)
	}
	for id, item := range w.dump() {
		if strings.Contains(item, "ada@") {
			t.Errorf("%s holds the address", id)
		}
	}
	w.shop(w.token("acme", access.OrdersRead, access.Settings), "POST", "/v1/customers/erase", EraseCustomer{Email: "ada@example.com"}).Want(403)
}

func TestRetention(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	var got Retention
	first := w.shop(token, "GET", "/v1/retention", nil).Want(200)
	if first.Into(&got); got.Days != 0 {
		t.Errorf("kept for %d days", got.Days)
	}
	w.shop(token, "PUT", "/v1/retention", Retention{Days: 30}).Want(428)
	w.shop(token, "PUT", "/v1/retention", Retention{Days: 4000}, "if-match", "*").Want(422)
	w.shop(token, "PUT", "/v1/retention", Retention{Days: 30}, "if-match", first.Headers["Etag"]).Want(200)
	w.shop(token, "PUT", "/v1/retention", Retention{Days: 7}, "if-match", first.Headers["Etag"]).Want(412)
	w.shop(token, "GET", "/v1/retention", nil).Want(200).Into(&got)
	var j Job
	w.shop(token, "GET", "/v1/jobs/retention", nil).Want(200).Into(&j)
	if got.Days != 30 || j.Kind != "retain" || j.State != "queued" {
		t.Errorf("kept for %d days, by job %+v", got.Days, j)
	}
	w.shop(token, "POST", "/v1/jobs/retention/cancel", nil).Want(409)
	w.shop(w.token("acme", access.OrdersWrite, access.OrdersRead), "PUT", "/v1/retention", Retention{Days: 1}, "if-match", "*").Want(403)
}
