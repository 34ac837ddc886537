package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/fuse"
	"keypool/shared/dynamo"
	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

var eldenTest = pool.ID{Merchant: "nova", Pool: "elden", Side: pool.Test}

func (w *world) wipe() job.Job {
	w.Helper()
	j, err := w.jobs.Wipe(w.Context(), "nova", "the token")
	w.must(err)
	return j
}

// rows returns all items of all tables, each as text, by table and key.
func (w *world) rows() map[string]string {
	w.Helper()
	all := map[string]string{}
	for _, table := range []string{w.tables.Catalog, w.tables.Orders, w.tables.Keys} {
		for _, item := range dynamotest.Items(w.T, table, "") {
			all[fmt.Sprint(table, " ", item["pk"], " ", item["sk"])] = fmt.Sprint(item)
		}
	}
	return all
}

// ofTest reports whether a row is of nova's test side, by its key and by what is in it, and not
// by the attribute that a wipe goes by.
func (w *world) ofTest(key, row string, testOnes map[string]bool) bool {
	table, name, _ := strings.Cut(key, " ")
	name, sort, _ := strings.Cut(name, " ")
	switch table {
	case w.tables.Keys:
		return strings.HasPrefix(name, "nova#test#")
	case w.tables.Orders:
		if half, is := strings.CutPrefix(name, "order#"); is {
			return testOnes[half]
		}
		tellsOfBoth := strings.Contains(row, "kind:upload-report")
		return !tellsOfBoth && strings.Contains(row, "nova") && (strings.Contains(name+" "+sort, "#test") || strings.Contains(row, "side:test") || strings.Contains(row, "testOf:nova"))
	}
	_, upload, ofUpload := strings.Cut(name, "#nova#") // its ranges
	return testOnes[upload] && ofUpload || testOnes[sort] || name == "counts#nova" && strings.HasSuffix(sort, "#test")
}

// testOnes returns the ids of nova's test orders and test uploads.
func testOnes(rows map[string]string) map[string]bool {
	all := map[string]bool{}
	for key, row := range rows {
		_, name, _ := strings.Cut(key, " ")
		name, sort, _ := strings.Cut(name, " ")
		half, ofOrder := strings.CutPrefix(name, "order#")
		switch {
		case !strings.Contains(row, "side:test"):
		case ofOrder && strings.Contains(row, "merchant:nova"):
			all[half] = true
		case name == "uploads#nova":
			all[sort] = true
		}
	}
	return all
}

