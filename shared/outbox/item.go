package outbox

import "errors"

// ErrUnreadable means that an item cannot be read by this version of the program,
// or at all. Trying it again does not help.
var ErrUnreadable = errors.New("the item cannot be read")

// ItemKind is a kind of item that is mailed.
type ItemKind string

// The kinds of items that are mailed.
const (
	Lines   ItemKind = "line"   // the ID is an order.LineID
	Notices ItemKind = "notice" // the ID is that of a notice
)

// Item names one item that is mailed.
type Item struct {
	Kind ItemKind
	ID   string
}

// LineItem names a line.
func LineItem(id string) Item { return Item{Lines, id} }

// NoticeItem names a notice.
func NoticeItem(id string) Item { return Item{Notices, id} }
