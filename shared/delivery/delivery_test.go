package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/delivery"
	"keypool/shared/dynamo"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/review"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// fakeSES is the only thing in these tests that is not real.
type fakeSES struct {
	mu     sync.Mutex
	mails  []mail.Message
	answer func(mail.Message) (string, error) // nil: every mail is taken
}

func (f *fakeSES) Send(_ context.Context, m mail.Message) (string, error) {
	f.mu.Lock()
	f.mails = append(f.mails, m)
	name, answer := fmt.Sprintf("ses-%d", len(f.mails)), f.answer
	f.mu.Unlock()
	if answer != nil {
		return answer(m)
	}
	return name, nil
}

// sent returns the mails that were sent, each by its number and subject.
func (f *fakeSES) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, m := range f.mails {
		all = append(all, m.Tags["mail"]+" "+m.To.Address+": "+m.Subject)
	}
	slices.Sort(all)
	return all
}

func refuses(fault mail.Fault, code string) func(mail.Message) (string, error) {
	return func(mail.Message) (string, error) { return "", &mail.SendError{Fault: fault, Code: code} }
}

// scene is one test's tables, mailer and clock.
type scene struct {
	t      *testing.T
	store  *dynamo.Store
	tables dynamo.Tables
	ses    *fakeSES
	mailer *delivery.Mailer
	now    time.Time
}

func newScene(t *testing.T, options ...dynamotest.Option) *scene {
	t.Helper()
	t.Parallel()
	s := &scene{t: t, ses: &fakeSES{}, now: noon}
	s.store, s.tables = dynamotest.Open(t, options...)
	s.mailer = s.newMailer()
	merchant := catalog.Merchant{Name: "nova", Title: "Nova Software", NoticeAddress: "ops@nova.example", Languages: []string{"en"}}
	if err := s.store.PutMerchant(t.Context(), merchant); err != nil {
		t.Fatal(err)
	}
	product := catalog.Product{Merchant: "nova", ID: "111111", Title: "Elden", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}
	if err := s.store.PutProduct(t.Context(), product); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scene) newMailer() *delivery.Mailer {
	clock := func() time.Time { return s.now }
	return &delivery.Mailer{
		Lines: s.store.LineMails(), Notices: s.store.NoticeMails(), Orders: s.store, History: s.store, Settings: catalog.NewCached(s.store, clock), Texts: catalog.NewCachedTexts(s.store, clock), Uploads: s.store, Tokens: s.store, Counts: s.store,
		Held: s.store, Sales: &review.Sales{Store: s.store, Brakes: s.store, Notices: s.store, Now: clock}, PublicURL: "https://api.keypool.example",
		MailSender: s.ses, Sender: netmail.Address{Address: "keys@keypool.example"}, Operator: "operator@keypool.example", Now: clock,
	}
}

// line stores a line that holds so many of the keys it wants, as claiming leaves it.
func (s *scene) line(number string, wanted, held int, change ...func(*order.Fulfillment)) order.LineID {
	s.t.Helper()
	f := order.Fulfillment{
		ID: newID(number), Version: 1, Merchant: "nova", Side: pool.Live, Account: "standard", Origin: "standard",
		Order: number, Line: "1", Product: "111111", Pool: "elden",
		Quantity: wanted, Wanted: wanted, Allocated: held, Takes: []pool.Take{{Keys: held, At: noon}}, ReceivedAt: noon, Language: "en",
		Customer: order.Customer{Name: "Anna Berg", Email: number + "@example.com"},
		Mail:     outbox.Entry{DueAt: noon.Add(outbox.SweepAfter)},
	}
	var rest []pool.Key
	for n := range held {
		key := pool.Key{ID: pool.KeyID(fmt.Sprintf("%s-%d", number, n)), Text: pool.Conceal(fmt.Sprintf("KEY-%s-%04d", number, n))}
		if n < order.InlineKeys {
			f.Keys = append(f.Keys, key)
		} else {
			rest = append(rest, key)
		}
	}
	if held == wanted {
		f.Mail = outbox.Entry{}.Next(outbox.Keys, noon)
	}
	for _, c := range change {
		c(&f)
	}
	if err := s.store.Commit(s.t.Context(), order.Change{After: f}); err != nil {
		s.t.Fatal(err)
	}
	if len(rest) > 0 {
		s.chunk(f.ID, rest)
	}
	return f.ID
}

func newID(number string) order.LineID {
	return order.Identity{Merchant: "nova", Side: pool.Live, Origin: "standard", Order: number, Line: "1"}.ID()
}