// wantLiveUntouched expects that all that is not of nova's test side, and no work on the job, is
// as it was, byte for byte, and that nothing of the test side is left but what says which files
// there were, and counts of nothing.
func (w *world) wantLiveUntouched(before map[string]string) {
	w.Helper()
	ones := testOnes(before)
	after := w.rows()
	maps.Copy(ones, testOnes(after))
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if !w.ofTest(key, before[key], ones) && !isOfJob(key) && after[key] != before[key] {
			w.Errorf("%s was\n%s\nand is\n%s", key, before[key], after[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		row := after[key]
		switch {
		case isOfJob(key) || !w.ofTest(key, row, ones):
			if before[key] == "" && !isOfJob(key) {
				w.Errorf("%s is new: %s", key, row)
			}
		case strings.Contains(key, " counts#"):
			if !strings.Contains(row, "accepted:0") || !strings.Contains(row, "taken:0") || strings.Contains(row, "sold20") {
				w.Errorf("%s counts %s", key, row)
			}
		case strings.Contains(key, " uploads#"):
			if !strings.Contains(row, "cause:wiped") || !strings.Contains(row, "counts:map[]") {
				w.Errorf("%s is %s", key, row)
			}
		default:
			w.Errorf("%s is left: %s", key, row)
		}
	}
}

func isOfJob(key string) bool {
	return strings.Contains(key, " jobs#nova") || strings.Contains(key, " audit#nova") || strings.Contains(key, " notice#nova#"+string(notice.JobEnded)+"#")
}

func isCountOrUpload(key string) bool {
	return strings.Contains(key, " counts#") || strings.Contains(key, " uploads#")
}

// sides fills both sides of nova, and mallory's, with all that there is.
func (w *world) sides() {
	w.Helper()
	for _, merchant := range []string{"nova", "mallory"} {
		for name, content := range map[string]string{
			"elden/keys.txt": lines("LIVE", 8), "elden/test/keys.txt": lines("TEST", 70) + "TEST-0000\n",
			"none/keys.txt": lines("PARKED", 2), "none/test/keys.txt": lines("PARKED", 2),
		} {
			w.must(w.loader.Receive(w.Context(), w.bucket.Put("uploads/"+merchant+"/"+name, []byte(content))))
			w.loadRest()
		}
		for _, side := range pool.Sides {
			p := pool.ID{Merchant: merchant, Pool: "elden", Side: side}
			w.order(p)
		}
	}
}

// order stores orders of every kind on a pool side.
func (w *world) order(p pool.ID) {
	w.Helper()
	text := map[pool.Side]string{pool.Live: "LIVE", pool.Test: "TEST"}[p.Side]
	sold := w.sell("A-1", p, text+"-0000", text+"-0001")
	w.giveBack(sold, order.Revoke)
	w.giveBack(w.sell("A-2", p, text+"-0002"), order.Restock)
	w.giveBack(w.sell("A-3", p, text+"-0003"), order.Keep)
	if p.Side == pool.Test {
		many := w.sell("A-4", p, text+"-0010", text+"-0011")
		w.must(w.store.Commit(w.Context(), chunked(many, w.forSale(p)[:30], w.now)))
	}
	for number, make := range map[string]func(*order.Fulfillment){
		"waits":       func(*order.Fulfillment) {},
		"unconnected": func(line *order.Fulfillment) { line.Pool, line.Wanted = "", 0 },
		"held":        func(line *order.Fulfillment) { line.Hold(order.HoldReview); line.HeldAt = w.now },
		"due":         func(line *order.Fulfillment) { line.Mail = outbox.Entry{}.Next(outbox.Delay, w.now) },
	} {
		line := lineOf(number, p, 1, w.now)
		line.CustomerHash = "hash"
		make(&line)
		change := order.NewLine(line)
		change.Refund = "re_1"
		for n := range 3 {
			change.History = append(change.History, order.History{Line: line.ID, At: w.now.Add(time.Duration(n) * time.Second), Event: order.Received, By: "webhook"})
		}
		w.must(w.store.Commit(w.Context(), change))
		corrected := order.ChangeOf(change.After)
		w.must(corrected.After.CorrectAddress("ada@right.example", "another hash"))
		w.must(w.store.Commit(w.Context(), corrected))
		if ok, err := w.store.AdmitOrder(w.Context(), line, 5); err != nil || !ok {
			w.Fatal(ok, err)
		}
		w.must(w.store.PutWhole(w.Context(), order.Whole{ID: line.ID.OrderHalf(), Merchant: p.Merchant, Side: p.Side, Account: "own", Order: number, ChangedAt: w.now}))
	}
	early := lineOf("early", p, 1, w.now)
	early.Expected = true
	w.must(w.store.Commit(w.Context(), order.NewLine(early)))
	w.must(w.store.PutWhole(w.Context(), order.Whole{ID: order.Identity{Merchant: p.Merchant, Side: p.Side, Origin: "own", Order: "unpaid"}.OrderID(), Merchant: p.Merchant, Side: p.Side, Account: "own", Order: "unpaid", ChangedAt: w.now}))
	w.must(w.store.AllowBypass(w.Context(), p, w.now))
	told := notice.New(p.Merchant, notice.MailFailed, string(p.Side), notice.Facts{Orders: []string{"A-1"}, Side: p.Side, Count: 1}, w.now)
	w.must(w.store.RaiseNotice(w.Context(), told))
	w.must(w.store.ChangeAlert(w.Context(), notice.Alert{Pool: p, Level: notice.StockEmpty}, nil))
	w.must(w.store.KeepRefusal(w.Context(), order.Refusal{Merchant: p.Merchant, Account: "own", Order: "A-9", Side: p.Side, Problem: "is wrong", At: w.now}, told))
	w.must(w.store.AddTaken(w.Context(), p, []pool.Take{{Keys: 2, At: w.now}}))
	if p.Side == pool.Test {
		w.must(w.store.BlockKey(w.Context(), pool.Identify([]byte("another salt"), p.Merchant, p.Side, "LEAKED"), "the token", w.now))
	}
}

// chunked returns the change that gives a line more keys than its own item holds.
func chunked(line order.Fulfillment, keys []pool.Key, now time.Time) order.Change {
	change := order.ChangeOf(line)
	change.After.Wanted += len(keys)
	change.Allocate(keys, now)
	return change
}

func TestWipe(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.sides()
	before := w.rows()
	w.later(time.Hour)
	ended := w.finish(w.wipe().ID)
	if ended.State() != job.Ended || ended.Keys != 71 || ended.Lines != 9 {
		t.Errorf("the job is %s, with %d keys and %d lines", ended.State(), ended.Keys, ended.Lines)
	}
	w.wantLiveUntouched(before)
	trail, _, err := w.store.Entries(t.Context(), "nova", "", 10)
	w.must(err)
	if len(trail) != 2 || trail[1].After["kind"] != "wipe" || fmt.Sprint(trail[0].After["keys"]) != "71" {
		t.Errorf("the audit trail has %+v", trail)
	}
	if again := w.finish(w.wipe().ID); again.Keys != 0 || again.Lines != 0 {
		t.Errorf("the second job wiped %d keys and %d lines", again.Keys, again.Lines)
	}
}

// No row of a live side has the attribute that the index of test rows is on, so that none pays
// for it; what a wipe looks for has it.
func TestWipe_liveRowsAreNotMarked(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.sides()
	rows := w.rows()
	ones := testOnes(rows)
	marked, refused := 0, 0
	for key, row := range rows {
		if !strings.Contains(row, "testOf:nova") {
			continue
		}
		marked++
		if strings.Contains(key, " refused") { // they do not say of which side they are
			refused++
			continue
		}
		if !w.ofTest(key, row, ones) || !strings.Contains(key+row, "#test") && !strings.Contains(row, "side:test") {
			w.Errorf("%s is marked as of the test side: %s", key, row)
		}
	}
	if marked < 80 || refused != 2 {
		t.Errorf("%d rows are marked, %d of them of the one refusal of each side", marked, refused)
	}
}

// After a wipe the same file brings the same keys, they are sold again, and a repeat of a test
// order is a new one. A repeat of the former file's event brings nothing.
func TestWipe_thenAllOver(t *testing.T) {
	t.Parallel()
	w := open(t)
	first := w.load("uploads/nova/elden/test/keys.txt", lines("TEST", 5))
	w.sell("A-1", eldenTest, "TEST-0000")
	w.later(time.Hour)
	if _, err := w.reports.Get(t.Context(), first.ReportName()); err != nil {
		t.Fatal(err)
	}
	w.finish(w.wipe().ID)

	if _, err := w.reports.Get(t.Context(), first.ReportName()); err == nil {
		t.Error("the file's report is still there")
	}
	w.must(w.loader.Receive(t.Context(), first.Object))
	w.loadRest()
	if n := len(w.forSale(eldenTest)); n != 0 {
		t.Errorf("a repeat of the event brings %d keys", n)
	}
	if u := w.load("uploads/nova/elden/test/keys.txt", lines("TEST", 5)); u.Counts[upload.Accepted] != 5 || u.ID == first.ID {
		t.Errorf("the same file again: %v", u.Counts)
	}
	if line := w.sell("A-1", eldenTest, "TEST-0000"); line.Version != 1 {
		t.Errorf("the order is at version %d", line.Version)
	}
	w.wantCount(eldenTest, 5, 0)
}

// What comes after the job was asked for stays, with the keys that it has.
func TestWipe_whatComesLater(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/test/before.txt", lines("TEST", 5))
	j := w.wipe()
	w.later(time.Second)
	line := w.sell("later", eldenTest, "TEST-0001")
	after := w.load("uploads/nova/elden/test/after.txt", lines("AFTER", 5))
	tell := notice.New("nova", notice.MailFailed, "later", notice.Facts{Side: pool.Test, Count: 1}, w.now)
	w.must(w.store.RaiseNotice(t.Context(), tell))
	w.must(w.store.PutWhole(t.Context(), order.Whole{ID: line.ID.OrderHalf(), Merchant: "nova", Side: pool.Test, ChangedAt: w.now}))
	ended := w.finish(j.ID)
	if ended.Keys != 4 || ended.Lines != 0 {
		t.Errorf("it wiped %d keys and %d lines", ended.Keys, ended.Lines)
	}
	if now := w.line(line.ID); now.Version != line.Version || w.forSaleOf(after) != 5 {
		t.Errorf("the order is at version %d, and %d keys are for sale", now.Version, w.forSaleOf(after))
	}
	if _, there, err := w.store.Notice(t.Context(), tell.ID); err != nil || !there {
		t.Errorf("its notice is gone: %v", err)
	}
	if whole, err := w.store.Whole(t.Context(), line.ID.OrderHalf()); err != nil || whole.Version == 0 {
		t.Errorf("what is known of the order is gone: %v", err)
	}
	if k := w.find("TEST-0001")[0]; k.State != pool.KeyClaimed {
		t.Errorf("its key is %s", k.State)
	}
	w.wantCount(eldenTest, 6, 0)
	w.giveBack(line, order.Restock)
	if n := len(w.forSale(eldenTest)); n != 6 {
		t.Errorf("%d keys are for sale after the order was given back", n)
	}
}

// While a file is loaded, its keys stay until all are counted.
func TestWipe_whileItLoads(t *testing.T) {
	t.Parallel()
	w := open(t)
	file := lines("FIRST", 40)
	for len(file) < upload.RangeSize {
		file += strings.Repeat("x", 2100) + "\n"
	}
	u := w.receive("uploads/nova/elden/test/large.txt", file+lines("SECOND", 50))
	j := w.wipe()
	for range 3 {
		if err := w.run(w.worker, j.ID); !errors.Is(err, job.ErrPaused) {
			t.Fatalf("while the upload loads, a look ended with %v", err)
		}
		w.later(inventory.IndexLag)
	}
	if n := w.forSaleOf(u); n != 40 {
		t.Errorf("%d keys are there while it loads, want 40", n)
	}
	w.loadRest()
	if ended := w.finish(j.ID); ended.Keys != 90 || w.forSaleOf(u) != 0 {
		t.Errorf("it wiped %d keys, and %d are for sale", ended.Keys, w.forSaleOf(u))
	}
	w.wantCount(eldenTest, 0, 0)
}

// A line whose mail is being sent is left to its mailer, and goes in a later look.
func TestWipe_whileItIsMailed(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/test/keys.txt", lines("TEST", 5))
	line := lineOf("A-1", eldenTest, 1, w.now)
	line.Mail = outbox.Entry{}.Next(outbox.Keys, w.now).Leased(w.now.Add(time.Minute))
	change := order.NewLine(line)
	change.Allocate(w.forSale(eldenTest)[:1], w.now)
	change.After.Mail = line.Mail
	w.must(w.store.Commit(t.Context(), change))
	w.later(time.Second)
	j := w.wipe()
	for range 2 {
		if err := w.run(w.worker, j.ID); !errors.Is(err, job.ErrPaused) {
			t.Fatalf("while its mail is sent: %v", err)
		}
		if now := w.line(line.ID); now.Version != change.After.Version || len(now.Keys) != 1 {
			t.Fatal("the line was changed")
		}
		w.later(inventory.IndexLag)
	}
	sent := order.ChangeOf(w.line(line.ID))
	sent.After.Mail = line.Mail.Completed(outbox.Sent, "1", "", w.now)
	w.must(w.store.Commit(t.Context(), sent))
	if ended := w.finish(j.ID); ended.Lines != 1 || ended.Keys != 5 || w.line(line.ID).Version != 0 {
		t.Errorf("%d lines and %d keys are wiped", ended.Lines, ended.Keys)
	}
}

// A job that is killed at any of its calls is resumed, and its counts are those of the rows.
func TestWipe_killedAtAnyCall(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		for at := 1; ; at++ {
			w := open(t)
			w.load("uploads/nova/elden/keys.txt", lines("LIVE", 8))
			w.load("uploads/nova/elden/test/keys.txt", lines("TEST", 70))
			w.order(elden)
			w.order(eldenTest)
			before := w.rows()
			w.later(time.Hour)
			j := w.wipe()
			f := &fuse.Fuse{Left: at, Late: late}
			err := w.run(fused(f, w.worker), j.ID)
			if f.Left > 0 {
				if !errors.Is(err, job.ErrPaused) {
					t.Fatal(err)
				}
				break
			}
			if ended := w.finish(j.ID); ended.Keys != 71 || ended.Lines != 9 {
				t.Errorf("killed at call %d (late %t): it counts %d keys and %d lines", at, late, ended.Keys, ended.Lines)
			}
			w.wantLiveUntouched(before)
			if t.Failed() {
				t.Fatalf("killed at call %d (late %t)", at, late)
			}
		}
	}
}

// A worker whose job another has taken wipes nothing.
func TestWipe_fenced(t *testing.T) {
	t.Parallel()
	w := open(t)
	u := w.load("uploads/nova/elden/test/keys.txt", lines("TEST", 5))
	w.order2(t)
	w.later(time.Hour)
	j := w.wipe()
	stale, err := w.store.TakeJob(t.Context(), "nova", j.ID, w.now)
	w.must(err)
	if _, err := w.store.TakeJob(t.Context(), "nova", j.ID, w.now); err != nil {
		t.Fatal(err)
	}
	before := w.rows()
	line := w.line(lineOf("waits", eldenTest, 1, noon).ID)
	records, err := w.store.KeyRecords(t.Context(), []pool.KeyID{w.forSale(eldenTest)[0].ID})
	w.must(err)
	for what, err := range map[string]error{
		"line":   w.store.WipeLine(t.Context(), stale, line, w.now),
		"key":    w.store.WipeKeys(t.Context(), stale, records, w.now),
		"upload": w.store.WipeUpload(t.Context(), stale, u, w.now),
	} {
		if !errors.Is(err, job.ErrFenced) {
			t.Errorf("a %s: %v", what, err)
		}
	}
	if !maps.Equal(before, w.rows()) {
		t.Error("rows have changed")
	}
}

func (w *world) order2(t *testing.T) {
	t.Helper()
	w.must(w.store.Commit(t.Context(), order.NewLine(lineOf("waits", eldenTest, 1, noon))))
}

// An index may show anything. What a wipe deletes is of its merchant's test side all the same.
func TestWipe_lyingIndex(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.sides()
	before := w.rows()
	w.later(time.Hour)
	liar := w.liar()
	w.worker.Test = inventory.TestSide{Rows: liar, Orders: w.store, Keys: liar, Uploads: liar, Reports: w.reports}
	w.finish(w.wipe().ID)
	w.wantLiveUntouched(before)
}

// liar shows all rows there are, of both sides and all merchants, as nova's test rows.
type (
	liar struct {
		rows []job.TestRow
		keys []pool.KeyID
	}
	lyingRows struct {
		*dynamo.Store
		liar
	}
)

func (l lyingRows) TestRows(context.Context, string, string, int) ([]job.TestRow, string, error) {
	return l.rows, "", nil
}

func (l lyingRows) TestKeys(context.Context, string, pool.KeyID, int) ([]pool.KeyID, error) {
	return l.keys, nil
}

func (l lyingRows) Uploads(ctx context.Context, merchant, before string, n int) ([]upload.Upload, error) {
	all, err := l.Store.Uploads(ctx, merchant, before, n)
	for i := range all {
		all[i].Side = pool.Test
	}
	return all, err
}

func (w *world) liar() lyingRows {
	w.Helper()
	var all liar
	for _, item := range dynamotest.Items(w.T, w.tables.Orders, "") {
		pk := fmt.Sprint(item["pk"])
		row := job.TestRow{Place: pk + "\n" + fmt.Sprint(item["sk"])}
		if id, is := strings.CutPrefix(pk, "order#"); is {
			row.Order = id
		}
		all.rows = append(all.rows, row)
	}
	for _, item := range dynamotest.Items(w.T, w.tables.Keys, "") {
		all.keys = append(all.keys, pool.KeyID(fmt.Sprint(item["pk"])))
	}
	return lyingRows{w.store, all}
}
