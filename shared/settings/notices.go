package settings

import (
	"context"

	"keypool/shared/notice"
)

// Notices lists what was mailed to a merchant.
type Notices struct{ Store NoticeList }

// NoticeList reads notices.
type NoticeList interface {
	// NoticesOf returns up to limit notices to a merchant, the newest first, after the place of
	// the page before, "" to begin with, and the place to go on after, "" on the last page. Its
	// error is order.ErrPlace for a place that is none.
	NoticesOf(ctx context.Context, merchant string, after notice.Place, limit int) (list []notice.Notice, next notice.Place, err error)
}

// List returns a page of what was mailed to a merchant: see NoticeList.
func (s *Notices) List(ctx context.Context, merchant, after string, limit int) (list []notice.Notice, next string, err error) {
	list, place, err := s.Store.NoticesOf(ctx, merchant, notice.Place(after), limit)
	return list, string(place), err
}
