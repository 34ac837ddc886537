package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// The code of a product is a key of its own state, which stands in no shard: no claim finds it
// among keys for sale. Its item says whose code it is, and that it is that at this moment.

// Code implements claim.KeyStore: one consistent read.
func (s *Store) Code(ctx context.Context, code catalog.Code) (pool.Key, bool, error) {
	keys := []attrs{licenseKey(code.Key).attrs()}
	items, err := s.batchGet(ctx, retry.BackOff{Tries: 1}, s.tables.Keys, keys, "text", "state", "codeOf", "current", "blockedAt")
	if err != nil {
		return pool.Key{}, false, fmt.Errorf("read the code of product %s: %w", code.Product, err)
	}
	if len(items) == 0 {
		return pool.Key{}, false, nil
	}
	item := items[0]
	given := stringOf(item["state"]) == string(pool.KeyShared) && stringOf(item["codeOf"]) == code.Product &&
		item["current"] != nil && item["blockedAt"] == nil
	return pool.Key{ID: code.Key, Text: pool.Conceal(stringOf(item["text"]))}, given, nil
}

// PutCodes stores a product with other codes, in one transaction with their keys: a key that
// becomes a code only if there is no such key, or it was a code before, is no product's now,
// and is not blocked; and only if the other side has no key of its text. Keys that are the
// product's code no more stay what they are, for the lines that have them. It fails with
// retry.ErrChanged if a key is not as it should be, else as PutProduct does.
func (s *Store) PutCodes(ctx context.Context, p catalog.Product, codes []catalog.NewCode, former []pool.KeyID, with audit.Record) error {
	by, now := with.Entry.By, with.Entry.At
	beside := beside{refused: retry.ErrChanged}
	for _, code := range codes {
		beside.writes = append(beside.writes, s.share(code, p.ID, by, now), check(s.tables.Keys, licenseKey(code.OtherSide), absent))
	}
	for _, key := range former {
		beside.writes = append(beside.writes, s.unshare(key, by, now))
	}
	return wrap(s.putProduct(ctx, p, beside, []audit.Record{with}), "store the codes of product %s of %s", p.ID, p.Merchant)
}

// mayBeCode holds of a key that is not there, and of one that was a code before, is no
// product's now, and is not blocked.
var mayBeCode = condition{
	"attribute_not_exists(pk) OR #state = :state AND attribute_not_exists(#current) AND attribute_not_exists(blockedAt)", nil,
}

// share makes a key the code of a product.
func (s *Store) share(code catalog.NewCode, product, by string, now time.Time) types.TransactWriteItem {
	u := newUpdate(mayBeCode)
	u.set("v", number(schema))
	u.set("state", text(string(pool.KeyShared)))
	u.set("text", text(code.Text.Reveal()))
	u.set("codeOf", text(product))
	u.set("current", &types.AttributeValueMemberBOOL{Value: true})
	u.insert("history", pool.KeyEvent{At: now, What: pool.KeyShare, By: by}.String())
	return u.write(s.tables.Keys, licenseKey(code.Key))
}

// unshare has a key be no product's code any more.
func (s *Store) unshare(key pool.KeyID, by string, now time.Time) types.TransactWriteItem {
	u := newUpdate(condition{expression: "attribute_exists(pk)"})
	u.remove("current")
	u.insert("history", pool.KeyEvent{At: now, What: pool.KeyUnshare, By: by}.String())
	return u.write(s.tables.Keys, licenseKey(key))
}
