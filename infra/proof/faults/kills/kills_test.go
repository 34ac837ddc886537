//go:build deployment

package kills

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"keypool/infra/local/shop"
)

// The tests run one after the other: each kills processes that another needs.

// TestIngest_killedInARange kills the worker when it has stored 21 batches of a range
// and has not yet the answer to the last. Then the event of the bucket comes three
// times in parallel.
func TestIngest_killedInARange(t *testing.T) {
	m := newMerchant(t)
	const keys = 2000
	g := hold(t, "BatchExecuteStatement", "KEY-"+m.name, 20)
	file := m.drop(keys)
	g.kill("Ingest")

	head, err := s3.NewFromConfig(world.shop.AWS).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(world.shop.Bucket), Key: aws.String(file)})
	if err != nil {
		t.Fatal(err)
	}
	event := fmt.Sprintf(`{"Records":[{"eventSource":"aws:s3","s3":{"bucket":{"name":%q},"object":{"key":%q,"versionId":%q}}}]}`,
		world.shop.Bucket, file, aws.ToString(head.VersionId))
	var events sync.WaitGroup
	for range 3 {
		events.Go(func() { invoke(t, "Ingest", []byte(event)) })
	}
	events.Wait()
	m.loaded(file, keys)
	if _, err := world.shop.AwaitMail(t.Context(), timeout, m.notices, "2,000 keys added"); err != nil {
		t.Fatal(err)
	}
	audit(t)
	uploads := 0
	for _, item := range items(t, "CatalogTable") {
		if item["pk"] == "uploads#"+m.name {
			uploads++
		}
	}
	all, err := world.shop.Mails(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if reports := len(shop.To(all, m.notices, "keys added")); uploads != 1 || reports != 1 {
		t.Errorf("%d uploads and %d reports of one file, want 1 and 1", uploads, reports)
	}
	addResult(t, "ingest, in the middle of a range, then the bucket's event three times at once", "%d of %d keys, 1 upload, 1 report", keys, keys)
}

// TestClaim_killedBetweenItsTransactions kills webhook when the first transaction of
// 250 keys is done and no caller knows it, and then fill when it has done the next.
func TestClaim_killedBetweenItsTransactions(t *testing.T) {
	m := newMerchant(t)
	m.loaded(m.drop(260), 260)
	o := m.order(250)
	g := hold(t, "TransactWriteItems", o.Email, 0)
	var first sync.WaitGroup
	first.Go(func() {
		if reply, _, err := world.shop.Pay(t.Context(), m.Account, o); err == nil {
			t.Errorf("a function that was killed has answered: %+v", reply)
		}
	})
	g.kill("Webhook")
	first.Wait()

	g = hold(t, "TransactWriteItems", o.Email, 0)
	m.report(o) // the platform repeats, and fill is asked
	g.kill("Fill")
	m.fulfilled(o) // and again: the message that fill had comes back only after a minute
	m.mailSent(o)
	anHourLater(t)
	audit(t)
	m.mailed(o, 1, 250)
	live, _, err := world.shop.Stock(t.Context(), m.token, m.name)
	if err != nil || live.Available != 10 {
		t.Errorf("%d keys are left, want 10; %v", live.Available, err)
	}
	addResult(t, "webhook after the first transaction of 250 keys, fill after the second", "250 keys, none twice, 10 of 260 left, 1 mail")
}

// returning is in every transaction that takes keys from an order that is returned, and in
// none of its mail before.
const returning = `"returnedAll"`

// TestReturn_killedBetweenItsTransactions kills webhook when the first transaction of a
// return of 250 keys is done and no caller knows it, and again after the next, which its
// repeat made. The last repeats come three times at once.
func TestReturn_killedBetweenItsTransactions(t *testing.T) {
	m := newMerchant(t)
	m.loaded(m.drop(260), 260)
	o := m.order(250)
	m.fulfilled(o)
	m.mailDelivered(o)
	for range 2 {
		g := hold(t, "TransactWriteItems", returning, 0)
		var cut sync.WaitGroup
		cut.Go(func() {
			if err := m.send(refunded(o.ID, "R1")); err == nil {
				t.Error("a function that was killed has answered")
			}
		})
		g.kill("Webhook")
		cut.Wait()
		if state := m.line(o).State; state != "returned" {
			t.Errorf("the order is %s after the first transaction", state)
		}
	}
	var repeats sync.WaitGroup
	for range 3 {
		repeats.Go(func() { m.answered(refunded(o.ID, "R1")) })
	}
	repeats.Wait()
	anHourLater(t)
	audit(t)
	if line := m.line(o); line.State != "returned" || line.Allocated != 0 {
		t.Errorf("the line is %s and holds %d keys", line.State, line.Allocated)
	}
	m.mailed(o, 1, 250)
	live, _, err := world.shop.Stock(t.Context(), m.token, m.name)
	if err != nil || live.Available != 10 || live.Revoked != 250 {
		t.Errorf("%d keys are left and %d revoked, want 10 and 250; %v", live.Available, live.Revoked, err)
	}
	addResult(t, "webhook after the first transaction of a return of 250 keys, and after the second", "250 keys revoked, each once, 10 of 260 left, no second mail")
}

