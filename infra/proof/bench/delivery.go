package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/retry"
	"keypool/shared/ses"
)

// mailsASecond mails backlogs as Lambda does it: 40 processes, as many as a stream of
// four shards starts, each with ten records at a time. The mailer and the client of
// SES are the real ones. The table is in memory; SES has a latency, and refuses mails
// above its quota.
func mailsASecond(ctx context.Context, b *bench) error {
	const processes, batch = 40, 10
	for _, c := range []struct {
		quota   int // mails a second; 0: no limit
		latency time.Duration
		mails   int
	}{
		{0, 0, 4000},
		{0, 80 * time.Millisecond, 4000},
		{0, 200 * time.Millisecond, 4000},
		{500, 80 * time.Millisecond, 5000},
		{14, 80 * time.Millisecond, 600},
	} {
		server := &quotaSES{quota: c.quota, latency: c.latency, most: c.mails * 9 / 10}
		backlog := newBacklog(c.mails)
		start := time.Now()
		var work sync.WaitGroup
		for range processes {
			m := mailer(nil, ses.Open(aws.Config{Region: "us-east-1", Credentials: nobody, BaseEndpoint: aws.String("http://127.0.0.1"), HTTPClient: server}, "keypool"))
			m.Lines, m.Orders, m.History, m.Settings, m.Texts, m.Counts, m.Sales = backlog, backlog, backlog, settings{}, nil, backlog, backlog
			work.Go(func() {
				for ctx.Err() == nil {
					items := backlog.next(batch)
					if items == nil {
						return
					}
					invocation, cancel := context.WithTimeout(ctx, 2*time.Minute)
					for i, err := range m.Mail(invocation, items) {
						if err != nil {
							backlog.again(items[i])
						}
					}
					cancel()
				}
			})
		}
		work.Wait()
		rate := float64(server.most) / server.mostAt.Sub(start).Seconds()
		if err := ctx.Err(); err != nil {
			return err
		}
		if server.mails != c.mails || backlog.sent != c.mails {
			return fmt.Errorf("%d mails were sent and %d marked, of %d", server.mails, backlog.sent, c.mails)
		}
		f := figure{
			Name: fmt.Sprintf("mails a second, SES takes %d ms", c.latency.Milliseconds()),
			Got:  fmt.Sprintf("%.0f", rate),
		}
		if c.quota > 0 {
			refused := float64(server.refused) / float64(c.mails)
			f.Name += fmt.Sprintf(" and %d a second", c.quota)
			f.Bar = ">= 0.8 of the quota, refused <= 0.5 a mail"
			f.Got = fmt.Sprintf("%.1f a second, refused %.2f a mail, tried later %d", rate, refused, backlog.retriedLater)
			f.Met = rate >= 0.8*float64(c.quota) && refused <= 0.5
		}
		b.add(f)
	}
	b.note("Mails a second", fmt.Sprintf("A backlog is mailed by %d processes of the real mailer with SES's real client, %d records at a time; the rate is that of the first nine tenths. Each process halves its rate when SES refuses a mail, and recovers slowly; no mail is rescheduled by a minute.", processes, batch))
	return nil
}

// Whole returns what is known of an order as a whole: nothing.
func (b *backlog) Whole(context.Context, string) (order.Whole, error) { return order.Whole{}, nil }

// Lines returns none: nothing but a line's own keys is mailed.
func (b *backlog) Lines(context.Context, string) ([]order.Fulfillment, error) { return nil, nil }

// Chunks returns none.
func (b *backlog) Chunks(context.Context, order.LineID) ([]order.Chunk, error) { return nil, nil }

// Sold counts nothing.
func (b *backlog) Sold(context.Context, string, int) error { return nil }

// quotaSES is an SES with a quota, at the transport of its client. The mails of a
// second may come all at once, as with the real one.
type quotaSES struct {
	quota   int
	latency time.Duration

	mu             sync.Mutex
	room           float64
	since          time.Time
	mails, refused int
	most           int // mails until mostAt: few processes share the quota of the last ones
	mostAt         time.Time
}