// chunk stores keys beyond those of the line's own item, as a second change does.
func (s *scene) chunk(id order.LineID, keys []pool.Key) {
	s.t.Helper()
	before := s.fulfillment(id)
	before.Allocated -= len(keys)
	for i := range keys {
		keys[i].Shard = "nova#elden#live#0"
		s.put(s.tables.Keys, map[string]string{"pk": string(keys[i].ID), "shard": keys[i].Shard, "place": "0"})
	}
	change := order.ChangeOf(before)
	change.Allocate(keys, s.now)
	if err := s.store.Commit(s.t.Context(), change); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) put(table string, attributes map[string]string) {
	s.t.Helper()
	item := map[string]types.AttributeValue{}
	for name, value := range attributes {
		item[name] = &types.AttributeValueMemberS{Value: value}
	}
	if _, err := dynamotest.Client(s.t).PutItem(s.t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table), Item: item}); err != nil {
		s.t.Fatal(err)
	}
}

// change changes a line, as whoever else works on it does.
func (s *scene) change(id order.LineID, change func(*order.Fulfillment)) {
	s.t.Helper()
	before := s.fulfillment(id)
	after := before
	after.Keys = slices.Clone(before.Keys)
	after.Version++
	change(&after)
	if err := s.store.Commit(context.Background(), order.Change{Before: &before, After: after}); err != nil {
		s.t.Error(err)
	}
}

func (s *scene) mail(items ...outbox.Item) {
	s.t.Helper()
	for i, err := range s.mailer.Mail(s.t.Context(), items) {
		if err != nil {
			s.t.Errorf("item %d: %v", i, err)
		}
	}
}

func (s *scene) mailLine(id order.LineID) {
	s.t.Helper()
	s.mail(outbox.LineItem(string(id)))
}

func (s *scene) applyFeedback(f delivery.Feedback) {
	s.t.Helper()
	if err := s.mailer.ApplyFeedback(s.t.Context(), f); err != nil {
		s.t.Error(err)
	}
}

func (s *scene) fulfillment(id order.LineID) order.Fulfillment {
	s.t.Helper()
	f, ok, err := s.store.Fulfillment(s.t.Context(), id)
	if err != nil || !ok {
		s.t.Fatalf("line %s: %v, %v", id, ok, err)
	}
	return f
}

// history returns what happened to a line, each in a word with its mail and code.
func (s *scene) history(id order.LineID) []string {
	s.t.Helper()
	entries, err := s.store.History(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	var all []string
	for _, h := range entries {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %d %s %s", h.Event, h.Mail, h.By, h.Code)))
	}
	return all
}

// notices returns the notices of a kind.
func (s *scene) notices(kind notice.Kind) []notice.Notice {
	s.t.Helper()
	var all []notice.Notice
	for _, pk := range dynamotest.Partitions(s.t, s.tables.Orders, "notice#") {
		n, ok, err := s.store.Notice(s.t.Context(), strings.TrimPrefix(pk, "notice#"))
		if err != nil || !ok {
			s.t.Fatalf("notice %s: %v, %v", pk, ok, err)
		}
		if n.Kind == kind {
			all = append(all, n)
		}
	}
	return all
}

func (s *scene) wantMail(id order.LineID, want outbox.Entry) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.fulfillment(id).Mail); diff != "" {
		s.t.Errorf("the outbox entry (-want +got):\n%s", diff)
	}
}

func (s *scene) wantSent(want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.ses.sent(), cmpopts.EquateEmpty()); diff != "" {
		s.t.Errorf("mails (-want +got):\n%s", diff)
	}
}

func (s *scene) wantHistory(id order.LineID, want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.history(id), cmpopts.EquateEmpty()); diff != "" {
		s.t.Errorf("the history (-want +got):\n%s", diff)
	}
}

func TestMail_keysOnce(t *testing.T) {
	s := newScene(t)
	id := s.line("a1", 2, 2)
	s.mailLine(id)
	s.mailLine(id) // the stream delivers at least once

	s.wantSent("1 a1@example.com: Your license keys for Elden")
	s.wantMail(id, outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 1, MessageID: "ses-1"})
	s.wantHistory(id, "mail-sent 1 deliver")
	if m := s.ses.mails[0]; !strings.Contains(m.Text, "KEY-a1-0000\nKEY-a1-0001") || m.Tags["line"] != string(id) {
		t.Errorf("the mail lacks a key or its tag")
	}
	if got := s.takenKeys(); got != 2 {
		t.Errorf("%d keys counted as taken, want 2", got)
	}
}

// takenKeys returns the shown count of taken keys of the pool.
func (s *scene) takenKeys() int {
	s.t.Helper()
	out, err := dynamotest.Client(s.t).GetItem(s.t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(s.tables.Catalog),
		Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "counts#nova"}, "sk": &types.AttributeValueMemberS{Value: "count#elden#live"},
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	var n int
	if v, ok := out.Item["taken"].(*types.AttributeValueMemberN); ok {
		fmt.Sscan(v.Value, &n)
	}
	return n
}