// TestReturn_killedAndNeverRepeated kills webhook as before, and the platform never
// repeats: the sweep takes the keys.
func TestReturn_killedAndNeverRepeated(t *testing.T) {
	m := newMerchant(t)
	m.loaded(m.drop(260), 260)
	o := m.order(250)
	m.fulfilled(o)
	m.mailDelivered(o)
	g := hold(t, "TransactWriteItems", returning, 0)
	var cut sync.WaitGroup
	cut.Go(func() { _ = m.send(refunded(o.ID, "R1")) })
	g.kill("Webhook")
	cut.Wait()
	anHourLater(t)
	audit(t)
	if line := m.line(o); line.State != "returned" || line.Allocated != 0 {
		t.Errorf("the line is %s and holds %d keys", line.State, line.Allocated)
	}
	live, _, err := world.shop.Stock(t.Context(), m.token, m.name)
	if err != nil || live.Available != 10 || live.Revoked != 250 {
		t.Errorf("%d keys are left and %d revoked, want 10 and 250; %v", live.Available, live.Revoked, err)
	}
	addResult(t, "the same, and the platform never repeats its refund", "the sweep takes the keys: 250 revoked, each once")
}

// TestDispute_killedBeforeItsLines kills webhook when a dispute is stored and no line of
// its order knows of it. Nothing is mailed meanwhile, the sweep holds the line, and the
// mail leaves when the dispute is won.
func TestDispute_killedBeforeItsLines(t *testing.T) {
	m := newMerchant(t)
	o := m.order(1)
	if state := m.report(o); state != "waiting" {
		t.Fatalf("an order without keys is %s", state)
	}
	g := hold(t, "PutItem", o.ID, 0)
	var cut sync.WaitGroup
	cut.Go(func() { _ = m.send(disputed(o.ID, "D1", "open")) })
	g.kill("Webhook")
	cut.Wait()
	m.loaded(m.drop(3), 3)
	anHourLater(t)
	if line := m.line(o); line.State != "on_hold" || !slices.Equal(line.Holds, []string{"dispute:D1"}) {
		t.Errorf("the line is %s, held for %v", line.State, line.Holds)
	}
	m.answered(disputed(o.ID, "D1", "won"))
	m.fulfilled(o)
	m.mailSent(o)
	m.answered(disputed(o.ID, "D1", "open"))
	audit(t)
	m.mailed(o, 1, 1)
	addResult(t, "webhook, when a dispute is stored and its order's line does not know of it", "the sweep holds the line; the dispute is won: 1 key, 1 mail")
}

// TestDrop_killedInTheMiddle kills the API when it has stored that a person drops the disputes
// of an order, and again when their line is released and no caller knows it. The last calls
// come three times at once.
func TestDrop_killedInTheMiddle(t *testing.T) {
	m := newMerchant(t)
	o := m.order(3)
	if state := m.report(o); state != "waiting" {
		t.Fatalf("an order without keys is %s", state)
	}
	m.answered(disputed(o.ID, "D1", "open"))
	m.answered(disputed(o.ID, "D2", "open"))
	m.loaded(m.drop(5), 5)
	const first = "the first to drop them"
	for _, cut := range []struct {
		call, holds, reason string
		states              []string
	}{
		{"PutItem", first, first, []string{"on_hold"}},
		{"TransactWriteItems", "dispute:D2: " + first, "the second", []string{"waiting", "fulfilled"}}, // a tick may fill it meanwhile
	} {
		g := hold(t, cut.call, cut.holds, 0)
		var killed sync.WaitGroup
		killed.Go(func() {
			if err := m.dropDisputes(o, cut.reason); err == nil {
				t.Error("a function that was killed has answered")
			}
		})
		g.kill("Api")
		killed.Wait()
		if line := m.line(o); !slices.Contains(cut.states, line.State) {
			t.Errorf("the line is %s, held for %v, want %q", line.State, line.Holds, cut.states)
		}
	}
	var repeats sync.WaitGroup
	for i := range 3 {
		repeats.Go(func() { m.disputesDropped(o, fmt.Sprint("again ", i)) })
	}
	repeats.Wait()
	anHourLater(t)
	m.mailSent(o)
	m.answered(disputed(o.ID, "D1", "open")) // the platform repeats what it told before
	m.disputesDropped(o, "once more")
	anHourLater(t)
	audit(t)
	if line := m.line(o); line.State != "fulfilled" || line.Allocated != 3 {
		t.Errorf("the line is %s, held for %v, with %d keys", line.State, line.Holds, line.Allocated)
	}
	m.mailed(o, 1, 3)
	if why, want := m.releases(o), []string{"dispute:D1: " + first, "dispute:D2: " + first}; !slices.Equal(why, want) {
		t.Errorf("the history tells of the releases %q, want %q", why, want)
	}
	addResult(t, "the API, when it has stored that two disputes are dropped, and after their line was released", "3 keys, 1 mail, and the history tells once of each, with the first reason")
}

