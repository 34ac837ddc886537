package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/lifecycle"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/sweep"
	"keypool/shared/upload"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// yard is a store and a sweeper at work on it.
type yard struct {
	t       *testing.T
	store   *dynamo.Store
	tables  dynamo.Tables
	sweeper *sweep.Sweeper
	fill    *outgoing
	ranges  *outgoing
	now     time.Time
}

// outgoing is what was sent to a queue, or why nothing can be.
type outgoing struct {
	mu   sync.Mutex
	sent []any
	err  error
}

func (o *outgoing) Send(_ context.Context, message any, _ time.Duration) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.sent = append(o.sent, message)
	}
	return o.err
}

func open(t *testing.T, options ...dynamotest.Option) *yard {
	t.Helper()
	store, tables := dynamotest.Open(t, options...)
	y := &yard{t: t, store: store, tables: tables, fill: new(outgoing), ranges: new(outgoing), now: noon}
	y.sweeper = &sweep.Sweeper{
		Store: store, Catalog: store, Fill: y.fill, Ranges: y.ranges,
		Orders:         &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Settings: store, Fill: y.fill, By: "webhook", Now: func() time.Time { return y.now }},
		DelayMailAfter: 5 * time.Minute,
		Now:            func() time.Time { return y.now },
	}
	return y
}

// sweep sweeps at a time after noon and returns what was done.
func (y *yard) sweep(after time.Duration) sweep.Swept {
	y.t.Helper()
	y.now = noon.Add(after)
	swept, err := y.sweeper.Sweep(y.t.Context(), y.now.Add(time.Minute))
	if err != nil {
		y.t.Errorf("sweep at %s: %v", y.now.Format(time.TimeOnly), err)
	}
	return swept
}

// line stores a line as change makes it of one that waits for a key since noon.
func (y *yard) line(name string, change func(*order.Fulfillment)) order.LineID {
	y.t.Helper()
	f := order.Fulfillment{
		ID: order.Identity{Merchant: "nova", Side: pool.Live, Origin: "shop", Order: name, Line: "1"}.ID(), Version: 1,
		Merchant: "nova", Side: pool.Live, Account: "shop", Origin: "shop", Order: name, Line: "1", Product: "game", Pool: "elden",
		Quantity: 1, Wanted: 1, ReceivedAt: noon,
		Customer: order.Customer{Email: "ada@example.com"},
		Mail:     outbox.Entry{DueAt: noon.Add(outbox.SweepAfter)},
	}
	change(&f)
	if err := y.store.Commit(y.t.Context(), order.Change{After: f}); err != nil {
		y.t.Fatal(err)
	}
	return f.ID
}

func waiting(*order.Fulfillment) {}

// mailed makes a line that holds its key, with that outbox entry.
func mailed(e outbox.Entry) func(*order.Fulfillment) {
	return func(f *order.Fulfillment) {
		f.Allocated = 1
		f.Keys = []pool.Key{{ID: "nova#live#k", Text: pool.Conceal("K")}}
		f.Mail = e
	}
}

func (y *yard) stored(id order.LineID) order.Fulfillment {
	y.t.Helper()
	f, ok, err := y.store.Fulfillment(y.t.Context(), id)
	if err != nil || !ok {
		y.t.Fatalf("line %s: %v, %v", id, ok, err)
	}
	return f
}

func (y *yard) wantMail(id order.LineID, want outbox.Entry) {
	y.t.Helper()
	if diff := cmp.Diff(want, y.stored(id).Mail); diff != "" {
		y.t.Errorf("at %s, the outbox entry (-want +got):\n%s", y.now.Format(time.TimeOnly), diff)
	}
}