func TestMail_manyMailersOneMail(t *testing.T) {
	s := newScene(t)
	id := s.line("a1", 1, 1)
	const all = 12
	var finished atomic.Int32
	s.ses.answer = func(mail.Message) (string, error) {
		for range 200 { // the mail is under way until all others have found it leased
			if finished.Load() == all-1 {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		return "ses-1", nil
	}
	var mailers sync.WaitGroup
	for range all {
		mailers.Go(func() {
			for _, err := range s.newMailer().Mail(t.Context(), []outbox.Item{outbox.LineItem(string(id))}) {
				if err != nil {
					t.Error(err)
				}
			}
			finished.Add(1)
		})
	}
	mailers.Wait()
	s.wantSent("1 a1@example.com: Your license key for Elden")
	s.wantHistory(id, "mail-sent 1 deliver")
}

// TestMail_showsWhatTheLeaseShows replaces the key after the line was written:
// whoever held on to what the stream showed would mail a key that is gone.
func TestMail_showsWhatTheLeaseShows(t *testing.T) {
	s := newScene(t)
	id := s.line("a1", 1, 1)
	s.change(id, func(f *order.Fulfillment) { f.Keys[0].Text = pool.Conceal("KEY-REPLACED") })
	s.mailLine(id)
	if m := s.ses.mails[0]; !strings.Contains(m.Text, "KEY-REPLACED") || strings.Contains(m.Text+m.HTML, "KEY-a1-0000") {
		t.Error("a key was mailed that the line does not hold any more")
	}
}

// TestMail_keyReplacedAtTheLastMoment replaces the key between whatever a mailer
// may have read before and its lease.
func TestMail_keyReplacedAtTheLastMoment(t *testing.T) {
	s := newScene(t)
	id := s.line("a1", 1, 1)
	s.mailer.Lines = beforeLease[order.Fulfillment]{s.store.LineMails(), func() {
		s.change(id, func(f *order.Fulfillment) { f.Keys[0].Text = pool.Conceal("KEY-REPLACED") })
	}}
	s.mailLine(id)
	if m := s.ses.mails[0]; !strings.Contains(m.Text, "KEY-REPLACED") || strings.Contains(m.Text+m.HTML, "KEY-a1-0000") {
		t.Error("a key was mailed that the line did not hold when its mail was leased")
	}
}

// beforeLease does something just before a lease.
type beforeLease[T any] struct {
	delivery.Store[T]
	do func()
}

func (b beforeLease[T]) Lease(ctx context.Context, id string, now time.Time) (T, bool, bool, error) {
	b.do()
	return b.Store.Lease(ctx, id, now)
}

func TestMail_manyKeys(t *testing.T) {
	s := newScene(t)
	id := s.line("a1", 45, 45)
	s.mailLine(id)
	m := s.ses.mails[0]
	if len(m.Attached) != 1 || strings.Count(string(m.Attached[0].Content), "\n") != 45 {
		t.Fatalf("45 keys are not attached")
	}
	for n := range 45 {
		key := fmt.Sprintf("KEY-a1-%04d", n)
		for where, in := range map[string]string{"text": m.Text, "HTML": m.HTML, "file": string(m.Attached[0].Content)} {
			if strings.Count(in, key) != 1 {
				t.Errorf("%s stands %d times in the %s", key, strings.Count(in, key), where)
			}
		}
	}
}

// TestMail_heavyOnesWaitForRoom: the keys of mails that are made at one time have a
// bound, so that many long links do not take the memory of a function.
func TestMail_heavyOnesWaitForRoom(t *testing.T) {
	s := newScene(t)
	const heavy, fit = 6, 3 // of 300 KB each, in a megabyte
	var items []outbox.Item
	for n := range heavy {
		items = append(items, outbox.LineItem(string(s.line(fmt.Sprint("h", n), 1, 1, func(f *order.Fulfillment) {
			f.Keys[0].Text = pool.Conceal("https://files.example/?" + strings.Repeat("x", 300_000))
		}))))
	}
	var now, most atomic.Int32
	s.ses.answer = func(mail.Message) (string, error) {
		most.Store(max(most.Load(), now.Add(1)))
		time.Sleep(time.Second) // longer than it takes to begin them all
		now.Add(-1)
		return "ses-1", nil
	}
	s.mail(items...)
	if len(s.ses.mails) != heavy || most.Load() > fit {
		t.Errorf("%d mails, %d at one time; want %d, at most %d", len(s.ses.mails), most.Load(), heavy, fit)
	}
}

// TestMail_noticeNeedsNoRoom: a notice does not wait behind mails with many keys.
func TestMail_noticeNeedsNoRoom(t *testing.T) {
	s := newScene(t)
	var items []outbox.Item
	for n := range 6 { // more than there is room for
		items = append(items, outbox.LineItem(string(s.line(fmt.Sprint("h", n), 1, 1, func(f *order.Fulfillment) {
			f.Keys[0].Text = pool.Conceal("https://files.example/?" + strings.Repeat("x", 300_000))
		}))))
	}
	n := notice.New("nova", notice.Empty, "elden#live#1", notice.Facts{Pool: "elden", Side: pool.Live, Waiting: 1}, noon)
	if err := s.store.RaiseNotice(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	var sending atomic.Int32
	s.mailer.Notices = beforeLease[notice.Notice]{s.store.NoticeMails(), func() {
		for sending.Load() < 3 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond) // the others are leased by now, and wait for room
	}}
	noticed := make(chan struct{})
	s.ses.answer = func(m mail.Message) (string, error) {
		if m.Tags["notice"] != "" {
			close(noticed)
			return "ses-n", nil
		}
		sending.Add(1)
		select {
		case <-noticed:
		case <-time.After(10 * time.Second):
			t.Error("the notice waits for the mails with keys")
		}
		return "ses-1", nil
	}
	s.mail(append(items, outbox.NoticeItem(n.ID))...)
	if len(s.ses.mails) != len(items)+1 {
		t.Errorf("%d mails, want %d", len(s.ses.mails), len(items)+1)
	}
}

// TestMail_neverShort cuts the chunk with most of the keys out of the line: as
// long as they cannot be read, nothing is mailed.
func TestMail_neverShort(t *testing.T) {
	s := newScene(t)
	id := s.line("a1", 45, 45)
	s.change(id, func(f *order.Fulfillment) { f.Allocated++ })
	s.mailLine(id)
	s.wantSent()
	s.wantMail(id, outbox.Entry{
		State: outbox.Due, Kind: outbox.Keys, Number: 1, Tries: 1, Code: "NotWritten",
		TryAt: noon.Add(time.Minute), DueAt: noon.Add(time.Minute),
	})
}

// TestMail_chunkChangesMeanwhile takes a key away between the lease and the reading of
// the line's other keys: the mail is made anew of what the line holds then.
func TestMail_chunkChangesMeanwhile(t *testing.T) {
	meanwhile := &beforeQuery{}
	s := newScene(t, dynamotest.Transport(meanwhile))
	id := s.line("a1", 45, 45)
	meanwhile.do = func() {
		change := order.ChangeOf(s.fulfillment(id))
		chunks, err := s.store.Chunks(s.t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		change.Chunk = chunks[0]
		change.After.Returned = 1
		if err := change.Release(order.Release{Key: chunks[0].Keys[0].ID, To: order.Revoke}); err != nil {
			t.Fatal(err)
		}
		if err := s.store.Commit(s.t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	s.mailLine(id)
	s.wantSent()
	f := s.fulfillment(id)
	if f.Mail.State != outbox.Due || f.Mail.Tries != 1 {
		t.Fatalf("the outbox entry is %+v", f.Mail)
	}
	s.now = f.Mail.TryAt
	s.mailLine(id)
	s.wantSent("1 a1@example.com: Your license keys for Elden")
	if got := strings.Count(string(s.ses.mails[0].Attached[0].Content), "KEY-"); got != 44 {
		t.Errorf("%d keys were mailed, want 44", got)
	}
}

// beforeQuery does something before the first query that reaches the engine.
type beforeQuery struct {
	do   func()
	once sync.Once
}

func (b *beforeQuery) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.do != nil && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".Query") {
		do := b.do
		b.once.Do(func() {
			b.do = nil
			do()
		})
	}
	return dynamotest.Engine().RoundTrip(r)
}

func TestMail_leaseRunsOut(t *testing.T) {
	for _, swept := range []bool{false, true} {
		t.Run(fmt.Sprintf("swept %v", swept), func(t *testing.T) {
			s := newScene(t)
			s.ses.answer = refuses(mail.Unknown, "NoAnswer")
			id := s.line("a1", 1, 1)
			s.mailLine(id)
			sending := outbox.Entry{
				State: outbox.Sending, Kind: outbox.Keys, Number: 1,
				LeaseEndsAt: noon.Add(outbox.Lease), DueAt: noon.Add(outbox.SweepAfter),
			}
			s.wantMail(id, sending)

			s.now = noon.Add(outbox.Lease - time.Millisecond)
			s.mailLine(id)
			s.wantMail(id, sending)

			s.now = noon.Add(outbox.Lease)
			s.ses.answer = nil
			if swept {
				s.change(id, func(f *order.Fulfillment) { f.Mail.State = outbox.Due })
			}
			s.mailLine(id)
			s.wantSent("1 a1@example.com: Your license key for Elden", "2 a1@example.com: Your license key for Elden")
			s.wantMail(id, outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 2, MessageID: "ses-2"})
			s.wantHistory(id, "mail-sent 2 deliver", "mail-uncertain 1 deliver")
		})
	}
}

// TestMail_feedbackEndsTheDoubt has SES tell of a mail whose sending was never
// answered: it is not sent again.
func TestMail_feedbackEndsTheDoubt(t *testing.T) {
	s := newScene(t)
	s.ses.answer = refuses(mail.Unknown, "NoAnswer")
	id := s.line("a1", 1, 1)
	s.mailLine(id)
	s.applyFeedback(feedback(id, 1, order.MailSent, noon.Add(time.Second)))
	s.now = noon.Add(outbox.Lease)
	s.mailLine(id)
	s.wantSent("1 a1@example.com: Your license key for Elden")
	s.wantMail(id, outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 1, MessageID: "ses-of-1"})
	s.wantHistory(id, "mail-sent 1 ses")
}

func feedback(id order.LineID, number int, what order.EventKind, at time.Time) delivery.Feedback {
	return delivery.Feedback{
		Item: outbox.LineItem(string(id)), Number: number, Event: what, At: at, MessageID: fmt.Sprintf("ses-of-%d", number),
		Code: map[order.EventKind]string{order.MailBounced: "Permanent/General", order.MailFailed: "Reject"}[what],
	}
}

func TestMail_refusedForItself(t *testing.T) {
	s := newScene(t)
	s.ses.answer = refuses(mail.Permanent, "MessageRejected")
	id := s.line("a1", 1, 1)
	s.mailLine(id)
	s.mailLine(id)
	s.wantSent("1 a1@example.com: Your license key for Elden")
	s.wantMail(id, outbox.Entry{State: outbox.Failed, Kind: outbox.Keys, Number: 1, Code: "MessageRejected", FailedAt: noon})
	s.wantHistory(id, "mail-failed 1 deliver MessageRejected")
	told := s.notices(notice.MailFailed)
	if len(told) != 1 {
		t.Fatalf("%d notices, want 1", len(told))
	}
	want := notice.Facts{Orders: []string{"a1"}, OrderID: id.OrderHalf(), Product: "111111", Side: pool.Live, Count: 1, Cause: "MessageRejected"}
	if diff := cmp.Diff(want, told[0].Facts); diff != "" || told[0].Mail.State != outbox.Due {
		t.Errorf("the notice is %s (-want +got):\n%s", told[0].Mail.State, diff)
	}
	if f := s.fulfillment(id); f.Allocated != 1 || f.State() != order.Fulfilled {
		t.Errorf("the line holds %d keys and is %s", f.Allocated, f.State())
	}
}

func TestMail_rescheduled(t *testing.T) {
	for _, c := range []struct {
		fault mail.Fault
		code  string
	}{{mail.Temporary, "TooManyRequestsException"}, {mail.AccountFault, "SendingPausedException"}} {
		t.Run(string(c.fault), func(t *testing.T) {
			s := newScene(t)
			s.ses.answer = refuses(c.fault, c.code)
			id := s.line("a1", 1, 1)
			var waits []time.Duration
			for range 8 {
				s.mailLine(id)
				f := s.fulfillment(id)
				if f.Mail.State != outbox.Due || f.Mail.Code != c.code || f.Mail.Number != 1 || !f.Mail.DueAt.Equal(f.Mail.TryAt) {
					t.Fatalf("the outbox entry is %+v", f.Mail)
				}
				waits = append(waits, f.Mail.TryAt.Sub(s.now))
				s.now = f.Mail.TryAt.Add(-time.Millisecond)
				s.mailLine(id) // too early: not tried
				s.now = f.Mail.TryAt
			}
			want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}
			for i := range want {
				want[i] *= time.Minute
			}
			if diff := cmp.Diff(want, waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
			if got := len(s.notices(notice.MailFailed)); got != 0 {
				t.Errorf("%d notices of a failed mail", got)
			}
			s.ses.answer = nil
			s.mailLine(id)
			s.wantMail(id, outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 1, MessageID: "ses-9"})
		})
	}
}

