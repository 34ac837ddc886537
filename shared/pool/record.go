package pool

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// ErrUnknownKey means that no pool of the merchant has the key, nor ever had it.
var ErrUnknownKey = errors.New("no such key")

// Record is what is known of a stored key, but for its text.
type Record struct {
	ID     KeyID
	Side   Side
	Pool   string
	State  KeyState
	Upload string // the upload that brought it
	Offset int64  // of its line in the upload's file
	Row    int    // of its line in the part of the file that was loaded at one go, from 1; 0: not known

	Line   string    // that holds it or held it last; empty: none does, or it is for sale again
	SoldAt time.Time // when the order of that line came in

	Shard     string    // of its pool side that it is for sale in; empty: it is not for sale
	BlockedAt time.Time // zero: it is not blocked

	// CodeOf is the product that it is the code of, or was last; empty: it never was any's.
	// Current says that it is.
	CodeOf  string
	Current bool

	// History is what happened to it since it was uploaded and before its last sale,
	// oldest first.
	History []KeyEvent
}

// StoredKey is a stored key with its text.
type StoredKey struct {
	Record
	Text Secret
}

// Since reports whether one of these events happened to the key at that moment or later.
func (r Record) Since(moment time.Time, events ...KeyEventKind) bool {
	return slices.ContainsFunc(r.History, func(e KeyEvent) bool {
		return !e.At.Before(moment) && slices.Contains(events, e.What)
	})
}

// Source is where a key came from.
type Source struct {
	Upload string
	Barred bool // its upload was withdrawn, or the key is blocked: it is not put on sale again
}

// KeyEvent is one thing that happened to a key. The same event written twice is one.
type KeyEvent struct {
	At    time.Time
	What  KeyEventKind
	About string // the line that it was sold to or came back from, or the job that changed it; empty: neither
	By    string // who did it, or asked for the job; empty: nobody in person
}

// ByJob reports whether a job did it, and no line.
func (e KeyEvent) ByJob() bool { return e.What == KeyTakenOffSale || e.What == KeyMoved }

// KeyEventKind is the kind of an event in the history of a key.
type KeyEventKind string

// The events of a key. Tables carry these words.
const (
	KeyUploaded    KeyEventKind = "uploaded"
	KeySold        KeyEventKind = "sold"
	KeyRevokedBy   KeyEventKind = "revoked"   // a line gave it back, and nobody may use it
	KeyKeptBy      KeyEventKind = "kept"      // a line gave it back, and its customer may go on using it
	KeyRestockedBy KeyEventKind = "restocked" // a line gave it back, and it is for sale again

	KeyTakenOffSale KeyEventKind = "withdrawn" // a job withdrew it
	KeyMoved        KeyEventKind = "moved"     // a job moved it to another pool
	KeyShare        KeyEventKind = "shared"    // it became the code of a product
	KeyUnshare      KeyEventKind = "unshared"  // it is not the code of that product any more
	KeyBlocked      KeyEventKind = "blocked"   // it leaked, or was sold elsewhere: nobody is sold it from then on
)

// String returns the event as tables carry it; see ParseKeyEvent.
func (e KeyEvent) String() string {
	s := fmt.Sprintf("%013d#%s#%s", e.At.UnixMilli(), e.What, e.About)
	if e.By != "" {
		s += "#" + e.By
	}
	return s
}

// ParseKeyEvent reads what KeyEvent.String returned.
func ParseKeyEvent(s string) (KeyEvent, error) {
	parts := strings.SplitN(s, "#", 4)
	ms, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || len(parts) < 3 {
		return KeyEvent{}, errors.New("an entry of a key's history that cannot be read")
	}
	e := KeyEvent{At: time.UnixMilli(ms).UTC(), What: KeyEventKind(parts[1]), About: parts[2]}
	if len(parts) == 4 {
		e.By = parts[3]
	}
	return e, nil
}

// turns is the order of events of one moment: a key is sold before it is given back.
var turns = []KeyEventKind{KeyUploaded, KeySold}

// SortEvents orders events by time.
func SortEvents(events []KeyEvent) {
	turn := func(e KeyEvent) int {
		if i := slices.Index(turns, e.What); i >= 0 {
			return i
		}
		return len(turns)
	}
	slices.SortFunc(events, func(a, b KeyEvent) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(turn(a), turn(b)))
	})
}

// MaxKey is the length of the longest key, in bytes of UTF-8. A link to a file is a key too, and
// links are long.
const MaxKey = 2048

// TrimKey returns the text of a key without what is around it: see Around.
func TrimKey(text string) string { return strings.TrimFunc(text, Around) }

// Around reports whether a character at the beginning or the end of a line is no part
// of its key: white space, characters without a width that come along when text is
// copied from a page, and what the end of a file was once marked with, Ctrl-Z. Files
// put together from several have that, and byte order marks, in their middle.
func Around(c rune) bool {
	switch c {
	case '\uFEFF', // byte order mark
		'\u200B', '\u2060', // zero-width space, word joiner
		'\u200C', '\u200D', // zero-width non-joiner and joiner
		'\u200E', '\u200F', // left-to-right and right-to-left marks
		'\x1A': // Ctrl-Z
		return true
	}
	return unicode.IsSpace(c)
}