// TestDrop_killedAndNeverRepeated kills the API when it has stored that a dispute is dropped,
// and nobody calls it again: the sweep releases the line.
func TestDrop_killedAndNeverRepeated(t *testing.T) {
	m := newMerchant(t)
	m.loaded(m.drop(5), 5)
	o := m.order(2)
	m.answered(disputed(o.ID, "D1", "open"))
	if state := m.report(o); state != "on_hold" {
		t.Fatalf("an order in dispute is %s", state)
	}
	g := hold(t, "PutItem", "nobody calls again", 0)
	var killed sync.WaitGroup
	killed.Go(func() { _ = m.dropDisputes(o, "nobody calls again") })
	g.kill("Api")
	killed.Wait()
	anHourLater(t)
	m.mailSent(o)
	audit(t)
	m.mailed(o, 1, 2)
	if why := m.releases(o); !slices.Equal(why, []string{"dispute:D1: nobody calls again"}) {
		t.Errorf("the history tells of the releases %q", why)
	}
	addResult(t, "the same, and nobody calls again", "the sweep releases the line: 2 keys, 1 mail")
}

// TestWebhook_twentyTimesAtOnce reports one order twenty times in parallel.
func TestWebhook_twentyTimesAtOnce(t *testing.T) {
	m := newMerchant(t)
	m.loaded(m.drop(30), 30)
	o := m.order(3)
	var reports sync.WaitGroup
	for range 20 {
		reports.Go(func() {
			reply, _, err := world.shop.Pay(t.Context(), m.Account, o)
			var refused *shop.Refusal
			switch {
			case errors.As(err, &refused) && refused.Status == 503: // send it again
			case err != nil:
				t.Error(err)
			case reply.Lines[0].Allocated != 3:
				t.Errorf("answered: %+v", reply)
			}
		})
	}
	reports.Wait()
	m.fulfilled(o)
	m.mailSent(o)
	anHourLater(t)
	audit(t)
	m.mailed(o, 1, 3)
	live, _, err := world.shop.Stock(t.Context(), m.token, m.name)
	if err != nil || live.Available != 27 {
		t.Errorf("%d keys are left, want 27; %v", live.Available, err)
	}
	addResult(t, "one order, reported 20 times at once", "3 keys, 27 of 30 left, 1 mail")
}

// TestDeliver_killedBeforeItsMark kills deliver when SES has accepted the mail and
// the table does not say so yet. SES's event then says so, and no second mail is
// sent.
func TestDeliver_killedBeforeItsMark(t *testing.T) {
	m := newMerchant(t)
	m.loaded(m.drop(5), 5)
	o := m.order(1)
	g := hold(t, "outbound-emails", o.Email, 0)
	m.fulfilled(o)
	g.kill("Deliver")
	m.mailSent(o)
	anHourLater(t)
	audit(t)
	m.mailed(o, 1, 1)
	addResult(t, "deliver, between SES's answer and its mark", "SES's event tells what the function could not: 1 mail")
}