func TestMail_delayMailLeavesTheLineDue(t *testing.T) {
	s := newScene(t)
	dueAt := noon.Add(7 * time.Minute)
	id := s.line("a1", 2, 1, func(f *order.Fulfillment) {
		f.Mail = outbox.Entry{State: outbox.Due, Kind: outbox.Delay, Number: 1, DueAt: dueAt}
	})
	s.mailLine(id)
	s.wantSent("1 a1@example.com: Your order a1 is safe, the license key follows")
	s.wantMail(id, outbox.Entry{State: outbox.Sent, Kind: outbox.Delay, Number: 1, MessageID: "ses-1", DueAt: dueAt})
	if strings.Contains(s.ses.mails[0].Text, "KEY-") {
		t.Error("a key of an unfinished line was mailed")
	}
	if got := s.takenKeys(); got != 0 {
		t.Errorf("%d keys counted before they were mailed", got)
	}
}

// TestMail_lineCompletedMeanwhile completes the line while its delay mail is being sent:
// the mail with the keys stays due.
func TestMail_lineCompletedMeanwhile(t *testing.T) {
	s := newScene(t)
	id := s.line("a1", 1, 0, func(f *order.Fulfillment) {
		f.Mail = outbox.Entry{State: outbox.Due, Kind: outbox.Delay, Number: 1, DueAt: noon.Add(time.Minute)}
	})
	s.ses.answer = func(mail.Message) (string, error) {
		s.change(id, func(f *order.Fulfillment) {
			f.Allocated, f.Keys = 1, []pool.Key{{ID: "k", Text: pool.Conceal("KEY-NEW")}}
			f.Mail = f.Mail.Next(outbox.Keys, noon)
		})
		s.ses.answer = nil
		return "ses-1", nil
	}
	s.mailLine(id)
	s.wantMail(id, outbox.Entry{State: outbox.Due, Kind: outbox.Keys, Number: 2, DueAt: noon.Add(outbox.SweepAfter)})
	s.mailLine(id)
	s.wantSent("1 a1@example.com: Your order a1 is safe, the license key follows", "2 a1@example.com: Your license key for Elden")
	s.wantHistory(id, "mail-sent 1 deliver", "mail-sent 2 deliver")
}

