//go:build deployment

package e2e

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/local/shop"
	"keypool/infra/proof/canary"
	"keypool/shared/platform"
)

// The demo's story: a file, its report, an order, its mail; the same order again;
// an order that waits, a new file, the waiting order's mail; a low stock.
func TestStory(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	if err := world.shop.AddPool(t.Context(), m.token, m.pool+"-2", nil); err != nil { // warned below 10
		t.Fatal(err)
	}
	m.pool += "-2"
	m.product += "-2"
	if err := world.shop.AddProduct(t.Context(), m.token, m.product, "Elden", m.pool); err != nil {
		t.Fatal(err)
	}

	keys := newKeys(3)
	file := m.drop(strings.Join(append(keys, keys[0]), "\n"))
	m.notice(file, "3 keys added", "Line 4")

	first := m.order(1)
	m.pay(first, "fulfilled", 1)
	got := m.keysOf(first)
	if len(got) != 1 || !slices.Contains(keys, got[0]) {
		t.Fatalf("the first order's mail has %d keys, want one of those uploaded", len(got))
	}
	m.pay(first, "fulfilled", 1)

	second := m.order(4)
	m.pay(second, "waiting", 2)
	m.notice(m.pool, "no keys left", "waits")
	if n := len(m.mails(second.Email)); n != 0 {
		t.Errorf("the order that waits got %d mails already", n)
	}

	more := newKeys(20)
	m.loaded(m.drop(strings.Join(more, "\r\n")))
	reported := time.Now()
	got = m.keysOf(second)
	if len(got) != 4 {
		t.Fatalf("the order that waited was mailed %d keys, not 4", len(got))
	}
	t.Logf("mailed %s after the report", m.mails(second.Email)[0].SentAt.Sub(reported).Round(10*time.Millisecond))

	// The stock check must have seen 18 keys before it can see fewer than 10.
	m.await("the stock check seeing the new keys", func(ctx context.Context) bool { return checkStock(ctx) == nil })
	third := m.order(9)
	m.pay(third, "fulfilled", 9)
	m.notice(m.pool, "9 keys left", "fewer than 10")
	if n := len(m.keysOf(third)); n != 9 {
		t.Errorf("the third order was mailed %d keys, not 9", n)
	}

	for _, o := range []shop.Order{first, second, third} {
		if n := len(m.mails(o.Email)); n != 1 {
			t.Errorf("an order of %d got %d mails", o.Lines[0].Quantity, n)
		}
	}
	live, test := m.left()
	if want := (shop.Stock{Available: 9, Claimed: 14}); live != want || test != (shop.Stock{}) {
		t.Errorf("left: live %+v, test %+v; want live %+v and no test keys", live, test, want)
	}
}