// TestDeliver_killedBeforeItsMark_andNobodyTells is the documented gap: SES's event
// is lost too. The lease ends, the mail is sent again, and the history records it.
func TestDeliver_killedBeforeItsMark_andNobodyTells(t *testing.T) {
	m := newMerchant(t)
	m.loaded(m.drop(5), 5)
	o := m.order(1)
	silent := filepath.Join(world.machine.Home, "gates", "silent")
	if err := os.WriteFile(silent, []byte(o.Email), 0o600); err != nil {
		t.Fatal(err)
	}
	g := hold(t, "outbound-emails", o.Email, 0)
	m.fulfilled(o)
	g.kill("Deliver")
	anHourLater(t)
	m.mailSent(o)
	audit(t)
	m.mailed(o, 2, 1)
	uncertain := 0
	for _, item := range items(t, "OrdersTable") {
		if strings.HasPrefix(item["sk"].(string), "history#") && item["what"] == "mail-uncertain" {
			uncertain++
		}
	}
	if uncertain != 1 {
		t.Errorf("the histories tell of %d mails that nobody knows of, want 1", uncertain)
	}
	if err := os.Remove(silent); err != nil {
		t.Fatal(err)
	}
	addResult(t, "the same, and SES's event is lost", "the lease ends, a second mail with the same key, recorded in the order's history: 2 mails")
}

// TestWithdraw_killedBetweenItsTransactions kills the job that withdraws an upload when the
// fourth transaction is done and no caller knows it. Then its message comes three times in
// parallel.
func TestWithdraw_killedBetweenItsTransactions(t *testing.T) {
	m := newMerchant(t)
	const keys, sold = 300, 5
	file := m.drop(keys)
	m.loaded(file, keys)
	o := m.order(sold)
	m.fulfilled(o)
	u, err := world.shop.AwaitUpload(t.Context(), timeout, m.token, filepath.Base(file), "finished")
	if err != nil {
		t.Fatal(err)
	}
	var j struct {
		ID, State string
		Keys      int
	}
	g := hold(t, "TransactWriteItems", `{"S":"withdrawn"}`, 3)
	if err := world.shop.Ask(t.Context(), m.token, http.MethodPost, "/v1/uploads/"+u.ID+"/withdraw", map[string]any{"reason": "the wrong file"}, &j); err != nil {
		t.Fatal(err)
	}
	g.kill("Job")
	m.resume(j.ID)
	live, _, err := world.shop.Stock(t.Context(), m.token, m.name)
	if err != nil || live.Available != 0 {
		t.Errorf("%d keys are for sale after the first look; %v", live.Available, err)
	}
	m.jobDone(j.ID, &j)
	audit(t)
	withdrawn := 0
	for _, item := range items(t, "KeysTable") {
		if item["state"] == "withdrawn" && item["withdrawnBy"] == j.ID {
			withdrawn++
		}
	}
	if j.Keys != keys-sold || withdrawn != keys-sold {
		t.Errorf("the job counts %d keys and withdrew %d, want %d", j.Keys, withdrawn, keys-sold)
	}
	m.mailed(o, 1, sold)
	addResult(t, "the job that withdraws an upload of which 5 of 300 keys are sold, after its fourth transaction, then its message three times at once", "%d keys withdrawn and counted, each once; 5 stay sold", withdrawn)
}

// resume has the message of a job come three times in parallel.
func (m *merchant) resume(id string) {
	m.t.Helper()
	body, err := json.Marshal(map[string]any{"v": 1, "merchant": m.name, "job": id})
	if err != nil {
		m.t.Fatal(err)
	}
	event := fmt.Appendf(nil, `{"Records":[{"messageId":"1","receiptHandle":"1","eventSource":"aws:sqs","body":%q}]}`, body)
	var messages sync.WaitGroup
	for range 3 {
		messages.Go(func() { invoke(m.t, "Job", event) })
	}
	messages.Wait()
}