// TestMail_markedOnWhatTheLineIsNow changes the line while its mail is being sent.
func TestMail_markedOnWhatTheLineIsNow(t *testing.T) {
	s := newScene(t)
	id := s.line("a1", 1, 1)
	s.ses.answer = func(mail.Message) (string, error) {
		s.change(id, func(f *order.Fulfillment) { f.Hold(order.HoldByHand) })
		return "ses-1", nil
	}
	s.mailLine(id)
	s.wantMail(id, outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 1, MessageID: "ses-1"})
	if len(s.fulfillment(id).Holds) == 0 {
		t.Error("the mark undid what came between")
	}
}

// TestMail_countsKeysOnce has a mail overtaken by another, or by SES's feedback, while
// it is sent: its keys are counted as taken once.
func TestMail_countsKeysOnce(t *testing.T) {
	another := func(f *order.Fulfillment) { f.Mail = f.Mail.Next(outbox.Keys, noon) }
	for name, meanwhile := range map[string]func(s *scene, id order.LineID){
		"nothing":      func(*scene, order.LineID) {},
		"another mail": func(s *scene, id order.LineID) { s.change(id, another) },
		"feedback":     func(s *scene, id order.LineID) { s.applyFeedback(feedback(id, 1, order.MailDelivered, noon)) },
		"a change":     func(s *scene, id order.LineID) { s.change(id, func(f *order.Fulfillment) { f.Title = "Elden" }) },
		"feedback, and then another mail": func(s *scene, id order.LineID) {
			s.applyFeedback(feedback(id, 1, order.MailSent, noon))
			s.change(id, another)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			id := s.line("a1", 2, 2)
			s.ses.answer = func(mail.Message) (string, error) {
				s.ses.answer = nil
				meanwhile(s, id)
				return "ses-1", nil
			}
			s.mailLine(id)
			s.mailLine(id)
			s.change(id, another) // it is sent again
			s.mailLine(id)
			if got := s.takenKeys(); got != 2 {
				t.Errorf("%d keys are counted as taken, want 2", got)
			}
		})
	}
}

