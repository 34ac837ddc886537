package simulate

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"keypool/shared/claim"
	"keypool/shared/ingest"
	"keypool/shared/order"
	"keypool/shared/upload"
)

// answers keeps what was asked from outside and what was answered: the promise
// is about these.
type answers struct {
	w *world

	mu     sync.Mutex
	claims []claimed
	files  map[string]*file // by name
}

// claimed is one call for one line.
type claimed struct {
	line     paidLine
	id       order.LineID
	asked    time.Time
	answered time.Time // zero: nobody knows what came of it
	changed  bool      // answered that the line is there with other content
	version  int       // of the record that was answered
	held     int
	keys     []string // of them, as far as the answer showed them
	told     string   // the notice that the merchant must have of it
}

// file is a key file that was dropped.
type file struct {
	upload dropped
	lost   bool // no event of it came through: nobody knows of it
}

func newAnswers(w *world) *answers { return &answers{w: w, files: make(map[string]*file)} }

// claimed takes in the answer for a line, and returns what is left for the
// platform to call again about.
func (a *answers) claimed(line paidLine, id order.LineID, asked time.Time, got order.Fulfillment, told string, err error) error {
	c := claimed{line: line, id: id, asked: asked}
	var changed *claim.MismatchError
	switch {
	case err == nil:
		c.answered, c.version, c.held, c.told = time.Now(), got.Version, got.Allocated, told
		for _, k := range got.Keys {
			c.keys = append(c.keys, string(k.ID))
		}
		if got.Product != line.product || got.Quantity != line.quantity {
			a.w.ledger.report("%s of %d x %s was answered with %d x %s", a.w.ledger.name(id), line.quantity, line.product, got.Quantity, got.Product)
		}
	case errors.As(err, &changed):
		c.answered, c.changed, c.told, err = time.Now(), true, told, nil
		a.w.count("changed repeat refused")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.claims = append(a.claims, c)
	return err
}

func (a *answers) dropped(u dropped, o upload.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files[o.Name] = &file{upload: u}
}

func (a *answers) eventLost(o upload.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files[o.Name].lost = true
}

// texts returns the texts of the keys in a file that can be stored, each once.
func (f *file) texts() []string {
	var texts []string
	for _, line := range f.upload.lines {
		if strings.HasPrefix(line, "K") && len(line) <= ingest.MaxLine {
			texts = append(texts, line)
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}
