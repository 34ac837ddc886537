package simulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/proof/dynamosim"
	"keypool/shared/delivery"
	"keypool/shared/dynamo"
	"keypool/shared/job"
	"keypool/shared/mail"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/retry"
	"keypool/shared/upload"
)

// callNames numbers the repeats of a call, so that each has a name of its own.
type callNames struct {
	mu   sync.Mutex
	seen map[string]int
}

func (n *callNames) name(what string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen == nil {
		n.seen = make(map[string]int)
	}
	n.seen[what]++
	return what + "/" + strconv.Itoa(n.seen[what])
}

var errNoAnswer = errors.New("a service did not answer")

// callService is one call of a service other than DynamoDB. It takes time, and may fail
// before or after do has run.
func (w *world) callService(ctx context.Context, name string, do func()) error {
	w.steps.Add(1)
	p := processOf(ctx)
	p.calls.Add(1)
	if p.dead() {
		return errProcessDied
	}
	fails := !w.reliable.Load() && w.happens(name+" fails", w.plan.Conditions.CallFaults)
	time.Sleep(500*time.Microsecond + w.upTo(name+" request", w.plan.Conditions.Latency))
	after := w.chance(name+" order of fault")%2 == 0
	if !fails || after {
		do()
	}
	time.Sleep(w.upTo(name+" response", w.plan.Conditions.Latency))
	if fails {
		return errNoAnswer
	}
	return ctx.Err()
}

// queue is an SQS queue. Each message is handled at least once, or moved to the
// dead-letter queue after maxReceives failures. Sending takes no time.
type queue struct {
	w                 *world
	name              string
	batchSize         int // messages of one call
	concurrency       int // calls in parallel
	visibilityTimeout time.Duration
	maxReceives       int
	handle            func(process string, messages []any) []error

	sent    callNames
	mu      sync.Mutex
	visible []*message
	busy    int
}

type message struct {
	name     string
	body     any
	received int
}

// Send implements the senders of claim, ingest and sweep.
func (q *queue) Send(ctx context.Context, body any, delay time.Duration) error {
	w, p := q.w, processOf(ctx)
	w.steps.Add(1)
	p.calls.Add(1)
	if p.dead() {
		return errProcessDied
	}
	name := q.sent.name(fmt.Sprintf("%s from %s: %v", q.name, callerOf(ctx), body))
	if !w.reliable.Load() && w.happens(name+" lost", w.plan.Conditions.LostMessages) {
		switch w.number(name+" outcome", 3) {
		case 0:
			w.count("message lost")
			return nil
		case 1:
			w.count("message lost")
			return errNoAnswer
		default:
			w.count("message taken, answer lost")
			q.add(&message{name: name, body: body}, delay)
			return errNoAnswer
		}
	}
	q.add(&message{name: name, body: body}, delay)
	if !w.reliable.Load() && w.happens(name+" twice", w.plan.Conditions.DuplicateMessages) {
		w.count("message delivered twice")
		q.add(&message{name: name + " again", body: body}, delay+w.upTo(name+" late", time.Minute))
	}
	return nil
}

// add makes a message visible after the delay.
func (q *queue) add(m *message, delay time.Duration) {
	q.w.spawn(func() {
		time.Sleep(delay + q.w.upTo(m.name+" polled "+strconv.Itoa(m.received), 20*time.Millisecond))
		q.mu.Lock()
		q.visible = append(q.visible, m)
		q.mu.Unlock()
		q.poll()
	})
}

// poll starts calls for the visible messages, up to the concurrency.
func (q *queue) poll() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.busy < q.concurrency && len(q.visible) > 0 {
		n := min(q.batchSize, len(q.visible))
		batch := q.visible[:n:n]
		q.visible = q.visible[n:]
		q.busy++
		name := fmt.Sprintf("%s/%d", batch[0].name, batch[0].received+1) // a process is named after its first message
		q.w.spawn(func() {
			q.call(name, batch)
			q.mu.Lock()
			q.busy--
			q.mu.Unlock()
			q.poll()
		})
	}
}

