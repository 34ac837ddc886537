package dynamo

import (
	"context"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/notice"
	"keypool/shared/order"
)

// correctionsKept is how much longer than its hour a count of corrections is kept.
const correctionsKept = time.Hour

// Correct writes the change of a line whose address is corrected, with the notices that tell
// of it, and counts the correction in its hour, of its order and of the merchant: one
// transaction. Its errors are those of Commit, and *order.CorrectionLimitError. A correction
// that was counted before is not counted again: the lines of an order that one act corrects
// are one correction.
//
// The most is a condition of the write that counts: of two that come at once for the last
// place, one is refused.
func (s *Store) Correct(ctx context.Context, change order.Change, is order.Correction, tell ...notice.Notice) error {
	for counted := false; ; counted = true {
		c, err := s.commitOf(ctx, []order.Change{change})
		if err != nil {
			return err
		}
		ofOrder, ofMerchant := len(c.writes), len(c.writes)+1
		if !counted {
			c.add(s.countCorrection(correctionsKey(is.Merchant, is.At, is.OrderID), is, order.CorrectionsOfOrder), subject{kind: existingLine})
			c.add(s.countCorrection(correctionsKey(is.Merchant, is.At, ""), is, order.CorrectionsOfMerchant), subject{kind: existingLine})
		}
		for _, n := range tell {
			write, ok, err := s.noticeWrite(ctx, n)
			if err != nil {
				return err
			}
			if ok {
				c.add(write, subject{kind: existingLine})
			}
		}
		err = s.transact(ctx, &c.transaction)
		if counted {
			return c.answer(err)
		}
		byOrder, full := failedCondition(err, ofOrder)
		byMerchant, alsoFull := failedCondition(err, ofMerchant)
		if !full && !alsoFull {
			return c.answer(err)
		}
		if byOrder[correctionName(is)] == nil && byMerchant[correctionName(is)] == nil {
			return &order.CorrectionLimitError{OfOrder: full, In: is.At.Truncate(time.Hour).Add(time.Hour).Sub(is.At)}
		}
	}
}

// countCorrection returns the write that counts a correction, unless it is counted, or there
// are so many. Each is an attribute.
func (s *Store) countCorrection(key primaryKey, is order.Correction, most int) types.TransactWriteItem {
	u := newUpdate(condition{"attribute_not_exists(#correction) AND (attribute_not_exists(#corrections) OR #corrections < :most)", attrs{":most": number(most)}})
	u.name("#correction", correctionName(is))
	u.values[":here"] = number(1)
	u.sets = append(u.sets, "#correction = :here")
	u.set("v", number(schema))
	u.set(ExpiresAttribute, number(is.At.Truncate(time.Hour).Add(time.Hour+correctionsKept).Unix()))
	u.add("corrections", 1)
	return u.write(s.tables.Orders, key)
}

func correctionName(is order.Correction) string {
	return is.OrderID + "#" + strconv.Itoa(is.Number) + "#" + is.Hash
}
