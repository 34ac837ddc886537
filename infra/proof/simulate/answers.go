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

// answers records the calls of platforms, the answers to them and the dropped files. The
// promise is about these.
type answers struct {
	w *world

	mu     sync.Mutex
	claims []claimAnswer
	files  map[string]*file // by name
}

// claimAnswer is one call for one line, and its answer.
type claimAnswer struct {
	line     paidLine
	id       order.LineID
	asked    time.Time
	answered time.Time // zero: no answer arrived
	changed  bool      // the answer: the line exists with other content
	version  int       // of the line in the answer
	held     int
	keys     []string // IDs of those in the answer
	notice   string   // the notice that the merchant must get, "" for none
}

// file is a key file that was dropped.
type file struct {
	upload dropFile
	lost   bool // all its events were lost, so it may stay unread
}

func newAnswers(w *world) *answers { return &answers{w: w, files: make(map[string]*file)} }

// noteClaim records the answer for a line, and returns the error that makes the platform
// repeat the call.
func (a *answers) noteClaim(line paidLine, id order.LineID, asked time.Time, got order.Fulfillment, notice string, err error) error {
	c := claimAnswer{line: line, id: id, asked: asked}
	var changed *claim.MismatchError
	switch {
	case err == nil:
		c.answered, c.version, c.held, c.notice = time.Now(), got.Version, got.Allocated, notice
		for _, k := range got.Keys {
			c.keys = append(c.keys, string(k.ID))
		}
		if got.Product != line.product || got.Quantity != line.quantity {
			a.w.ledger.report("%s of %d x %s was answered with %d x %s", a.w.ledger.name(id), line.quantity, line.product, got.Quantity, got.Product)
		}
	case errors.As(err, &changed):
		c.answered, c.changed, c.notice, err = time.Now(), true, notice, nil
		a.w.count("changed repeat refused")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.claims = append(a.claims, c)
	return err
}

func (a *answers) noteFile(u dropFile, o upload.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files[o.Name] = &file{upload: u}
}

func (a *answers) noteEventLost(o upload.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files[o.Name].lost = true
}

// keyTexts returns the texts of the keys in a file that can be stored, each once.
func (f *file) keyTexts() []string {
	var texts []string
	for _, line := range f.upload.lines {
		if strings.HasPrefix(line, "K") && len(line) <= ingest.MaxLine {
			texts = append(texts, line)
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}