// Whoever cannot sign learns nothing, not even whether there is such a merchant.
func TestSignatures_allRefusalsLookAlike(t *testing.T) {
	t.Parallel()
	m, other := newMerchant(t), newMerchant(t)
	m.stock(1)
	o := m.order(1)
	signed, err := m.Sign(o.Body(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(r *shop.Request)) shop.Request {
		r := signed
		r.Header = signed.Header.Clone()
		change(&r)
		return r
	}
	late, err := m.Sign(o.Body(), time.Now().Add(-6*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	early, err := m.Sign(o.Body(), time.Now().Add(6*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	byOther, err := other.Sign(o.Body(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	byOther.Path = m.Path()

	var first []byte
	for name, r := range map[string]shop.Request{
		"unsigned":           with(func(r *shop.Request) { r.Header.Del("Webhook-Signature") }),
		"no id":              with(func(r *shop.Request) { r.Header.Del("Webhook-Id") }),
		"another body":       with(func(r *shop.Request) { r.Body = changed(o, `"quantity":1`, `"quantity":2`) }),
		"another time":       with(func(r *shop.Request) { r.Header.Set("Webhook-Timestamp", "1") }),
		"another scheme":     with(func(r *shop.Request) { r.Header.Set("Webhook-Signature", "v2"+r.Header.Get("Webhook-Signature")[2:]) }),
		"too old":            late,
		"from the future":    early,
		"another merchant's": byOther,
		"unknown merchant":   with(func(r *shop.Request) { r.Path = "/webhooks/nobody/standard" }),
		"unknown account":    with(func(r *shop.Request) { r.Path = "/webhooks/" + m.Merchant + "/nothing" }),
		"no JSON, unsigned":  with(func(r *shop.Request) { r.Body = []byte("{") }),
	} {
		answer := do(t, r)
		if answer.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, answer.Status)
		}
		if first == nil {
			first = answer.Body
		}
		if diff := cmp.Diff(string(first), string(answer.Body)); diff != "" {
			t.Errorf("%s is answered otherwise than another refusal:\n%s", name, diff)
		}
	}
	if l := m.line(o); l != nil {
		t.Errorf("an order was stored: %+v", l)
	}
	m.pay(o, "fulfilled", 1)

	// All that came to the address with the headers of a signature is counted, and told.
	var account struct {
		Failed       int       `json:"failed"`
		LastSeenAt   time.Time `json:"last_seen_at"`
		LastFailedAt time.Time `json:"last_failed_at"`
	}
	if err := world.shop.Ask(t.Context(), m.token, http.MethodGet, "/v1/accounts/"+shop.AccountName, nil, &account); err != nil {
		t.Fatal(err)
	}
	if account.Failed != 7 || account.LastSeenAt.IsZero() || account.LastFailedAt.IsZero() {
		t.Errorf("the account shows %+v", account)
	}
	m.notice(shop.AccountName, "A message to your account")
}

// An order that waits is cancelled: its keys are the next order's, and nobody is mailed.
func TestCancel(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	keys := m.stock(2)
	cancel := func(path string) {
		t.Helper()
		for range 2 { // a repeat changes nothing
			var answer struct {
				Lines []struct {
					State     string
					Cancelled bool
				}
			}
			if err := world.shop.Ask(t.Context(), m.token, http.MethodPost, path, nil, &answer); err != nil {
				t.Fatal(err)
			}
			if len(answer.Lines) != 1 || answer.Lines[0].State != "returned" || !answer.Lines[0].Cancelled {
				t.Errorf("cancelled: %+v", answer)
			}
		}
	}
	waiting := m.order(3)
	m.pay(waiting, "waiting", 2)
	cancel("/v1/orders/" + waiting.ID + "/cancel")
	unconnected := m.order(1)
	unconnected.Lines[0].Product += "-unheard-of"
	m.pay(unconnected, "unconnected", 0)
	cancel("/v1/orders/cancel?order=" + unconnected.ID)

	next := m.order(2)
	m.pay(next, "fulfilled", 2)
	got := m.keysOf(next)
	slices.Sort(got)
	slices.Sort(keys)
	if diff := cmp.Diff(keys, got); diff != "" {
		t.Errorf("the keys of the next order (-want +got):\n%s", diff)
	}
	for _, o := range []shop.Order{waiting, unconnected} {
		if n := len(m.mails(o.Email)); n != 0 {
			t.Errorf("a cancelled order got %d mails", n)
		}
	}
}

// A signed order that cannot be taken is refused by the field, and the merchant is told.
func TestBadBodies_nameTheFieldAndAreNoticed(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	o := m.order(1)
	o.Lines[0].Quantity = 7
	for name, test := range map[string]struct {
		body     []byte
		location string
	}{
		"no JSON":         {[]byte(`{"type":"order.paid"`), "body"},
		"no lines":        {changed(shop.Order{ID: o.ID, Email: o.Email, Lines: []shop.Line{}}, `"lines":[]`, `"lines": []`), "body.data.lines"},
		"quantity 0":      {changed(o, `"quantity":7`, `"quantity":0`), "body.data.lines[0].quantity"},
		"negative":        {changed(o, `"quantity":7`, `"quantity":-1`), "body.data.lines[0].quantity"},
		"over the cap":    {changed(o, `"quantity":7`, `"quantity":1001`), "body.data.lines[0].quantity"},
		"quantity a text": {changed(o, `"quantity":7`, `"quantity":"seven"`), "body.data.lines[0].quantity"},
		"no address":      {changed(o, `"email":"`+o.Email+`"`, `"email":""`), "body.data.customer.email"},
		"no order":        {changed(o, `"order":"`+o.ID+`"`, `"order":""`), "body.data.order"},
		"no product":      {changed(o, `"product":"`+m.product+`"`, `"product":""`), "body.data.lines[0].product"},
	} {
		answer := m.send(test.body, time.Now())
		var problem struct {
			Status int
			Errors []struct{ Location string }
		}
		if err := answer.Decode(&problem); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if answer.Status != http.StatusBadRequest || problem.Status != http.StatusBadRequest ||
			len(problem.Errors) != 1 || problem.Errors[0].Location != test.location {
			t.Errorf("%s: %d, errors %v; want 400 and %q", name, answer.Status, problem.Errors, test.location)
		}
	}
	if l := m.line(o); l != nil {
		t.Errorf("an order was stored: %+v", l)
	}
	// The first is told at once, the others when the hour ends; all are listed.
	m.notice("could not take")
	var listed struct{ Items []struct{ Field string } }
	if err := world.shop.Ask(t.Context(), m.token, http.MethodGet, "/v1/refusals", nil, &listed); err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	for _, refusal := range listed.Items {
		fields[refusal.Field] = true
	}
	for _, field := range []string{"", "data.customer.email", "data.lines", "data.lines[0].quantity", "data.lines[0].product", "data.order"} {
		if !fields[field] {
			t.Errorf("a refusal for the field %q is not listed: %v", field, fields)
		}
	}

	// What does not concern us is received all the same.
	if answer := m.send([]byte(`{"type":"order.created","data":{}}`), time.Now()); answer.Status != http.StatusOK {
		t.Errorf("another event: %d, want 200", answer.Status)
	}
	m.notice("took no notice", "order.created")
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	o := m.order(1)
	o.Name = strings.Repeat("x", platform.MaxBody)
	if answer := m.send(o.Body(), time.Now()); answer.Status != http.StatusBadRequest {
		t.Errorf("%d, want 400", answer.Status)
	}
	if l := m.line(o); l != nil {
		t.Errorf("an order was stored: %+v", l)
	}
}

// A line is paid for once: a repeat that says something else changes nothing.
func TestRepeatWithOtherContent(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(5)
	o := m.order(1)
	m.pay(o, "fulfilled", 1)
	for _, body := range [][]byte{
		changed(o, `"quantity":1`, `"quantity":3`),
		changed(o, `"product":"`+m.product+`"`, `"product":"another"`),
	} {
		if answer := m.send(body, time.Now()); answer.Status != http.StatusConflict {
			t.Errorf("%d, want 409", answer.Status)
		}
	}
	m.notice(o.ID)
	m.pay(o, "fulfilled", 1)
	if l := m.line(o); l.Quantity != 1 || l.Allocated != 1 {
		t.Errorf("the line was changed: %+v", l)
	}
	if live, _ := m.left(); live.Available != 4 {
		t.Errorf("%d keys are left, want 4", live.Available)
	}
}

// Twelve orders for eight keys, each reported three times at once: every key is
// sold once, every order mailed once, and those that waited are served in the end.
func TestRepeatsAtOnce(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	sold := m.stock(8)
	orders := make([]shop.Order, 12)
	var reports sync.WaitGroup
	for i := range orders {
		orders[i] = m.order(1)
		for range 3 {
			reports.Go(func() {
				_, _, err := world.shop.Pay(t.Context(), m.Account, orders[i])
				if err != nil && !strings.Contains(err.Error(), "503") { // "send the same again"
					t.Error(err)
				}
			})
		}
	}
	reports.Wait()
	waiting := 0
	for _, o := range orders {
		reply, _, err := world.shop.Pay(t.Context(), m.Account, o)
		if err != nil {
			t.Fatal(err)
		}
		if reply.Lines[0].State == "waiting" {
			waiting++
		}
	}
	if waiting < 4 {
		t.Fatalf("%d orders wait, but there were 8 keys for 12", waiting)
	}
	sold = append(sold, m.stock(4)...)

	var mailed []string
	for _, o := range orders {
		got := m.keysOf(o)
		if len(got) != 1 {
			t.Errorf("an order was mailed %d keys", len(got))
		}
		mailed = append(mailed, got...)
	}
	slices.Sort(mailed)
	slices.Sort(sold)
	if !slices.Equal(mailed, sold) {
		t.Errorf("%d keys were mailed, %d of them different, of %d uploaded", len(mailed), len(slices.Compact(slices.Clone(mailed))), len(sold))
	}
	for _, o := range orders {
		if n := len(m.mails(o.Email)); n != 1 {
			t.Errorf("an order got %d mails", n)
		}
	}
}

// A file of 20,000 keys is read in ranges, by several workers; the workers are
// killed in the middle of it. Nothing is missing, nothing is there twice.
func TestLargeFile_workersKilledInTheMiddle(t *testing.T) {
	m := newMerchant(t) // not beside the others: it kills what they may need
	keys := newKeys(20_000)
	for i := range keys {
		keys[i] += strings.Repeat("x", 300) // a link is long: 6 MB, three ranges
	}
	file := m.drop(strings.Join(keys, "\n") + "\n")
	m.await("the first keys of the large file", func(ctx context.Context) bool {
		live, _, err := world.shop.Stock(ctx, m.token, m.pool)
		return err == nil && live.Available > 0
	})
	killed := 0
	functions, err := world.machine.Functions()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range functions {
		if f.Name == world.outputs["IngestFunction"] && syscall.Kill(f.PID, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed == 0 {
		t.Fatal("no worker was there to be killed")
	}
	u, _, err := world.shop.Upload(t.Context(), m.token, file)
	if err != nil || u.State == "finished" {
		t.Fatalf("the file was read before its workers were killed: %+v, %v", u.State, err)
	}
	u, err = world.shop.AwaitUpload(t.Context(), 6*time.Minute, m.token, file, "finished")
	if err != nil {
		t.Fatal(err)
	}
	if u.Accepted != len(keys) || u.Lines != len(keys) || len(u.Duplicates) > 0 || len(u.Refused) > 0 {
		t.Errorf("of %d keys: %d lines, %d accepted, duplicates %v, refused %v", len(keys), u.Lines, u.Accepted, u.Duplicates, u.Refused)
	}
	m.notice(file, "20,000 keys added")
	o := m.order(30)
	m.pay(o, "fulfilled", 30)
	got := m.keysOf(o)
	slices.Sort(got)
	if len(slices.Compact(got)) != 30 {
		t.Errorf("30 keys were mailed as %d", len(got))
	}

	// The same file again: all of it is known.
	again := m.drop(strings.Join(keys, "\n") + "\n")
	u, err = world.shop.AwaitUpload(t.Context(), 6*time.Minute, m.token, again, "finished")
	if err != nil {
		t.Fatal(err)
	}
	if known := u.Duplicates["this-pool"] + u.Duplicates["sold"]; u.Accepted != 0 || known != len(keys) {
		t.Errorf("the same file again: %d accepted, duplicates %v", u.Accepted, u.Duplicates)
	}
}

// An account that may not send: the order is answered as ever, its mail stays due
// and goes out once the trouble is over.
func TestSenderNotVerified(t *testing.T) {
	m := newMerchant(t) // not beside the others: nobody's mails leave meanwhile
	m.stock(1)
	mend := breakSender(t)
	o := m.order(1)
	m.pay(o, "fulfilled", 1)
	m.await("a try to mail that failed", func(context.Context) bool {
		l := m.line(o)
		return l.Delivery.State == "due" && l.Delivery.Tries > 0
	})
	if n := len(m.mails(o.Email)); n != 0 {
		t.Errorf("%d mails were sent by a sender that is not verified", n)
	}
	mend()
	m.await("the mail going out", func(context.Context) bool { return len(m.mails(o.Email)) == 1 })
}

// A function whose settings are wrong does not start, and says all that is wrong at once.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	log := startWrongly(t, "SweepFunction", map[string]string{"KEYPOOL_DELAY_MAIL_AFTER": "soon", "KEYPOOL_ORDERS_TABLE": "orders"})
	for _, problem := range []string{"KEYPOOL_DELAY_MAIL_AFTER is not a duration", "KEYPOOL_CATALOG_TABLE is not set", "KEYPOOL_FILL_QUEUE_URL is not set"} {
		if !strings.Contains(log, problem) {
			t.Errorf("its log does not say that %s:\n%s", problem, log)
		}
	}
	if strings.Contains(log, "soon") || strings.Contains(log, "KEYPOOL_ORDERS_TABLE") {
		t.Errorf("its log tells of a good setting, or a setting's value:\n%s", log)
	}
}

// Files as Windows, old Macs and spreadsheets write them.
func TestEncodings(t *testing.T) {
	t.Parallel()
	for name, encode := range map[string]func(lines []string) string{
		"UTF-16, little end first": func(lines []string) string { return inUTF16(strings.Join(lines, "\r\n"), false) },
		"UTF-16, big end first":    func(lines []string) string { return inUTF16(strings.Join(lines, "\n"), true) },
		"CR":                       func(lines []string) string { return strings.Join(lines, "\r") },
		"CRLF":                     func(lines []string) string { return strings.Join(lines, "\r\n") + "\r\n" },
		"BOM, blanks, no end":      func(lines []string) string { return "\ufeff  " + strings.Join(lines, "\t\n\n  ") },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMerchant(t)
			keys := newKeys(3)
			for i := range keys {
				keys[i] += "-ÄÖ-鍵"
			}
			if u := m.loaded(m.drop(encode(keys))); u.Accepted != 3 || len(u.Refused) > 0 {
				t.Errorf("%d of 3 keys accepted, refused %v", u.Accepted, u.Refused)
			}
			o := m.order(3)
			m.pay(o, "fulfilled", 3)
			got := m.keysOf(o)
			slices.Sort(got)
			slices.Sort(keys)
			if !slices.Equal(got, keys) {
				t.Error("the keys that were mailed are not those that were uploaded")
			}
		})
	}
}

func inUTF16(text string, bigEndFirst bool) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		if bigEndFirst {
			out = append(out, byte(unit>>8), byte(unit))
		} else {
			out = append(out, byte(unit), byte(unit>>8))
		}
	}
	return string(out)
}

// Whatever is dropped gets a report, and its good lines are loaded.
func TestKeyFiles_badOnes(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)

	good := newKeys(2)
	file := m.drop(strings.Join([]string{
		good[0], strings.Repeat("x", 2049), good[1], good[0], world.mark + "\x07bell", world.mark + "\xff\xfe", "", "   ",
	}, "\n"))
	u := m.loaded(file)
	lines := map[int]bool{}
	for _, refused := range u.First {
		lines[refused.Line] = true
	}
	if u.Accepted != 2 || u.Duplicates["same-file"] != 1 || !lines[2] || !lines[4] || !lines[5] || !lines[6] || len(lines) != 4 {
		t.Errorf("report: %+v", u)
	}
	m.notice(file, "2 keys added", "Line 2", "Line 5")

	other := newMerchant(t)
	u = m.loaded(m.dropInto(m.pool+"/test/", good[0]+"\n"+newKeys(1)[0]+"\n"))
	if u.Accepted != 1 || u.Duplicates["other-side"] != 1 {
		t.Errorf("a live key as a test key: %+v", u)
	}
	// Two merchants may have the same key: nobody learns of another's.
	if u := other.loaded(other.drop(good[0] + "\n")); u.Accepted != 1 {
		t.Errorf("another merchant's key: %+v", u)
	}

	if u := m.loaded(m.drop("")); u.Cause != "empty" {
		t.Errorf("an empty file: %+v", u)
	}
	binary := m.drop("PK\x03\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	if u := m.loaded(binary); u.Cause != "binary" {
		t.Errorf("a binary file: %+v", u)
	}
	if kept, err := world.shop.Kept(t.Context(), "uploads/"+m.Merchant+"/"+m.pool+"/"+binary); !kept {
		t.Errorf("a file that was refused is not kept: %v", err)
	}
	// The report of a merchant's first file comes at once, those of others together later.
	other = newMerchant(t)
	other.notice("wrong place", other.dropInto("", newKeys(1)[0]))
	// The operator's mails all come to one address.
	stray := strings.ToLower(m.Merchant) + "-stray.txt"
	if err := world.shop.Drop(t.Context(), "uploads/nobody/pool/"+stray, []byte(newKeys(1)[0])); err != nil {
		t.Fatal(err)
	}
	m.mailTo("operator@keypool.example", stray)
}

// A file that reads like something else is held until the merchant says how to read it,
// and sold by what its lines hold.
func TestKeyFiles_heldOnes(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	keys := newKeys(3)
	file := m.drop("License Key\r\n\"" + strings.Join(keys, "\"\r\n\"") + "\"\r\n")
	held, err := world.shop.AwaitUpload(t.Context(), timeout, m.token, file, "needs_confirmation")
	if err != nil {
		t.Fatal(err)
	}
	m.notice(file)
	if live, _ := m.left(); live.Available != 0 {
		t.Errorf("%d keys of a held file are for sale", live.Available)
	}
	how := map[string]bool{"skip_heading": true, "strip_quotes": true}
	if err := world.shop.Ask(t.Context(), m.token, http.MethodPost, "/v1/uploads/"+held.ID+"/load", how, nil); err != nil {
		t.Fatal(err)
	}
	if u := m.loaded(file); u.Accepted != 3 {
		t.Errorf("%d of 3 keys were accepted: %+v", u.Accepted, u)
	}
	o := m.order(3)
	m.pay(o, "fulfilled", 3)
	got := m.keysOf(o)
	slices.Sort(got)
	slices.Sort(keys)
	if diff := cmp.Diff(keys, got); diff != "" {
		t.Errorf("the customer's keys (-want +got):\n%s", diff)
	}

	// The same question about the pool is not asked twice; a table is read by its heading.
	if u := m.loaded(m.drop("License Key\n\"" + strings.Join(newKeys(2), "\"\n\"") + "\"\n")); u.Accepted != 2 {
		t.Errorf("the next file of the kind: %+v", u)
	}
	table := "table-" + m.Merchant + ".csv"
	rows := newKeys(2)
	content := "name,key\nElden,\"" + rows[0] + "\"\nElden," + rows[1] + "\n"
	if err := world.shop.Drop(t.Context(), "uploads/"+m.Merchant+"/"+m.pool+"/"+table, []byte(content)); err != nil {
		t.Fatal(err)
	}
	if u := m.loaded(table); u.Accepted != 2 {
		t.Errorf("a table: %+v", u)
	}
}

// Forty small files in a minute are three mails at most: one now, the others when five
// minutes are over.
func TestManySmallFiles(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	var files []string
	for range 40 {
		files = append(files, m.drop(""))
	}
	for _, file := range files {
		m.loaded(file)
	}
	m.notice("empty")
	if n := len(m.mails(m.notices, "empty")); n > 2 {
		t.Errorf("the merchant got %d mails before the last", n)
	}
}

// A file for a pool that does not exist is kept, and read by itself once it does.
func TestUnknownPool(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	later := m.Merchant + "-later"
	keys := newKeys(5)
	file := m.dropInto(later+"/", strings.Join(keys, "\n"))
	m.notice(file, "waits for its pool")
	if err := world.shop.AddPool(t.Context(), m.token, later, nil); err != nil {
		t.Fatal(err)
	}
	if u := m.loaded(file); u.Accepted != 5 || u.Pool != later {
		t.Errorf("read once the pool was there: %+v", u)
	}
}

// A product that nobody knows, and one without a pool: the order is safe, the merchant is
// told of the first at once (and of others when the day ends), and the keys follow once it
// is connected.
func TestUnconnectedProduct(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(5)
	unknown, idle := m.product+"-unknown", m.product+"-idle"
	if err := world.shop.AddProduct(t.Context(), m.token, idle, "Idle", ""); err != nil {
		t.Fatal(err)
	}
	var orders []shop.Order
	for i, product := range []string{unknown, idle, unknown} {
		o := m.order(i + 1)
		o.Lines[0].Product = product
		m.pay(o, "unconnected", 0)
		orders = append(orders, o)
	}
	m.notice(unknown, "no pool feeds") // it, or them, if the second came before the mail left
	if err := world.shop.AddProduct(t.Context(), m.token, unknown, "Known now", m.pool); err != nil {
		t.Fatal(err)
	}
	if n := len(m.keysOf(orders[0])); n != 1 {
		t.Errorf("an order for 1 was mailed %d keys", n)
	}
	if n := len(m.keysOf(orders[2])); n != 3 {
		t.Errorf("an order for 3 was mailed %d keys", n)
	}
	m.stock(1)
	if err := world.shop.Connect(t.Context(), m.token, idle, "Idle", m.pool); err != nil {
		t.Fatal(err)
	}
	if n := len(m.keysOf(orders[1])); n != 2 {
		t.Errorf("an order for 2 was mailed %d keys", n)
	}
	if n := len(m.mails(m.notices, "no pool feeds")); n != 1 {
		t.Errorf("the merchant was told %d times before the day has ended", n)
	}
}

// Test orders reach test keys only.
func TestTestOrders(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(3)
	o := m.order(1)
	o.Test = true
	m.pay(o, "waiting", 0)
	tested := newKeys(1)
	m.loaded(m.dropInto(m.pool+"/test/", tested[0]))
	if got := m.keysOf(o); !slices.Equal(got, tested) {
		t.Errorf("a test order was mailed %d keys, not the test key", len(got))
	}
	if live, _ := m.left(); live.Available != 3 {
		t.Errorf("%d live keys are left, want 3", live.Available)
	}
}

// A test order that the API places comes in by the front door.
func TestTestOrders_placedByTheAPI(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(3)
	tested := newKeys(1)
	m.loaded(m.dropInto(m.pool+"/test/", tested[0]))
	to := newAddress()
	var ordered struct {
		Account, Order string
		Status         int
		Lines          []shop.OrderLine
	}
	if err := world.shop.Ask(t.Context(), m.token, http.MethodPost, "/v1/test-orders", map[string]any{"product": m.product, "email": to}, &ordered); err != nil {
		t.Fatal(err)
	}
	if ordered.Status != http.StatusOK || len(ordered.Lines) != 1 || ordered.Lines[0].State != "fulfilled" {
		t.Errorf("ordered: %+v", ordered)
	}
	if got := keysIn(m.mailTo(to, world.mark)); !slices.Equal(got, tested) {
		t.Errorf("%d keys were mailed, not the test key", len(got))
	}
	if live, test := m.left(); live.Available != 3 || test.Available != 0 {
		t.Errorf("%d live keys and %d test keys are left", live.Available, test.Available)
	}
}

// One order may have many lines, and a large one has its keys attached too.
func TestOrderOfSeveralLines(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(100)
	o := m.order(1)
	o.Lines = append(o.Lines, shop.Line{ID: "2", Product: m.product, Quantity: 90}, shop.Line{ID: "3", Product: m.product + "-none", Quantity: 1})
	reply, _, err := world.shop.Pay(t.Context(), m.Account, o)
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, l := range reply.Lines {
		states[l.Line] = l.State
	}
	if states["1"] != "fulfilled" || states["3"] != "unconnected" {
		t.Errorf("states: %v", states)
	}
	m.await("two mails with 91 keys", func(context.Context) bool {
		n := 0
		for _, mail := range m.mails(o.Email, world.mark) {
			n += len(keysIn(mail))
		}
		return n == 91
	})
	if n := len(m.mails(o.Email)); n != 2 {
		t.Errorf("%d mails for two filled lines", n)
	}
}

// What becomes of a mail shows in the order; one that comes back, or is called
// spam, is told to the merchant. The addresses are those of SES's own simulator.
func TestWhatBecomesOfMails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ address, state, says string }{
		"delivered": {newAddress(), "delivered", ""},
		"bounced":   {"bounce+" + newAddress()[:10] + "@simulator.amazonses.com", "bounced", "back"},
		"spam":      {"complaint+" + newAddress()[:10] + "@simulator.amazonses.com", "complained", "spam"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMerchant(t)
			m.stock(1)
			o := m.order(1)
			o.Email = test.address
			m.pay(o, "fulfilled", 1)
			m.keysOf(o)
			m.await("the mail's fate showing in the order", func(context.Context) bool { return m.line(o).Delivery.State == test.state })
			if test.says != "" {
				m.notice(o.ID, test.says)
			}
			if l := m.line(o); l.Allocated != 1 || l.State != "fulfilled" {
				t.Errorf("the line afterwards: %+v", l)
			}
			if n := len(m.mails(o.Email)); n != 1 {
				t.Errorf("the customer got %d mails", n)
			}
		})
	}
}

