package dynamo

import (
	"context"

	"keypool/shared/catalog"
)

// callsItem counts the webhooks of an account, in the catalog. Function webhook writes
// it, beside the counts of pools: it cannot write the account.
type callsItem struct {
	V            int   `dynamodbav:"v"`
	LastSeenAt   int64 `dynamodbav:"lastSeenAt"`
	Failed       int   `dynamodbav:"failed"`
	LastFailedAt int64 `dynamodbav:"lastFailedAt"`
}

// AddCalls adds to the webhooks of an account. Times that more does not tell stay.
func (s *Store) AddCalls(ctx context.Context, merchant, account string, more catalog.Calls) error {
	u := newUpdate(always)
	u.set("v", number(schema))
	u.add("failed", more.Failed)
	if !more.LastSeenAt.IsZero() {
		u.set("lastSeenAt", number(millis(more.LastSeenAt)))
	}
	if !more.LastFailedAt.IsZero() {
		u.set("lastFailedAt", number(millis(more.LastFailedAt)))
	}
	err := s.addOnce(ctx, u.write(s.tables.Catalog, callsKey(merchant, account)))
	return wrap(err, "count the webhooks of account %s of %s", account, merchant)
}

// Calls returns the webhooks of an account.
func (s *Store) Calls(ctx context.Context, merchant, account string) (catalog.Calls, error) {
	item, _, err := getAs[callsItem](ctx, s, s.tables.Catalog, callsKey(merchant, account), oldestInCatalog)
	return catalog.Calls{LastSeenAt: at(item.LastSeenAt), Failed: item.Failed, LastFailedAt: at(item.LastFailedAt)},
		wrap(err, "read the webhooks of account %s of %s", account, merchant)
}