func (q *queue) call(name string, batch []*message) {
	bodies := make([]any, len(batch))
	for i, m := range batch {
		m.received++
		bodies[i] = m.body
	}
	for i, err := range q.handle(name, bodies) {
		m := batch[i]
		switch {
		case err == nil:
		case m.received >= q.maxReceives:
			q.w.count("message moved to the dead-letter queue")
		case errors.Is(err, job.ErrUnfinished):
			q.add(m, 0)
		default:
			q.add(m, q.visibilityTimeout)
		}
	}
}

// bucket holds key files and reports.
type bucket struct {
	w     *world
	calls callNames

	mu      sync.Mutex
	objects map[string]object
}

type object struct {
	content []byte
	at      time.Time
	done    bool
}

func newBucket(w *world) *bucket { return &bucket{w: w, objects: make(map[string]object)} }

func (b *bucket) put(name string, content []byte) upload.Object {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.objects[name] = object{content: content, at: time.Now().UTC()}
	return upload.Object{Bucket: "uploads", Name: name, Version: "1"}
}

func (b *bucket) call(ctx context.Context, what, name string, do func()) error {
	return b.w.callService(ctx, b.calls.name(callerOf(ctx)+" "+what+" "+name), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		do()
	})
}

// Stat implements ingest.Objects.
func (b *bucket) Stat(ctx context.Context, o upload.Object) (stat upload.Stat, ok bool, err error) {
	err = b.call(ctx, "stat", o.Name, func() {
		var there object
		there, ok = b.objects[o.Name]
		stat = upload.Stat{Version: "1", Size: int64(len(there.content)), LastModified: there.at}
	})
	return stat, ok, err
}

// Open implements ingest.Objects.
func (b *bucket) Open(ctx context.Context, o upload.Object, from, to int64) (body io.ReadCloser, err error) {
	err = b.call(ctx, "open", fmt.Sprint(o.Name, from), func() {
		body = io.NopCloser(bytes.NewReader(b.objects[o.Name].content[from:to]))
	})
	return body, err
}

// MarkDone implements ingest.Objects.
func (b *bucket) MarkDone(ctx context.Context, o upload.Object, _ bool) error {
	return b.call(ctx, "mark", o.Name, func() {
		there := b.objects[o.Name]
		there.done = true
		b.objects[o.Name] = there
	})
}

// Put implements ingest.Reports.
func (b *bucket) Put(ctx context.Context, name string, data []byte) error {
	return b.call(ctx, "put", name, func() { b.objects[name] = object{content: bytes.Clone(data), at: time.Now()} })
}

// Delete implements inventory.WipedReports.
func (b *bucket) Delete(ctx context.Context, name string) error {
	return b.call(ctx, "delete", name, func() { delete(b.objects, name) })
}

// Get implements ingest.Reports.
func (b *bucket) Get(ctx context.Context, name string) (data []byte, err error) {
	var ok bool
	err = b.call(ctx, "get", name, func() {
		var there object
		there, ok = b.objects[name]
		data = there.content
	})
	if err == nil && !ok {
		err = upload.ErrGone
	}
	return data, err
}

// Write implements ingest.Reports.
func (b *bucket) Write(ctx context.Context, name string, write func(io.Writer) error) error {
	var content bytes.Buffer
	if err := write(&content); err != nil {
		return err
	}
	return b.Put(ctx, name, content.Bytes())
}

// fakeSES stands for SES.
type fakeSES struct {
	w     *world
	calls callNames
}

