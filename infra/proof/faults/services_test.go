package faults

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"keypool/shared/mail"
	"keypool/shared/outbox"
)

// The queues and SES are in memory, and have faults of their own.

// chance is a random generator that is safe for concurrent use.
type chance struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newChance(seed, stream uint64) *chance {
	return &chance{rng: rand.New(rand.NewPCG(seed, stream))}
}

func (c *chance) happens(p float64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.Float64() < p
}

func (c *chance) intN(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

// between returns a random number from low to high, both included.
func (c *chance) between(low, high int) int { return low + c.intN(high-low+1) }

// queue is all queues in one. Its messages are received in any order. A message that
// failed is received again, up to twenty times.
type queue struct {
	chance   *chance
	reliable bool // it never fails

	mu       sync.Mutex
	messages []message
	dead     int
	sends    int
	faults   map[string]int // counts, by name
}

type message struct {
	body     any
	receives int
}

const maxReceives = 20

var errQueue = errors.New("the queue does not answer")

// Send implements the Sender of every package. Two of a hundred calls fail, half of
// them after the message was accepted. The 5th and the 10th call always fail, one in
// each way.
func (q *queue) Send(_ context.Context, body any, _ time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sends++
	fails, accepted := q.chance.happens(0.02) && !q.reliable, q.chance.happens(0.5)
	if q.sends == 5 || q.sends == 10 {
		fails, accepted = true, q.sends == 5
	}
	switch {
	case !fails:
		q.messages = append(q.messages, message{body: body})
		return nil
	case accepted:
		q.messages = append(q.messages, message{body: body})
		q.faults[answerOfQueueLost]++
	default:
		q.faults[messageNotTaken]++
	}
	return errQueue
}

func (q *queue) take() (message, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.messages) == 0 {
		return message{}, false
	}
	i, last := q.chance.intN(len(q.messages)), len(q.messages)-1
	m := q.messages[i]
	q.messages[i] = q.messages[last]
	q.messages = q.messages[:last]
	return m, true
}

// redeliver returns a message that failed to the queue.
func (q *queue) redeliver(m message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m.receives++; m.receives >= maxReceives {
		q.dead++
		return
	}
	q.messages = append(q.messages, m)
}

// fakeSES accepts mails and keeps them.
type fakeSES struct {
	chance   *chance
	reliable bool

	mu       sync.Mutex
	accepted []sentMail
	sends    int
	faults   map[string]int // counts, by name
}

// The faults of mails and messages, by name.
const (
	mailRefused       = "mail refused"
	mailThrottled     = "mail throttled"
	sendingPaused     = "sending paused"
	mailLost          = "mail lost on its way"
	answerOfMailLost  = "mail taken, answer lost"
	messageNotTaken   = "message of a queue not taken"
	answerOfQueueLost = "message of a queue taken, answer lost"
)

var (
	mailFaults    = []string{mailRefused, mailThrottled, sendingPaused, mailLost, answerOfMailLost}
	serviceFaults = append(mailFaults[:len(mailFaults):len(mailFaults)], messageNotTaken, answerOfQueueLost)
)

// fault returns the fault of the next mail, "" for none. Every second one of the
// first mails meets the next of all faults, so that even a short storm meets each;
// the others meet a random one.
func (p *fakeSES) fault() string {
	roll := p.chance.intN(100)
	p.sends++
	switch n := p.sends / 2; {
	case p.sends%2 == 0 && n <= len(mailFaults):
		return mailFaults[n-1]
	case p.reliable:
		return ""
	case roll < 2:
		return mailRefused
	case roll < 8:
		return mailThrottled
	case roll < 10:
		return sendingPaused
	case roll < 12:
		return mailLost
	case roll < 16:
		return answerOfMailLost
	}
	return ""
}

// sentMail is a mail that SES accepted.
type sentMail struct {
	outbox.Item
	number     int
	keys       []string // in its text
	answerLost bool     // the answer was lost, so the mailer may send the mail again
}

// Send implements delivery.MailSender.
func (p *fakeSES) Send(ctx context.Context, m mail.Message) (string, error) {
	tags := map[string][]string{}
	for name, value := range m.Tags {
		tags[name] = []string{value}
	}
	item, number, ok := mail.ItemOf(tags)
	if !ok {
		return "", &mail.SendError{Fault: mail.Permanent, Code: "NoTags"} // the audit will report it
	}
	sent := sentMail{Item: item, number: number}
	for word := range strings.FieldsSeq(m.Text) {
		if strings.HasPrefix(word, keyPrefix) {
			sent.keys = append(sent.keys, word)
		}
	}
	if ctx.Err() != nil {
		return "", &mail.SendError{Fault: mail.Unknown, Code: "NoAnswer"} // it never left
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	met := p.fault()
	says, fails := map[string]mail.Fault{
		mailRefused: mail.Permanent, mailThrottled: mail.Temporary, sendingPaused: mail.AccountFault,
		mailLost: mail.Unknown, answerOfMailLost: mail.Unknown,
	}[met]
	if fails {
		p.faults[met]++
		if met == answerOfMailLost {
			sent.answerLost = true
			p.accepted = append(p.accepted, sent)
		}
		return "", &mail.SendError{Fault: says, Code: "Injected"}
	}
	p.accepted = append(p.accepted, sent)
	return "id-" + strconv.Itoa(len(p.accepted)), nil
}

// some returns a random one of the accepted mails.
func (p *fakeSES) some() (sentMail, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.accepted) == 0 {
		return sentMail{}, false
	}
	return p.accepted[p.chance.intN(len(p.accepted))], true
}
