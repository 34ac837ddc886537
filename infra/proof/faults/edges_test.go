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

// What is neither DynamoDB nor a bucket stands here in memory: the queues, the post.
// They have their own bad days.

// chance is dice that many may throw.
type chance struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newChance(seed, stream uint64) *chance {
	return &chance{rng: rand.New(rand.NewPCG(seed, stream))}
}

func (c *chance) of(p float64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.Float64() < p
}

func (c *chance) n(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

// between returns a number from low to high.
func (c *chance) between(low, high int) int { return low + c.n(high-low+1) }

// queue is all queues in one: what is sent comes at some time, in any order. A
// message that failed comes again, and after twenty times no more.
type queue struct {
	chance *chance
	calm   bool // nothing is lost any more

	mu       sync.Mutex
	messages []message
	dead     int
	sends    int
	met      map[string]int // its faults
}

type message struct {
	about any
	tries int
}

const mostTries = 20

var errQueue = errors.New("the queue does not answer")

// Send implements the Sender of every package. Now and then it fails, half of
// those times after the message was taken; and once in each way for sure.
func (q *queue) Send(_ context.Context, about any, _ time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sends++
	fails, taken := q.chance.of(0.02) && !q.calm, q.chance.of(0.5)
	if q.sends == 5 || q.sends == 10 {
		fails, taken = true, q.sends == 5
	}
	switch {
	case !fails:
		q.messages = append(q.messages, message{about: about})
		return nil
	case taken:
		q.messages = append(q.messages, message{about: about})
		q.met[answerOfQueueLost]++
	default:
		q.met[messageNotTaken]++
	}
	return errQueue
}

func (q *queue) take() (message, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.messages) == 0 {
		return message{}, false
	}
	i, last := q.chance.n(len(q.messages)), len(q.messages)-1
	m := q.messages[i]
	q.messages[i] = q.messages[last]
	q.messages = q.messages[:last]
	return m, true
}

// again gives a message back that could not be dealt with.
func (q *queue) again(m message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m.tries++; m.tries >= mostTries {
		q.dead++
		return
	}
	q.messages = append(q.messages, m)
}

// post is SES. It keeps what it took.
type post struct {
	chance *chance
	calm   bool

	mu    sync.Mutex
	took  []letter
	sends int
	met   map[string]int // its faults
}

// What mails and messages may meet, by name.
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
	mailFaults = []string{mailRefused, mailThrottled, sendingPaused, mailLost, answerOfMailLost}
	edgeFaults = append(mailFaults[:len(mailFaults):len(mailFaults)], messageNotTaken, answerOfQueueLost)
)

// fault is what the next mail meets: by chance, and of the first mails each second
// one fault after the other, so that none is left out, though the storm be over.
func (p *post) fault() string {
	dice := p.chance.n(100)
	p.sends++
	switch n := p.sends / 2; {
	case p.sends%2 == 0 && n <= len(mailFaults):
		return mailFaults[n-1]
	case p.calm:
		return ""
	case dice < 2:
		return mailRefused
	case dice < 8:
		return mailThrottled
	case dice < 10:
		return sendingPaused
	case dice < 12:
		return mailLost
	case dice < 16:
		return answerOfMailLost
	}
	return ""
}

// letter is a mail that the post took.
type letter struct {
	outbox.Item
	number int
	keys   []string // in its text
	open   bool     // nobody was told that it was taken, so that it is sent again
}

// Send implements delivery.Post.
func (p *post) Send(ctx context.Context, m mail.Message) (string, error) {
	tags := map[string][]string{}
	for name, value := range m.Tags {
		tags[name] = []string{value}
	}
	item, number, ok := mail.ItemOf(tags)
	if !ok {
		return "", &mail.SendError{Fault: mail.Permanent, Code: "NoTags"} // and the books will tell
	}
	sent := letter{Item: item, number: number}
	for word := range strings.FieldsSeq(m.Text) {
		if strings.HasPrefix(word, keyMark) {
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
		p.met[met]++
		if met == answerOfMailLost {
			sent.open = true
			p.took = append(p.took, sent)
		}
		return "", &mail.SendError{Fault: says, Code: "Injected"}
	}
	p.took = append(p.took, sent)
	return "id-" + strconv.Itoa(len(p.took)), nil
}

// some returns a letter of those it took, by chance.
func (p *post) some() (letter, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.took) == 0 {
		return letter{}, false
	}
	return p.took[p.chance.n(len(p.took))], true
}