// Send implements delivery.MailSender.
func (s *fakeSES) Send(ctx context.Context, m mail.Message) (string, error) {
	w, p := s.w, processOf(ctx)
	w.steps.Add(1)
	p.calls.Add(1)
	if p.dead() {
		return "", errProcessDied
	}
	item, number, ok := mail.ItemOf(tagsOf(m))
	if !ok {
		w.ledger.report("a mail was sent that names no line and no notice")
		return "", &mail.SendError{Fault: mail.Permanent, Code: "MessageRejected"}
	}
	name := s.calls.name(fmt.Sprintf("%s mails %v", callerOf(ctx), item))
	time.Sleep(w.upTo(name+" request", 5*w.plan.Conditions.Latency))
	fault := -1 // none
	if !w.reliable.Load() && w.happens(name+" fault", w.plan.Conditions.MailFaults) {
		fault = w.number(name+" kind of fault", 10)
	}
	switch {
	case fault == 3:
		w.count("mail met a temporary error")
		return "", &mail.SendError{Fault: mail.Temporary, Code: "InternalServiceErrorException"}
	case fault >= 0 && fault < 3:
		w.count("mail throttled")
		return "", &mail.SendError{Fault: mail.Throttled, Code: "TooManyRequestsException"}
	case fault == 4:
		w.count("mail met an account whose sending is paused")
		return "", &mail.SendError{Fault: mail.AccountFault, Code: "SendingPausedException"}
	case fault == 5:
		w.count("mail refused")
		w.ledger.noteRefused(item, number)
		return "", &mail.SendError{Fault: mail.Permanent, Code: "MessageRejected"}
	case fault == 6:
		return "", &mail.SendError{Fault: mail.Unknown, Code: "NoAnswer"} // never arrived
	}
	w.count("mail accepted")
	w.ledger.noteAccepted(p, item, number, m)
	if item.Kind == outbox.Notices {
		w.followMail(name, m.Text)
	}
	s.sendFeedback(name, delivery.Feedback{Item: item, Number: number, MessageID: name})
	time.Sleep(w.upTo(name+" response", 5*w.plan.Conditions.Latency))
	if fault > 6 {
		w.count("mail accepted, answer lost")
		w.ledger.noteAnswerLost(item)
		return "", &mail.SendError{Fault: mail.Unknown, Code: "NoAnswer"}
	}
	return name, ctx.Err()
}

func tagsOf(m mail.Message) map[string][]string {
	tags := make(map[string][]string)
	for name, value := range m.Tags {
		tags[name] = []string{value}
	}
	return tags
}

// sendFeedback delivers the events of a mail: late, in any order, and sometimes never.
func (s *fakeSES) sendFeedback(name string, feedback delivery.Feedback) {
	w := s.w
	for _, what := range []order.EventKind{order.MailSent, order.MailDelivered, order.MailBounced} {
		rate := 0.7
		if what == order.MailBounced {
			rate = 0.03
		}
		name := fmt.Sprintf("feedback %s of %s", what, name)
		if !w.happens(name, rate) {
			continue
		}
		times := 1 + w.number(name+" times", 2)
		for n := range times {
			w.spawn(func() {
				time.Sleep(w.upTo(fmt.Sprint(name, n), time.Minute))
				feedback := feedback
				feedback.Event, feedback.At = what, time.Now().UTC()
				w.applyFeedback(fmt.Sprintf("%s/%d", name, n), feedback)
			})
		}
	}
}

// applyFeedback does what the function deliver does with an event of SES. The event is
// delivered three times at most.
func (w *world) applyFeedback(name string, feedback delivery.Feedback) {
	for try := range 3 {
		p := w.begin(fmt.Sprintf("%s/%d", name, try), time.Minute, w.skew(name))
		err := w.mailer(p).ApplyFeedback(p.ctx, feedback)
		dead := p.dead()
		p.end()
		if err == nil && !dead {
			return
		}
		time.Sleep(time.Minute)
	}
}

// stream is the stream of the orders table. It invokes deliver with the records of due
// mails: in order within a partition, in batches that may fail in part.
type stream struct {
	w          *world
	disabled   bool // no function reads it
	mu         sync.Mutex
	partitions [4]struct {
		records []record
		reading bool
	}
}

type record struct {
	item     outbox.Item
	name     string
	tryAt    time.Time // of the mail; zero: immediately
	receives int
}

