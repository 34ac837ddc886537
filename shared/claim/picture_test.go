package claim_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"keypool/shared/order"
)

// picture draws a race in the terminal while it runs: a cell an order.
type picture struct {
	mu     sync.Mutex
	cells  []cell
	line   string
	drawn  bool
	stop   chan struct{}
	ended  chan struct{}
	hidden bool
}

type cell int

const (
	coming cell = iota
	waiting
	served
)

// Each cell's look: nothing yet, waiting for a key, has its key.
var looks = []string{"\x1b[90m·\x1b[0m", "\x1b[33m◌\x1b[0m", "\x1b[32m●\x1b[0m"}

func newPicture(show bool, orders int) *picture {
	p := &picture{cells: make([]cell, orders), hidden: !show, stop: make(chan struct{}), ended: make(chan struct{})}
	if p.hidden {
		return p
	}
	go func() {
		defer close(p.ended)
		for {
			p.draw()
			select {
			case <-p.stop:
				p.draw()
				return
			case <-time.After(80 * time.Millisecond):
			}
		}
	}()
	return p
}

func stateOf(f order.Fulfillment) cell {
	if f.State() == order.Fulfilled {
		return served
	}
	return waiting
}

func (p *picture) set(number string, to cell) {
	n, err := strconv.Atoi(number)
	if err != nil {
		panic(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cells[n] = max(p.cells[n], to)
}

func (p *picture) say(format string, args ...any) {
	p.mu.Lock()
	p.line = fmt.Sprintf(format, args...)
	p.mu.Unlock()
}

func (p *picture) end() {
	if !p.hidden {
		close(p.stop)
		<-p.ended
	}
}

const width = 60

func (p *picture) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out strings.Builder
	rows := (len(p.cells)+width-1)/width + 3
	if p.drawn {
		fmt.Fprintf(&out, "\x1b[%dA", rows)
	}
	p.drawn = true
	var counts [3]int
	for i, c := range p.cells {
		counts[c]++
		out.WriteString(looks[c])
		if i%width == width-1 || i == len(p.cells)-1 {
			out.WriteString("\x1b[K\n")
		}
	}
	fmt.Fprintf(&out, "\x1b[K\n%s %d have their key   %s %d wait   %s %d to come\x1b[K\n%s\x1b[K\n",
		looks[served], counts[served], looks[waiting], counts[waiting], looks[coming], counts[coming], p.line)
	os.Stdout.WriteString(out.String())
}
