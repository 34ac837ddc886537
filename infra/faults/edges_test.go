package faults

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"keypool/shared/delivery"
	"keypool/shared/ingest"
)

// What is not DynamoDB stands here in memory: the buckets, the queues, the post.
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
	lost     int // messages that the sender was told were not taken
}

type message struct {
	about any
	tries int
}

const mostTries = 20

var errQueue = errors.New("the queue does not answer")

// Send implements the Sender of every package. Now and then it fails, half of
// those times after the message was taken.
func (q *queue) Send(_ context.Context, about any, _ time.Duration) error {
	fails := !q.calm && q.chance.of(0.02)
	q.mu.Lock()
	defer q.mu.Unlock()
	if !fails || q.chance.of(0.5) {
		q.messages = append(q.messages, message{about: about})
	}
	if fails {
		q.lost++
		return errQueue
	}
	return nil
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

// bucket is the upload bucket. What is removed is gone with all its versions.
type bucket struct {
	mu      sync.Mutex
	objects map[ingest.Object][]byte
	now     func() time.Time
	written map[ingest.Object]time.Time
	done    map[ingest.Object]bool
}

func newBucket(now func() time.Time) *bucket {
	return &bucket{
		now: now, objects: map[ingest.Object][]byte{},
		written: map[ingest.Object]time.Time{}, done: map[ingest.Object]bool{},
	}
}

// put stores an object under a name that is not taken yet.
func (b *bucket) put(name string, content []byte) ingest.Object {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := ingest.Object{Bucket: "uploads", Name: name, Version: "v" + strconv.Itoa(len(b.written)+1)}
	b.objects[o], b.written[o] = content, b.now()
	return o
}

func (b *bucket) remove(o ingest.Object) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, o)
}

func (b *bucket) Stat(_ context.Context, o ingest.Object) (ingest.Stat, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.Version == "" {
		for version := range b.objects {
			if version.Name == o.Name {
				o = version
			}
		}
	}
	content, ok := b.objects[o]
	return ingest.Stat{Version: o.Version, Size: int64(len(content)), LastModified: b.written[o]}, ok, nil
}

func (b *bucket) Open(_ context.Context, o ingest.Object, from, to int64) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	content, ok := b.objects[o]
	if !ok {
		return nil, ingest.ErrGone
	}
	return io.NopCloser(bytes.NewReader(content[from:to])), nil
}

func (b *bucket) MarkDone(_ context.Context, o ingest.Object) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.objects[o]; !ok {
		return ingest.ErrGone
	}
	b.done[o] = true
	return nil
}

// reports is the bucket of reports.
type reports struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func (r *reports) Put(_ context.Context, name string, data []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.objects[name] = bytes.Clone(data)
	return nil
}

func (r *reports) Get(_ context.Context, name string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data, ok := r.objects[name]
	if !ok {
		return nil, errors.New("there is no object " + name)
	}
	return data, nil
}

func (r *reports) Write(ctx context.Context, name string, write func(io.Writer) error) error {
	var data bytes.Buffer
	if err := write(&data); err != nil {
		return err
	}
	return r.Put(ctx, name, data.Bytes())
}

// post is SES. It keeps what it took.
type post struct {
	chance *chance
	calm   bool

	mu   sync.Mutex
	took []letter
	met  map[string]int // its faults
}

// letter is a mail that the post took.
type letter struct {
	delivery.Item
	number int
	keys   []string // in its text
	open   bool     // nobody was told that it was taken, so that it is sent again
}

// Send implements delivery.Post.
func (p *post) Send(ctx context.Context, m delivery.Mail) (string, error) {
	tags := map[string][]string{}
	for name, value := range m.Tags {
		tags[name] = []string{value}
	}
	item, number, ok := delivery.ItemOf(tags)
	if !ok {
		return "", &delivery.SendError{Fault: delivery.Refused, Code: "NoTags"} // and the books will tell
	}
	sent := letter{Item: item, number: number}
	for word := range strings.FieldsSeq(m.Text) {
		if strings.HasPrefix(word, keyMark) {
			sent.keys = append(sent.keys, word)
		}
	}
	if ctx.Err() != nil {
		return "", &delivery.SendError{Fault: delivery.Unknown, Code: "NoAnswer"} // it never left
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fault := func(says delivery.Fault, name string) (string, error) {
		p.met[name]++
		return "", &delivery.SendError{Fault: says, Code: "Injected"}
	}
	if !p.calm {
		switch dice := p.chance.n(100); {
		case dice < 2:
			return fault(delivery.Refused, "mail refused")
		case dice < 8:
			return fault(delivery.Passing, "mail throttled")
		case dice < 10:
			return fault(delivery.Trouble, "sending paused")
		case dice < 12:
			return fault(delivery.Unknown, "mail lost on its way")
		case dice < 16:
			sent.open = true
			p.took = append(p.took, sent)
			return fault(delivery.Unknown, "mail taken, answer lost")
		}
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
