package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/mail"
)

// quota is an SES that takes so many mails a second, and as many at once.
type quota struct {
	perSecond float64
	latency   time.Duration

	mu             sync.Mutex
	room           float64
	since          time.Time
	taken, refused int
}

func (q *quota) Send(context.Context, mail.Message) (string, error) {
	time.Sleep(q.latency)
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	q.room = min(q.room+now.Sub(q.since).Seconds()*q.perSecond, q.perSecond)
	q.since = now
	if q.room < 1 {
		q.refused++
		return "", &mail.SendError{Fault: mail.Throttled, Code: "TooManyRequestsException"}
	}
	q.room--
	q.taken++
	return "ses-1", nil
}

// Forty processes, as many as a stream of four shards calls at once, mail a
// backlog by one account, whose quota none of them knows.
func TestSend_sharesTheQuota(t *testing.T) {
	for _, c := range []struct {
		perSecond float64
		latency   time.Duration
		mails     int64
	}{{14, 0, 3000}, {14, 200 * time.Millisecond, 3000}, {500, 0, 40_000}, {500, 200 * time.Millisecond, 40_000}} {
		t.Run(fmt.Sprintf("%.0f a second after %s", c.perSecond, c.latency), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ses := &quota{perSecond: c.perSecond, latency: c.latency}
				var claimed, retriedLater atomic.Int64
				began := time.Now()
				var processes sync.WaitGroup
				for range 40 {
					m := &Mailer{MailSender: ses}
					processes.Go(func() {
						for claimed.Load() < c.mails {
							invocation, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
							var mails sync.WaitGroup
							for range atOnce {
								if claimed.Add(1) > c.mails {
									break
								}
								mails.Go(func() {
									if _, err := m.send(invocation, mail.Message{}); err != nil {
										retriedLater.Add(1)
									}
								})
							}
							mails.Wait()
							cancel()
						}
					})
				}
				processes.Wait()
				rate := float64(ses.taken) / time.Since(began).Seconds()
				refused := float64(ses.refused) / float64(c.mails)
				t.Logf("%.1f mails a second, refused %.2f a mail, tried later %d", rate, refused, retriedLater.Load())
				if rate < 0.6*c.perSecond { // the start and the end, when some are done, included
					t.Errorf("%.1f mails a second of %.0f", rate, c.perSecond)
				}
				if refused > 0.3 {
					t.Errorf("%d mails were refused %d times", c.mails, ses.refused)
				}
				if retriedLater.Load() > c.mails/100 {
					t.Errorf("%d of %d mails were left for later", retriedLater.Load(), c.mails)
				}
			})
		})
	}
}

// A lone order's mail does not wait, whatever there was before.
func TestSend_loneMailGoesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ses := &quota{perSecond: 1}
		m := &Mailer{MailSender: ses}
		for range 5 {
			if _, err := m.send(t.Context(), mail.Message{}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		began := time.Now()
		if _, err := m.send(t.Context(), mail.Message{}); err != nil || time.Since(began) != 0 {
			t.Errorf("it went after %s, %v", time.Since(began), err)
		}
	})
}

// What cannot be offered before the invocation ends is left due, in time to be
// marked so; and so is what is refused however often it is offered.
func TestSend_givesUpInTime(t *testing.T) {
	for name, limit := range map[string]time.Duration{"forty seconds": 40 * time.Second, "no limit": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, limit)
					defer cancel()
				}
				began := time.Now()
				_, err := (&Mailer{MailSender: &quota{}}).send(ctx, mail.Message{})
				refused, ok := errors.AsType[*mail.SendError](err)
				if !ok || refused.Fault != mail.Throttled || refused.Code != "TooManyRequestsException" {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took > 2*time.Minute || limit > 0 && took > limit-sendFor {
					t.Errorf("given up after %s", took)
				}
			})
		})
	}
}

// A customer's mail does not wait behind the notices that came before it.
func TestSend_customerBeforeNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Mailer{MailSender: &quota{perSecond: 1000}}
		m.limiter.gap = slowestGap
		var order []string
		var mu sync.Mutex
		var mails sync.WaitGroup
		send := func(name string, send func(context.Context, mail.Message) (string, error)) {
			mails.Go(func() {
				if _, err := send(t.Context(), mail.Message{}); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, name)
			})
		}
		for range 5 {
			send("notice", m.sendNotice)
		}
		time.Sleep(time.Second) // the first has gone
		send("customer", m.send)
		send("customer", m.send)
		mails.Wait()
		if diff := cmp.Diff([]string{"notice", "customer", "customer", "notice", "notice", "notice", "notice"}, order); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	})
}

// Forty processes mail a backlog, half of it notices: the customers have theirs about as
// soon as if there were no notices.
func TestSend_customersShareTheQuotaFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const customers = 1500
		ses := &quota{perSecond: 14}
		var claimed, left atomic.Int64
		var last time.Time
		var mu sync.Mutex
		began := time.Now()
		var processes sync.WaitGroup
		for range 40 {
			m := &Mailer{MailSender: ses}
			processes.Go(func() {
				for claimed.Load() < customers {
					invocation, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
					var mails sync.WaitGroup
					for range atOnce / 2 {
						mails.Go(func() {
							if _, err := m.sendNotice(invocation, mail.Message{}); err != nil {
								left.Add(1)
							}
						})
						if claimed.Add(1) > customers {
							continue
						}
						mails.Go(func() {
							if _, err := m.send(invocation, mail.Message{}); err != nil {
								claimed.Add(-1) // the stream's record comes again
								return
							}
							mu.Lock()
							defer mu.Unlock()
							last = time.Now()
						})
					}
					mails.Wait()
					cancel()
				}
			})
		}
		processes.Wait()
		rate := customers / last.Sub(began).Seconds()
		t.Logf("%.1f mails to customers a second; %d notices left for later", rate, left.Load())
		if rate < 0.6*ses.perSecond {
			t.Errorf("%.1f mails to customers a second of %.0f", rate, ses.perSecond)
		}
	})
}
