package claim_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/order"
)

var (
	seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "order of events in the race")
	show = flag.Bool("show", false, "draw the race while it runs")
)

// TestRace is the promise under load. 500 orders want 400 keys and each is
// delivered three times at once; then 60 keys come while new orders do; then
// enough for all.
func TestRace(t *testing.T) {
	const (
		orders, keys   = 500, 400
		deliveries     = 3
		inFlight       = 24
		refill         = 60
		newcomers      = 40
		enough         = 1000
		stillWaiting   = orders - keys
		unservedByThen = stillWaiting - refill + newcomers
	)
	t.Logf("seed %d (repeat with: go test ./shared/claim -race -run TestRace -seed %d)", *seed, *seed)
	rng := rand.New(rand.NewPCG(*seed, 0))
	s := open(t)
	picture := newPicture(*show, orders+newcomers)
	defer picture.end()

	picture.say("%d keys in the pool; %d orders, each delivered %d times at once", keys, orders, deliveries)
	s.stock(live, "first", keys)
	var numbers []int
	for _, n := range rng.Perm(orders) {
		for range deliveries {
			numbers = append(numbers, n)
		}
	}
	answers := s.race(numbers, inFlight, picture)
	for n, repeats := range answers {
		var held [][]string
		for _, answer := range repeats {
			if answer.State() == order.Fulfilled {
				held = append(held, texts(answer))
			}
		}
		for _, other := range held {
			if diff := cmp.Diff(held[0], other); diff != "" {
				t.Errorf("order %d was answered with different keys", n)
			}
		}
	}
	s.serveRequests(picture) // a claim that gave way to the queue left its key to fill
	books := dynamotest.Audit(t, s.tables)
	if books.Claimed != keys || books.Available != 0 || len(books.Queue) != stillWaiting {
		t.Fatalf("%d keys sold, %d left, %d orders waiting; want %d, 0, %d",
			books.Claimed, books.Available, len(books.Queue), keys, stillWaiting)
	}
	for n, repeats := range answers {
		for _, answer := range repeats {
			if stored := s.stored(answer.ID); answer.State() == order.Fulfilled && !slices.Equal(texts(answer), texts(stored)) {
				t.Errorf("order %d was answered with keys that it does not hold", n)
			}
		}
	}

	picture.say("%d more keys, while %d new orders come", refill, newcomers)
	oldest := books.Queue[:refill]
	s.stock(live, "second", refill)
	var fill sync.WaitGroup
	fill.Go(func() {
		for range 3 { // as the messages of three sources would have it
			if err := s.filler.Fill(t.Context(), order.FillPool(live), time.Now().Add(time.Minute)); err != nil {
				t.Errorf("fill: %v", err)
			}
		}
	})
	var late []int
	for n := range newcomers {
		late = append(late, orders+n)
	}
	s.race(late, 4, picture)
	fill.Wait()
	s.serveRequests(picture)
	books = dynamotest.Audit(t, s.tables)
	for _, id := range oldest {
		if line := books.Lines[id]; line.Allocated != line.Wanted {
			t.Errorf("order %s, one of the %d oldest, still waits", line.Order, refill)
		}
		picture.set(books.Lines[id].Order, served)
	}
	if len(books.Queue) != unservedByThen {
		t.Errorf("%d orders wait, want %d: somebody overtook", len(books.Queue), unservedByThen)
	}

	picture.say("%d more keys: everybody is served", enough)
	s.stock(live, "third", enough)
	s.fill()
	books = dynamotest.Audit(t, s.tables)
	if len(books.Queue) != 0 || books.Claimed != orders+newcomers {
		t.Errorf("at the end %d orders wait and %d keys are sold; want 0 and %d", len(books.Queue), books.Claimed, orders+newcomers)
	}
	for _, line := range books.Lines {
		if line.Allocated != 1 || line.Mail != "due" {
			t.Errorf("order %s holds %d keys, its mail is %q", line.Order, line.Allocated, line.Mail)
		}
		picture.set(line.Order, served)
	}
	picture.say("sold %d keys to %d orders in %d deliveries: no key twice, nobody overtaken",
		books.Claimed, len(books.Lines), orders*deliveries+newcomers)
}

// race claims for the numbered orders in that sequence, so many in flight at
// once, and returns every answer by order.
func (s *shop) race(numbers []int, inFlight int, picture *picture) map[int][]order.Fulfillment {
	s.t.Helper()
	var (
		mu      sync.Mutex
		answers = map[int][]order.Fulfillment{}
		running sync.WaitGroup
		next    = make(chan int)
	)
	for range inFlight {
		running.Go(func() {
			for n := range next {
				got, err := s.claims.Claim(context.Background(), paid(fmt.Sprint(n), "game", 1))
				if err != nil {
					s.t.Errorf("order %d: %v", n, err)
					continue
				}
				picture.set(fmt.Sprint(n), stateOf(got))
				mu.Lock()
				answers[n] = append(answers[n], got)
				mu.Unlock()
			}
		})
	}
	for _, n := range numbers {
		next <- n
	}
	close(next)
	running.Wait()
	return answers
}

// serveRequests does what the fill queue would: it serves what was asked for.
func (s *shop) serveRequests(picture *picture) {
	s.t.Helper()
	requests := s.fills.drain()
	if len(requests) == 0 {
		return
	}
	picture.say("%d requests for a fill", len(requests))
	s.must(s.filler.Fill(s.t.Context(), requests[0], time.Now().Add(time.Minute)))
}

func texts(f order.Fulfillment) []string {
	var texts []string
	for _, k := range f.Keys {
		texts = append(texts, k.Text.Reveal())
	}
	return texts
}

// TestRace_severalKeysEach races lines of 1 to 30 keys, so that takes are
// partial, share transactions and spill into chunks.
func TestRace_severalKeysEach(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 1))
	s := open(t)
	const orders, keys = 60, 300
	s.stock(live, "first", keys)
	var lines []order.Fulfillment
	due := 0
	for n := range orders {
		line := paid(fmt.Sprint(n), "game", 1+rng.IntN(30))
		due += line.Quantity
		lines = append(lines, line, line, line)
	}
	rng.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	var racing errgroup.Group
	racing.SetLimit(16)
	for _, line := range lines {
		racing.Go(func() error {
			_, err := s.claims.Claim(t.Context(), line)
			return err
		})
	}
	s.must(racing.Wait())
	s.fill()
	if books := dynamotest.Audit(t, s.tables); books.Claimed != min(keys, due) {
		t.Errorf("%d keys sold, want %d", books.Claimed, min(keys, due))
	}
	s.stock(live, "second", due)
	s.fill()
	if books := dynamotest.Audit(t, s.tables); books.Claimed != due || len(books.Queue) != 0 {
		t.Errorf("%d keys sold, want %d; %d lines wait", books.Claimed, due, len(books.Queue))
	}
}