func (o *quotaSES) Do(r *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, r.Body)
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(o.latency):
	}
	status, header, says := http.StatusOK, http.Header{"Content-Type": {"application/json"}}, `{"MessageId":"ses-1"}`
	if !o.takes() {
		status, says = http.StatusTooManyRequests, `{"message":"Maximum sending rate exceeded."}`
		header.Set("X-Amzn-Errortype", "TooManyRequestsException")
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: header,
		Body: io.NopCloser(strings.NewReader(says)), ContentLength: int64(len(says)),
	}, nil
}

func (o *quotaSES) takes() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.quota > 0 {
		now := time.Now()
		if o.since.IsZero() {
			o.since = now.Add(-time.Second)
		}
		o.room = min(o.room+now.Sub(o.since).Seconds()*float64(o.quota), float64(o.quota))
		o.since = now
		if o.room < 1 {
			o.refused++
			return false
		}
		o.room--
	}
	if o.mails++; o.mails == o.most {
		o.mostAt = time.Now()
	}
	return true
}

// backlog is the lines that are due, in memory, with the stream that reports them.
type backlog struct {
	mu                 sync.Mutex
	lines              map[order.LineID]order.Fulfillment
	due                []outbox.Item
	open               int // lines that are neither sent nor failed
	sent, retriedLater int
}

func newBacklog(n int) *backlog {
	b := &backlog{lines: map[order.LineID]order.Fulfillment{}, open: n}
	for i := range n {
		f := paid(fmt.Sprint(i))
		f.Version, f.Pool, f.Wanted, f.Allocated, f.ReceivedAt = 1, live.Pool, 1, 1, time.Now()
		f.Keys = []pool.Key{{ID: "acme#live#1", Text: pool.Conceal("AAAAA-BBBBB-CCCCC")}}
		f.Mail = f.Mail.Next(outbox.Keys, f.ReceivedAt)
		b.lines[f.ID] = f
		b.due = append(b.due, outbox.LineItem(string(f.ID)))
	}
	return b
}

// next waits for lines that are due, and returns nil once all mails are sent.
func (b *backlog) next(n int) []outbox.Item {
	for {
		b.mu.Lock()
		items := b.due[:min(n, len(b.due))]
		b.due = b.due[len(items):]
		open := b.open
		b.mu.Unlock()
		if len(items) > 0 {
			return items
		}
		if open == 0 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (b *backlog) again(item outbox.Item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.due = append(b.due, item)
}

// Lease implements delivery.Store.
func (b *backlog) Lease(_ context.Context, id string, now time.Time) (f order.Fulfillment, again, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f = b.lines[order.LineID(id)]
	if !f.Mail.MayLease(now) {
		return f, false, false, nil
	}
	f.Mail, f.Version = f.Mail.Leased(now), f.Version+1
	b.lines[f.ID] = f
	return f, false, true, nil
}

// Read implements delivery.Store.
func (b *backlog) Read(_ context.Context, id string) (order.Fulfillment, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines[order.LineID(id)], true, nil
}

// Mark implements delivery.Store. A rescheduled line is reported again at its
// time, as the sweep does it.
func (b *backlog) Mark(_ context.Context, f order.Fulfillment, _ *order.History, _ *notice.Notice) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lines[f.ID].Version != f.Version {
		return retry.ErrChanged
	}
	f.Version++
	b.lines[f.ID] = f
	switch f.Mail.State {
	case outbox.Sent:
		b.sent++
		b.open--
	case outbox.Due:
		b.retriedLater++
		time.AfterFunc(time.Until(f.Mail.TryAt), func() { b.again(outbox.LineItem(string(f.ID))) })
	default:
		return errors.New("a mail is " + string(f.Mail.State))
	}
	return nil
}

// AddHistory implements delivery.History.
func (*backlog) AddHistory(context.Context, order.History) error { return nil }

// AddTaken implements delivery.Counts.
func (*backlog) AddTaken(context.Context, pool.ID, []pool.Take) error { return nil }