func TestSweep_mailsThatStoppedHalfway(t *testing.T) {
	t.Parallel()
	due := noon.Add(5 * time.Minute)
	for name, c := range map[string]struct{ before, after outbox.Entry }{
		"the stream lost it": {
			before: outbox.Entry{State: outbox.Due, Kind: outbox.Keys, Number: 1, DueAt: due},
			after:  outbox.Entry{State: outbox.Due, Kind: outbox.Keys, Number: 1, DueAt: due.Add(5 * time.Minute)},
		},
		"rescheduled until now": {
			before: outbox.Entry{State: outbox.Due, Kind: outbox.Keys, Number: 1, Tries: 2, TryAt: due, DueAt: due, Code: "Throttling"},
			after:  outbox.Entry{State: outbox.Due, Kind: outbox.Keys, Number: 1, Tries: 2, DueAt: due.Add(20 * time.Minute), Code: "Throttling"},
		},
		"rescheduled often": {
			before: outbox.Entry{State: outbox.Due, Kind: outbox.Keys, Number: 1, Tries: 40, TryAt: due, DueAt: due},
			after:  outbox.Entry{State: outbox.Due, Kind: outbox.Keys, Number: 1, Tries: 40, DueAt: due.Add(time.Hour)},
		},
		"its mailer died": {
			before: outbox.Entry{State: outbox.Sending, Kind: outbox.Keys, Number: 1, LeaseEndsAt: due, DueAt: due},
			after:  outbox.Entry{State: outbox.Due, Kind: outbox.Keys, Number: 1, LeaseEndsAt: due, DueAt: due.Add(5 * time.Minute)},
		},
		"its mailer is at work": {
			before: outbox.Entry{State: outbox.Sending, Kind: outbox.Keys, Number: 1, LeaseEndsAt: due.Add(time.Minute), DueAt: due},
			after:  outbox.Entry{State: outbox.Sending, Kind: outbox.Keys, Number: 1, LeaseEndsAt: due.Add(time.Minute), DueAt: due.Add(time.Minute)},
		},
		"nothing is left to do": {
			before: outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 1, MessageID: "m", DueAt: due},
			after:  outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 1, MessageID: "m"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := open(t)
			id := y.line("1", mailed(c.before))
			n := notice.New("nova", notice.LowStock, "x", notice.Facts{}, noon)
			n.Mail = c.before
			n.Mail.Kind = outbox.Notice
			if err := y.store.RaiseNotice(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			y.sweep(5*time.Minute - time.Millisecond)
			y.wantMail(id, c.before)

			y.sweep(5 * time.Minute)
			y.wantMail(id, c.after)
			if got := y.stored(id).Version; got != 2 {
				t.Errorf("version %d, want 2: it has to come out of the stream again", got)
			}
			if got := y.stored(id).Keys; len(got) != 1 || got[0].Text.Reveal() != "K" {
				t.Error("the line's keys are touched")
			}
			want := c.after
			want.Kind = outbox.Notice
			got, ok, err := y.store.Notice(t.Context(), n.ID)
			if diff := cmp.Diff(want, got.Mail); diff != "" || !ok || err != nil {
				t.Errorf("the notice's entry: %v %v (-want +got):\n%s", ok, err, diff)
			}
		})
	}
}