func TestMail_nothingToSay(t *testing.T) {
	for name, change := range map[string]func(*order.Fulfillment){
		"held for review":   func(f *order.Fulfillment) { f.Hold(order.HoldByHand) },
		"given back":        func(f *order.Fulfillment) { f.Returned, f.Allocated, f.Keys = 1, 0, nil },
		"the delay is over": func(f *order.Fulfillment) { f.Mail.Kind = outbox.Delay },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			id := s.line("a1", 1, 1, change)
			s.mailLine(id)
			s.wantSent()
			if f := s.fulfillment(id); f.Mail.State != outbox.None || !f.Mail.DueAt.IsZero() {
				t.Errorf("the outbox entry is %+v", f.Mail)
			}
			s.wantHistory(id, "mail-withdrawn 1 deliver")
		})
	}
}

func TestMail_unknownMerchantAndProduct(t *testing.T) {
	s := newScene(t)
	id := s.line("a1", 1, 1, func(f *order.Fulfillment) {
		f.Merchant, f.Product, f.Title = "gone", "2", "Elden, as the platform calls it"
	})
	s.mailLine(id)
	s.wantSent("1 a1@example.com: Your license key for Elden, as the platform calls it")
}

func TestMail_inheritsFromTheOriginal(t *testing.T) {
	s := newScene(t)
	product := catalog.Product{Merchant: "nova", ID: "copy", Title: "Elden, translated", Original: "111111"}
	if err := s.store.PutProduct(t.Context(), product); err != nil {
		t.Fatal(err)
	}
	original, _, err := s.store.Product(t.Context(), "nova", "111111")
	if err != nil {
		t.Fatal(err)
	}
	original.Texts = map[string]catalog.Text{"en": {Subject: "From the original", Body: "{PROGRAM_NAME}: {KEY}"}}
	original.Redeem.By = "2026-12-23"
	if err := s.store.PutProduct(t.Context(), original); err != nil {
		t.Fatal(err)
	}
	s.mailLine(s.line("a1", 1, 1, func(f *order.Fulfillment) { f.Product = "copy" }))
	s.wantSent("1 a1@example.com: From the original")
	if !strings.Contains(s.ses.mails[0].Text, "Elden, translated: KEY-a1-0000") {
		t.Errorf("the text is %q", s.ses.mails[0].Text)
	}
	if !strings.Contains(s.ses.mails[0].Text, "Please redeem the key by 23 December 2026.") {
		t.Errorf("no day to redeem by in %q", s.ses.mails[0].Text)
	}
}