func (s *stream) observe(c dynamosim.Commit) {
	for _, change := range c.Changes {
		if s.disabled || change.Table != s.w.tables.Orders {
			continue
		}
		pk := str(change.After, "pk")
		item, ok := dynamo.DueMail(events.DynamoDBStreamRecord{
			Keys: map[string]events.DynamoDBAttributeValue{
				"pk": events.NewStringAttribute(pk), "sk": events.NewStringAttribute(str(change.After, "sk")),
			},
			NewImage: map[string]events.DynamoDBAttributeValue{"mail": events.NewStringAttribute(str(change.After, "mail"))},
		}, time.Now())
		if !ok {
			continue
		}
		r := record{item: item, name: fmt.Sprintf("record %v %d", item, num(change.After, "version"))}
		if change.After["tryAt"] != nil {
			r.tryAt = time.UnixMilli(int64(num(change.After, "tryAt")))
		}
		reliable := s.w.reliable.Load()
		if !reliable && s.w.happens(r.name+" lost", s.w.plan.Conditions.LostMessages) {
			s.w.count("record lost")
			continue
		}
		partition := s.w.number("partition "+pk, len(s.partitions))
		s.add(partition, r)
		if !reliable && s.w.happens(r.name+" twice", s.w.plan.Conditions.DuplicateMessages) {
			s.w.count("record delivered twice")
			s.w.spawn(func() { // deliver may have handled the first by then
				time.Sleep(s.w.upTo(r.name+" late", 15*time.Minute))
				r.name += " again"
				s.add(partition, r)
			})
		}
	}
}

func (s *stream) add(n int, r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.partitions[n]
	p.records = append(p.records, r)
	if !p.reading {
		p.reading = true
		s.w.spawn(func() { s.read(n) })
	}
}

// read invokes deliver with batches until no record is left. From the first record that
// failed, all are read again.
func (s *stream) read(n int) {
	w := s.w
	for {
		s.mu.Lock()
		p := &s.partitions[n]
		if len(p.records) == 0 {
			p.reading = false
			s.mu.Unlock()
			return
		}
		name := fmt.Sprintf("deliver %s/%d", p.records[0].name, p.records[0].receives)
		s.mu.Unlock()
		time.Sleep(100*time.Millisecond + w.upTo(name, 300*time.Millisecond))
		if !w.reliable.Load() && w.happens(name+" late", w.plan.Conditions.LostMessages) { // and all records after them
			w.count("records late by minutes")
			time.Sleep(w.upTo(name+" how late", 15*time.Minute))
		}

		s.mu.Lock()
		batch := p.records[:min(10, len(p.records))]
		s.mu.Unlock()
		failed := w.handleRecords(name, batch)
		s.mu.Lock()
		done := len(batch)
		if failed >= 0 {
			done = failed
			if p.records[failed].receives++; p.records[failed].receives > 10 {
				w.count("record discarded after ten retries")
				done++
			}
		}
		p.records = p.records[done:]
		s.mu.Unlock()
	}
}

// handleRecords does what the function deliver does with records of the stream, and
// returns the index of the first that failed, -1 if none did.
func (w *world) handleRecords(name string, batch []record) int {
	p := w.begin(name, 2*time.Minute, w.skew(name))
	defer p.end()
	var items []outbox.Item
	place := map[outbox.Item]int{}
	for i, r := range batch {
		if r.tryAt.After(p.now()) {
			continue // not due yet
		}
		if _, known := place[r.item]; !known {
			place[r.item] = i
			items = append(items, r.item)
		}
	}
	errs := w.mailer(p).Mail(p.ctx, items)
	if p.dead() {
		return 0
	}
	failed := -1
	for i, err := range errs {
		if err == nil {
			continue
		}
		w.ledger.noteNotMarked(p, items[i])
		if failed < 0 && !errors.Is(err, outbox.ErrUnreadable) && !errors.Is(err, retry.ErrChanged) {
			failed = place[items[i]]
		}
	}
	return failed
}