func TestSweep_asksOncePerQueue(t *testing.T) {
	t.Parallel()
	y := open(t)
	for i := range 12 {
		y.line(fmt.Sprint("a", i), waiting)
	}
	y.line("b", func(f *order.Fulfillment) { f.Side = pool.Test })
	y.line("c", func(f *order.Fulfillment) { f.Pool = "ring" })
	y.line("d", func(f *order.Fulfillment) { f.Pool, f.Wanted, f.Product = "", 0, "unheard-of" })
	y.line("held", func(f *order.Fulfillment) { f.Hold(order.HoldByHand) })
	if got, want := y.sweep(5*time.Minute).Waiting, 15; got != want {
		t.Errorf("%d waiting lines were looked at, want %d", got, want)
	}
	var got []string
	for _, message := range y.fill.sent {
		got = append(got, fmt.Sprintf("%+v", message))
	}
	var want []string
	for _, request := range []order.FillRequest{
		order.FillPool(pool.ID{Merchant: "nova", Pool: "elden", Side: pool.Live}),
		order.FillPool(pool.ID{Merchant: "nova", Pool: "elden", Side: pool.Test}),
		order.FillPool(pool.ID{Merchant: "nova", Pool: "ring", Side: pool.Live}),
		order.FillProduct("nova", pool.Live, "unheard-of"),
	} {
		want = append(want, fmt.Sprintf("%+v", request))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestSweep_looksLessAndLessOften follows a line that nobody fills for a day.
func TestSweep_looksLessAndLessOften(t *testing.T) {
	t.Parallel()
	y := open(t)
	id := y.line("1", func(f *order.Fulfillment) {
		f.Mail = outbox.Entry{State: outbox.Sent, Kind: outbox.Delay, Number: 1, DueAt: noon.Add(outbox.SweepAfter)}
	})
	var looks []time.Duration
	for range 8 {
		dueAt := y.stored(id).Mail.DueAt
		looks = append(looks, dueAt.Sub(noon))
		y.sweep(dueAt.Sub(noon))
	}
	const m = time.Minute
	if diff := cmp.Diff([]time.Duration{5 * m, 10 * m, 20 * m, 40 * m, 80 * m, 140 * m, 200 * m, 260 * m}, looks); diff != "" {
		t.Errorf("looked at after (-want +got):\n%s", diff)
	}
	if len(y.fill.sent) != 8 {
		t.Errorf("fill was asked %d times in 8 looks", len(y.fill.sent))
	}
}

func TestSweep_oneDelayMail(t *testing.T) {
	t.Parallel()
	y := open(t)
	y.sweeper.DelayMailAfter = 7 * time.Minute
	if err := y.store.PutProduct(t.Context(), catalog.Product{Merchant: "nova", ID: "described"}); err != nil {
		t.Fatal(err)
	}
	if err := y.store.PutProduct(t.Context(), catalog.Product{Merchant: "nova", ID: "ignored", Ignored: true}); err != nil {
		t.Fatal(err)
	}
	unconnected := func(product string) func(*order.Fulfillment) {
		return func(f *order.Fulfillment) { f.Pool, f.Wanted, f.Product = "", 0, product }
	}
	told := []order.LineID{y.line("waits", waiting), y.line("described", unconnected("described"))}
	not := []order.LineID{y.line("t-shirt", unconnected("t-shirt")), y.line("ignored", unconnected("ignored")), y.line("held", func(f *order.Fulfillment) { f.Hold(order.HoldByHand) })}

	y.sweep(5 * time.Minute)
	y.wantMail(told[0], outbox.Entry{DueAt: noon.Add(7 * time.Minute)}) // not a moment later than promised
	if swept := y.sweep(7 * time.Minute); swept.Told != 2 {
		t.Errorf("%d customers were told, want 2", swept.Told)
	}
	for _, id := range told {
		y.wantMail(id, outbox.Entry{State: outbox.Due, Kind: outbox.Delay, Number: 1, DueAt: noon.Add(12 * time.Minute)})
	}
	if swept := y.sweep(12 * time.Minute); swept.Told != 0 || swept.Mails != 2 {
		t.Errorf("the mail that is still due: %+v; want it driven again, and nobody told anew", swept)
	}
	for _, id := range not {
		if mail := y.stored(id).Mail; mail.State != outbox.None {
			t.Errorf("line %s gets a delay mail: %+v", y.stored(id).Order, mail)
		}
	}
}

func TestSweep_noDelayMailAfterZero(t *testing.T) {
	t.Parallel()
	y := open(t)
	y.sweeper.DelayMailAfter = 0
	id := y.line("1", waiting)
	y.sweep(24 * time.Hour)
	if mail := y.stored(id).Mail; mail.State != outbox.None {
		t.Errorf("told: %+v", mail)
	}
}

func TestSweep_uploads(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const day = 24 * time.Hour
	due := noon.Add(20 * time.Minute)
	for name, c := range map[string]struct {
		upload upload.Upload
		pool   bool // it exists by now
		at     time.Duration
		start  bool
		remind bool
		dueAt  time.Time
	}{
		"without progress": {
			upload: upload.Upload{State: upload.Loading, Ranges: 3, Done: 1, DueAt: due},
			at:     20 * time.Minute, start: true, dueAt: due.Add(20 * time.Minute),
		},
		"parked": {
			upload: upload.Upload{State: upload.Parked, Cause: upload.UnknownPool, DueAt: due},
			at:     20 * time.Minute, dueAt: due.Add(time.Hour),
		},
		"parked, and its pool is there": {
			upload: upload.Upload{State: upload.Parked, Cause: upload.UnknownPool, DueAt: due},
			pool:   true, at: 20 * time.Minute, start: true, dueAt: due.Add(20 * time.Minute),
		},
		"parked for days": {
			upload: upload.Upload{State: upload.Parked, Cause: upload.UnknownPool, DueAt: noon.Add(3 * day)},
			at:     3 * day, remind: true, dueAt: noon.Add(3*day + time.Hour),
		},
		"confirmed, and its message is lost": {
			upload: upload.Upload{State: upload.Confirmed, ConfirmedAt: noon, DueAt: due},
			at:     20 * time.Minute, start: true, dueAt: due.Add(20 * time.Minute),
		},
		"held": { // it waits for its merchant, and is not stuck
			upload: upload.Upload{State: upload.NeedsConfirmation, Cause: upload.Unclear},
			at:     20 * time.Minute,
		},
		"held for days": {
			upload: upload.Upload{State: upload.NeedsConfirmation, Cause: upload.Unclear, DueAt: noon.Add(3 * day)},
			at:     3 * day, remind: true,
		},
		"beyond the day's limit": {
			upload: upload.Upload{State: upload.Parked, Cause: upload.OverLimit, Size: 3 << 30, DueAt: due},
			at:     20 * time.Minute, dueAt: due.Add(time.Hour),
		},
		"beyond the day's limit, and there is room": {
			upload: upload.Upload{State: upload.Parked, Cause: upload.OverLimit, Size: 1, DueAt: due},
			at:     20 * time.Minute, start: true, dueAt: due.Add(20 * time.Minute),
		},
		"refused days ago": {
			upload: upload.Upload{State: upload.Finished, Cause: upload.Binary, FinishedAt: noon, DueAt: noon.Add(3 * day)},
			at:     3 * day, remind: true,
		},
		"refused after weeks of waiting, and deleted": {
			upload: upload.Upload{State: upload.Finished, Cause: upload.Binary, FinishedAt: noon.Add(28 * day), DueAt: noon.Add(31 * day)},
			at:     31 * day,
		},
		"finished": {
			upload: upload.Upload{State: upload.Finished, FinishedAt: noon, DueAt: due},
			at:     20 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := open(t)
			u := c.upload
			u.Merchant, u.ID, u.Pool, u.Side, u.File, u.ReceivedAt = "nova", "u1", "elden", pool.Live, "keys.txt", noon
			if _, err := y.store.MoveUpload(ctx, "", u, nil); err != nil {
				t.Fatal(err)
			}
			if c.pool {
				if err := y.store.PutPool(ctx, catalog.Pool{Merchant: "nova", Name: "elden", Shards: 4}); err != nil {
					t.Fatal(err)
				}
			}
			y.sweep(c.at)
			if c.remind {
				y.sweep(c.at + day) // and not again
			}
			var want []any
			if c.start {
				want = []any{upload.Resume("nova", "u1")}
			}
			if diff := cmp.Diff(want, y.ranges.sent); diff != "" {
				t.Errorf("asked of ingest (-want +got):\n%s", diff)
			}
			got, _, err := y.store.Upload(ctx, "nova", "u1")
			wantDue := c.dueAt
			if c.remind && !wantDue.IsZero() {
				wantDue = wantDue.Add(day)
			}
			if err != nil || !got.DueAt.Equal(wantDue) {
				t.Errorf("due at %s, %v; want %s", got.DueAt, err, wantDue)
			}
			told := notice.Gather("nova", notice.UploadReminder, notice.Uploaded(u), noon.Add(c.at))
			reminder, reminded, err := y.store.Notice(ctx, told.ID)
			if err != nil || reminded != c.remind || !cmp.Equal(reminder.Facts, told.Facts) && reminded {
				t.Errorf("reminder %+v, %v, want it reminded: %v", reminder, err, c.remind)
			}
			if _, again, _ := y.store.Notice(ctx, notice.Gather("nova", notice.UploadReminder, notice.Facts{}, noon.Add(c.at+day)).ID); again {
				t.Error("reminded a second time")
			}
		})
	}
}

func TestSweep_twoAtOnce(t *testing.T) {
	t.Parallel()
	y := open(t)
	var ids []order.LineID
	for i := range 20 {
		ids = append(ids, y.line(fmt.Sprint(i), waiting))
	}
	y.now = noon.Add(5 * time.Minute)
	var sweeps sync.WaitGroup
	for range 3 {
		sweeps.Go(func() {
			if _, err := y.sweeper.Sweep(t.Context(), y.now.Add(time.Minute)); err != nil {
				t.Error(err)
			}
		})
	}
	sweeps.Wait()
	for _, id := range ids {
		if f := y.stored(id); f.Version != 2 || f.Mail.Number != 1 {
			t.Errorf("line %s: version %d, mail %d; want one change and one mail", f.Order, f.Version, f.Mail.Number)
		}
	}
}

// TestSweep_oneBrokenItemStopsNoOther puts an item in the way that a later
// version wrote, and a queue that takes nothing.
func TestSweep_oneBrokenItemStopsNoOther(t *testing.T) {
	t.Parallel()
	y := open(t)
	broken := y.line("broken", mailed(outbox.Entry{State: outbox.Due, Number: 1, DueAt: noon}))
	set(t, y.tables.Orders, broken, "v", &types.AttributeValueMemberN{Value: "99"})
	fine := y.line("fine", mailed(outbox.Entry{State: outbox.Due, Number: 1, DueAt: noon}))
	waits := y.line("waits", waiting)
	y.fill.err = errors.New("the queue is gone")

	y.now = noon.Add(5 * time.Minute)
	_, err := y.sweeper.Sweep(t.Context(), y.now.Add(time.Minute))
	if err == nil || !strings.Contains(err.Error(), string(broken)) || !strings.Contains(err.Error(), "the queue is gone") {
		t.Errorf("the error does not tell of both: %v", err)
	}
	if strings.Contains(fmt.Sprint(err), "ada@example.com") {
		t.Errorf("the error shows a customer's address: %v", err)
	}
	if got := y.stored(fine).Version; got != 2 {
		t.Errorf("the line beside it: version %d, want 2", got)
	}
	if got := y.stored(waits); got.Version != 1 {
		t.Error("the line whose queue could not be asked for is rescheduled")
	}
	y.fill.err = nil
	y.now = y.now.Add(time.Minute)
	y.sweeper.Sweep(t.Context(), y.now.Add(time.Minute)) // still tells of the broken one
	if len(y.fill.sent) != 1 {
		t.Errorf("fill was asked %d times once its queue was back, want once", len(y.fill.sent))
	}
}

func TestSweep_staleIndexDoesNothingTwice(t *testing.T) {
	t.Parallel()
	faults := dynamotest.NewFaults(t, 1)
	y := open(t, faults.Option)
	id := y.line("1", mailed(outbox.Entry{State: outbox.Due, Kind: outbox.Keys, Number: 1, DueAt: noon}))
	faults.Freeze(y.tables, y.tables.Orders, "due")
	y.sweep(time.Minute)
	y.sweep(2 * time.Minute)
	if got := y.stored(id).Version; got != 2 {
		t.Errorf("version %d, want 2: the index still shows the line, but it is not due", got)
	}
}

func TestSweep_lostAnswerIsHarmless(t *testing.T) {
	t.Parallel()
	faults := dynamotest.NewFaults(t, 1)
	y := open(t, faults.Option)
	id := y.line("1", waiting)
	faults.Next("UpdateItem", 1, dynamotest.LostAnswer)
	y.sweep(5 * time.Minute)
	if f := y.stored(id); f.Version != 2 || f.Mail.Number != 1 {
		t.Errorf("version %d, mail %d; want one change and one mail", f.Version, f.Mail.Number)
	}
}

func TestSweep_endsInTime(t *testing.T) {
	t.Parallel()
	y := open(t)
	id := y.line("1", waiting)
	y.now = noon.Add(time.Hour)
	if _, err := y.sweeper.Sweep(t.Context(), y.now); err != nil {
		t.Fatal(err)
	}
	if got := y.stored(id).Version; got != 1 {
		t.Error("swept after its time")
	}
}

// set changes an attribute of a line behind the store's back.
func set(t *testing.T, table string, id order.LineID, name string, value types.AttributeValue) {
	t.Helper()
	_, err := dynamotest.Client(t).UpdateItem(context.Background(), &dynamodb.UpdateItemInput{
		TableName: aws.String(table),
		Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "order#" + id.OrderHalf()},
			"sk": &types.AttributeValueMemberS{Value: "line#" + id.LineHalf()},
		},
		UpdateExpression:          aws.String("SET #name = :value"),
		ExpressionAttributeNames:  map[string]string{"#name": name},
		ExpressionAttributeValues: map[string]types.AttributeValue{":value": value},
	})
	if err != nil {
		t.Fatal(err)
	}
}