// countedTexts counts how often merchants' texts are asked for.
type countedTexts struct {
	catalog.TextReader
	asked int
}

func (c *countedTexts) Texts(ctx context.Context, merchant string) (catalog.Texts, error) {
	c.asked++
	return c.TextReader.Texts(ctx, merchant)
}

// A mail of a product without a text in the customer's language has the merchant's. Where the
// product has one, and in a delay mail, the merchant's are not asked for.
func TestMail_fallsBackOnTheMerchantsTexts(t *testing.T) {
	s := newScene(t)
	product := catalog.Product{Merchant: "nova", ID: "own", Title: "Own", Texts: map[string]catalog.Text{"en": {Subject: "Its own", Body: "{KEY}"}}}
	common := catalog.Texts{Merchant: "nova", Texts: map[string]catalog.Text{"en": {Subject: "Of all", Body: "{KEY}"}, "de": {Subject: "Von allen", Body: "{KEY}"}}}
	if err := errors.Join(s.store.PutProduct(t.Context(), product), s.store.PutTexts(t.Context(), common)); err != nil {
		t.Fatal(err)
	}
	texts := &countedTexts{TextReader: s.mailer.Texts}
	s.mailer.Texts = texts
	mail := func(number, product, language string, held, asked int) {
		t.Helper()
		s.mailLine(s.line(number, 1, held, func(f *order.Fulfillment) { f.Product, f.Language = product, language }))
		if texts.asked != asked {
			t.Errorf("%s: the merchant's texts were asked for %d times, want %d", number, texts.asked, asked)
		}
	}
	mail("a1", "own", "en-GB", 1, 0)
	mail("a2", "own", "de", 1, 1)
	mail("a3", "111111", "en", 1, 2)
	s.wantSent("1 a1@example.com: Its own", "1 a2@example.com: Von allen", "1 a3@example.com: Of all")
	sample := notice.New("nova", notice.SampleMail, "x", notice.Facts{Sample: &notice.Sample{Language: "de", Keys: 1}}, noon)
	if err := s.store.RaiseNotice(t.Context(), sample); err != nil {
		t.Fatal(err)
	}
	s.mail(outbox.NoticeItem(sample.ID))
	s.wantSent("1 a1@example.com: Its own", "1 a2@example.com: Von allen", "1 a3@example.com: Of all", "1 ops@nova.example: [Sample] Von allen")
}

// As for a claim of such a product.
func TestMail_productWhoseOriginalIsMissingHasItsOwnTexts(t *testing.T) {
	s := newScene(t)
	product := catalog.Product{
		Merchant: "nova", ID: "edition", Title: "Elden, edition", Original: "unheard-of",
		Texts: map[string]catalog.Text{"en": {Subject: "Its own", Body: "{PROGRAM_NAME}: {KEY}"}},
	}
	if err := s.store.PutProduct(t.Context(), product); err != nil {
		t.Fatal(err)
	}
	s.mailLine(s.line("a1", 1, 1, func(f *order.Fulfillment) { f.Product = "edition" }))
	s.wantSent("1 a1@example.com: Its own")
}