// jobDone waits for the end of a job, and reads what the API says of it into out.
func (m *merchant) jobDone(id string, out any) {
	m.t.Helper()
	err := shop.Await(m.t.Context(), 2*timeout, "the job's end", func() (bool, error) {
		var now struct{ State string }
		err := world.shop.Ask(m.t.Context(), m.token, http.MethodGet, "/v1/jobs/"+id, nil, &now)
		return now.State == "done", err
	})
	if err == nil {
		err = world.shop.Ask(m.t.Context(), m.token, http.MethodGet, "/v1/jobs/"+id, nil, out)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// TestMove_killedBetweenItsTransactions kills the job that moves keys to another pool when the
// fourth transaction is done and no caller knows it. Then its message comes three times in
// parallel.
func TestMove_killedBetweenItsTransactions(t *testing.T) {
	m := newMerchant(t)
	const keys, sold = 300, 5
	m.loaded(m.drop(keys), keys)
	o := m.order(sold)
	m.fulfilled(o)
	never := 0
	if err := world.shop.AddPool(t.Context(), m.token, "other", &never); err != nil {
		t.Fatal(err)
	}
	var j struct {
		ID   string
		Keys int
	}
	g := hold(t, "TransactWriteItems", `#moved#`, 3)
	if err := world.shop.Ask(t.Context(), m.token, http.MethodPost, "/v1/pools/"+m.name+"/move", map[string]any{"to": "other"}, &j); err != nil {
		t.Fatal(err)
	}
	g.kill("Job")
	m.resume(j.ID)
	m.jobDone(j.ID, &j)
	audit(t)
	for name, want := range map[string]int{m.name: 0, "other": keys - sold} {
		live, _, err := world.shop.Stock(t.Context(), m.token, name)
		if err != nil || live.Available != want {
			t.Errorf("%d keys of %s are for sale, want %d; %v", live.Available, name, want, err)
		}
	}
	moved := 0
	for _, item := range items(t, "KeysTable") {
		if strings.HasPrefix(item["pk"].(string), m.name+"#") && item["pool"] == "other" {
			moved++
		}
	}
	if j.Keys != keys-sold || moved != keys-sold {
		t.Errorf("the job counts %d keys and moved %d, want %d", j.Keys, moved, keys-sold)
	}
	m.mailed(o, 1, sold)
	addResult(t, "the job that moves a pool of which 5 of 300 keys are sold, after its fourth transaction, then its message three times at once", "%d keys moved and counted, each once; 5 stay sold", moved)
}

// TestMachine_restartedUnderLoad stops the whole machine with its functions while
// orders come in, and starts it with its stored data.
func TestMachine_restartedUnderLoad(t *testing.T) {
	m := newMerchant(t)
	m.loaded(m.drop(60), 60)
	orders := make([]shop.Order, 30)
	begun := make(chan struct{}, len(orders))
	var reports sync.WaitGroup
	next := make(chan shop.Order)
	for range 6 {
		reports.Go(func() {
			for o := range next {
				begun <- struct{}{}
				_, _, _ = world.shop.Pay(t.Context(), m.Account, o) // what is cut off is repeated below
			}
		})
	}
	go func() {
		for i := range orders {
			orders[i] = m.order(1 + i%2)
			next <- orders[i]
		}
		close(next)
	}()
	for range len(orders) / 2 {
		<-begun
	}
	if err := world.machine.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	reports.Wait()
	if err := world.machine.Start(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	for _, o := range orders {
		m.fulfilled(o)
	}
	anHourLater(t)
	keys := 0
	for _, o := range orders {
		m.mailSent(o)
		keys += o.Lines[0].Quantity
	}
	audit(t)
	all, err := world.shop.Mails(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mails := 0
	for _, o := range orders {
		n := len(shop.To(all, o.Email))
		if n == 0 {
			t.Errorf("an order was never mailed")
		}
		mails += n
	}
	live, _, err := world.shop.Stock(t.Context(), m.token, m.name)
	if err != nil || live.Available != 60-keys {
		t.Errorf("%d keys are left, want %d; %v", live.Available, 60-keys, err)
	}
	addResult(t, "the whole machine by SIGTERM, in the middle of 30 orders, and started again with what it kept",
		"%d orders, %d keys, none twice, none lost, %d mails", len(orders), keys, mails)
}

// TestMachine_killed checks what the one machine promises of a crash: it starts empty
// rather than with half of its data. It runs last, because nothing is left.
func TestMachine_killed(t *testing.T) {
	functions, err := world.machine.Functions()
	if err != nil {
		t.Fatal(err)
	}
	notes, err := os.ReadFile(filepath.Join(world.machine.Home, "machine.json"))
	var emulator struct{ PID int }
	if err = errors.Join(err, json.Unmarshal(notes, &emulator)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(emulator.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, f := range functions {
		syscall.Kill(f.PID, syscall.SIGKILL)
	}
	if err := shop.Await(t.Context(), time.Minute, "its end", func() (bool, error) { return !world.machine.Running(), nil }); err != nil {
		t.Fatal(err)
	}
	// The killed processes may hold the port for a moment.
	err = shop.Await(t.Context(), time.Minute, "its start", func() (bool, error) {
		err := world.machine.Start(t.Context(), 0)
		return err == nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := dynamodb.NewFromConfig(world.shop.AWS).ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err != nil || len(tables.TableNames) > 0 {
		t.Errorf("tables after a crash: %v, %v; want none", tables.TableNames, err)
	}
	addResult(t, "the emulator by SIGKILL", "it starts empty, all or nothing: a crash of the one machine loses what it held, as its page says; on AWS nothing is kept in one process")
}