// Each face is open to whom it is for.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	m, other := newMerchant(t), newMerchant(t)
	m.stock(1)
	o := m.order(1)
	m.pay(o, "fulfilled", 1)

	bearer := func(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
	newToken := func(name string, scopes ...string) shop.Token {
		made, err := world.shop.AddToken(t.Context(), m.Merchant, shop.NewToken{Name: name, Scopes: scopes})
		if err != nil {
			t.Fatal(err)
		}
		world.canaries.Add(canary.Token, made.Text)
		return made
	}
	upload, revoked := newToken("upload", "upload"), newToken("revoked", "settings")
	if err := world.shop.Ask(t.Context(), m.token, http.MethodDelete, "/v1/tokens/"+revoked.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		shop.Request
		status int
	}{
		"operator's route, unsigned":             {shop.Request{Method: "GET", Path: "/v1/merchants/" + m.Merchant}, http.StatusForbidden},
		"operator's route with a token":          {shop.Request{Method: "GET", Path: "/v1/merchants/" + m.Merchant, Header: bearer(m.token)}, http.StatusForbidden},
		"a token made without signing":           {shop.Request{Method: "POST", Path: "/v1/merchants/" + m.Merchant + "/tokens", Header: bearer(m.token)}, http.StatusForbidden},
		"operator's route by another address":    {shop.Request{Method: "GET", Path: "/v1/merchants/" + m.Merchant + "/", Header: bearer(m.token)}, http.StatusNotFound},
		"merchant's route without a token":       {shop.Request{Method: "GET", Path: "/v1/pools"}, http.StatusUnauthorized},
		"merchant's route with nobody's token":   {shop.Request{Method: "GET", Path: "/v1/pools", Header: bearer("kp_nothing")}, http.StatusUnauthorized},
		"a token without the scope":              {shop.Request{Method: "GET", Path: "/v1/pools", Header: bearer(upload.Text)}, http.StatusForbidden},
		"an order by an upload's token":          {shop.Request{Method: "GET", Path: "/v1/orders/1", Header: bearer(upload.Text)}, http.StatusForbidden},
		"a token that was revoked":               {shop.Request{Method: "GET", Path: "/v1/pools", Header: bearer(revoked.Text)}, http.StatusUnauthorized},
		"another merchant's pool":                {shop.Request{Method: "GET", Path: "/v1/pools/" + m.pool, Header: bearer(other.token)}, http.StatusNotFound},
		"the merchant's own pool":                {shop.Request{Method: "GET", Path: "/v1/pools/" + m.pool, Header: bearer(m.token)}, http.StatusOK},
		"the description, for everybody":         {shop.Request{Method: "GET", Path: "/openapi.json"}, http.StatusOK},
		"the same as a page":                     {shop.Request{Method: "GET", Path: "/v1"}, http.StatusOK},
		"an address that is not there":           {shop.Request{Method: "GET", Path: "/nothing"}, http.StatusNotFound},
		"the order's page by a webhook's method": {shop.Request{Method: "GET", Path: m.Path()}, http.StatusNotFound},
	} {
		if answer := do(t, test.Request); answer.Status != test.status {
			t.Errorf("%s: %d, want %d", name, answer.Status, test.status)
		}
	}
	if lines, err := world.shop.OrderLines(t.Context(), other.token, o.ID); err != nil || len(lines) != 0 {
		t.Errorf("another merchant sees the order: %v, %v", lines, err)
	}
	// The bucket takes nothing from whoever has no AWS credentials.
	answer, err := world.shop.HTTP.Post(world.machine.Endpoint()+"/"+world.shop.Bucket+"/uploads/"+m.Merchant+"/"+m.pool+"/x.txt", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode < 400 {
		t.Errorf("a stranger's upload: %d", answer.StatusCode)
	}
}

// A secret can be changed without a refused webhook.
func TestSecretIsRotated(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(2)
	m.pay(m.order(1), "fulfilled", 1)
	m.notice("a new API token", t.Name())
	m.notice("the account standard has a new signing secret", `by: the token "`+t.Name()+`"`)
	before := m.Account
	secret, err := world.shop.AddSecret(t.Context(), m.token)
	if err != nil {
		t.Fatal(err)
	}
	keepSecret(t, secret)
	m.Account.Secret = secret
	o := m.order(1)
	// The function may look for new secrets once a minute only.
	m.await("the new secret being good", func(ctx context.Context) bool {
		_, _, err := world.shop.Pay(ctx, m.Account, o)
		return err == nil
	})
	m.Account = before
	m.pay(o, "fulfilled", 1)
}