// TestMail_lostAnswers has DynamoDB do the lease, and then the mark, and the
// answer get lost: the lease is known to be ours, the mark to be made, and the
// customer has one mail.
func TestMail_lostAnswers(t *testing.T) {
	for name, lose := range map[string]func(*dynamotest.Faults){
		"of the lease": func(f *dynamotest.Faults) { f.Next("UpdateItem", 1, dynamotest.LostAnswer) },
		"of the mark":  func(f *dynamotest.Faults) { f.After("UpdateItem", 1, 1, dynamotest.LostAnswer) },
		"of both": func(f *dynamotest.Faults) {
			f.Next("UpdateItem", 1, dynamotest.LostAnswer)
			f.After("UpdateItem", 2, 1, dynamotest.LostAnswer)
		},
	} {
		t.Run(name, func(t *testing.T) {
			faults := dynamotest.NewFaults(t, 1)
			s := newScene(t, faults.Option)
			id := s.line("a1", 1, 1)
			lose(faults)
			s.mailLine(id)
			s.mailLine(id)
			s.wantSent("1 a1@example.com: Your license key for Elden")
			s.wantMail(id, outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 1, MessageID: "ses-1"})
		})
	}
}

// TestMail_markIsRetried lets every attempt of the mark's call fail, as often as
// the SDK makes one. Were that the end of it, the customer would get a second mail.
func TestMail_markIsRetried(t *testing.T) {
	for name, fault := range map[string]dynamotest.Fault{
		"a transaction on the line": dynamotest.Conflict(""),
		"a throttled table":         dynamotest.Throttled,
		"a failing table":           dynamotest.ServerError,
		"a connection that breaks":  dynamotest.LostAnswer,
	} {
		t.Run(name, func(t *testing.T) {
			faults := dynamotest.NewFaults(t, 1)
			s := newScene(t, faults.Option)
			id := s.line("a1", 1, 1)
			lease := 1
			faults.After("UpdateItem", lease, dynamotest.SDKAttempts, fault)
			s.mailLine(id)
			s.wantMail(id, outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 1, MessageID: "ses-1"})
			s.now = s.now.Add(outbox.Lease)
			s.mailLine(id)
			s.wantSent("1 a1@example.com: Your license key for Elden")
		})
	}
}

// TestMail_leaseOutlastsATransaction has another transaction on the line for longer
// than the SDK tries: the mail goes out all the same, and not only by the sweep.
func TestMail_leaseOutlastsATransaction(t *testing.T) {
	faults := dynamotest.NewFaults(t, 1)
	s := newScene(t, faults.Option)
	id := s.line("a1", 1, 1)
	faults.Next("UpdateItem", dynamotest.SDKAttempts+1, dynamotest.Conflict(""))
	s.mailLine(id)
	s.wantSent("1 a1@example.com: Your license key for Elden")
	s.wantMail(id, outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 1, MessageID: "ses-1"})

	// The lease of a mail whose mailer died takes another write.
	id = s.line("a2", 1, 1)
	s.ses.answer = refuses(mail.Unknown, "NoAnswer")
	s.mailLine(id)
	s.ses.answer = nil
	s.now = noon.Add(outbox.Lease)
	faults.After("UpdateItem", 1, dynamotest.SDKAttempts+1, dynamotest.Conflict(""))
	s.mailLine(id)
	s.wantMail(id, outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 2, MessageID: "ses-3"})
}

// TestMail_settingsOutOfReach cannot read the merchant: the mail is rescheduled, and
// goes out when its time has come.
func TestMail_settingsOutOfReach(t *testing.T) {
	faults := dynamotest.NewFaults(t, 1)
	s := newScene(t, faults.Option)
	id := s.line("a1", 1, 1)
	faults.Next("GetItem", 100, dynamotest.ServerError)
	s.mailLine(id)
	faults.Stop()
	f := s.fulfillment(id)
	if f.Mail.State != outbox.Due || f.Mail.Tries != 1 || f.Mail.Number != 1 {
		t.Fatalf("the outbox entry is %+v", f.Mail)
	}
	s.now = f.Mail.TryAt
	s.mailLine(id)
	s.wantSent("1 a1@example.com: Your license key for Elden")
}

// TestMail_tableOutOfReach cannot lease: that is an error, so that the stream
// sends the record again.
func TestMail_tableOutOfReach(t *testing.T) {
	faults := dynamotest.NewFaults(t, 1)
	s := newScene(t, faults.Option)
	id := s.line("a1", 1, 1)
	faults.Next("UpdateItem", 100, dynamotest.Unavailable)
	if err := s.mailer.Mail(t.Context(), []outbox.Item{outbox.LineItem(string(id))})[0]; err == nil {
		t.Error("a lease that could not be written is no error")
	}
	faults.Stop()
	s.mailLine(id)
	s.wantSent("1 a1@example.com: Your license key for Elden")
}
