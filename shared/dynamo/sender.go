package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/retry"
)

// senderItem is a merchant's own sender. The domain has an item of its own, which one
// merchant has at a time.
type senderItem struct {
	primaryKey
	V             int      `dynamodbav:"v"`
	Version       int      `dynamodbav:"version"`
	Address       string   `dynamodbav:"address"`
	MailFrom      string   `dynamodbav:"mailFrom"`
	State         string   `dynamodbav:"state"`
	Tokens        []string `dynamodbav:"tokens,omitempty"`
	Zone          string   `dynamodbav:"zone,omitempty"`
	UnprovenSince int64    `dynamodbav:"unprovenSince,omitempty"`
	LookedAt      int64    `dynamodbav:"lookedAt"`
	Due           string   `dynamodbav:"due,omitempty"`
	DueAt         int64    `dynamodbav:"dueAt,omitempty"`
}

type domainItem struct {
	primaryKey
	V        int    `dynamodbav:"v"`
	Merchant string `dynamodbav:"merchant"`
	FreeAt   int64  `dynamodbav:"freeAt,omitempty"`  // another merchant may take it from then on
	GivenUp  bool   `dynamodbav:"givenUp,omitempty"` // or at once: the item only says that the time of this one has begun
}

func newSenderItem(s catalog.Sender) senderItem {
	item := senderItem{
		primaryKey: senderKey(s.Merchant), V: schema, Version: s.Version,
		Address: s.Address, MailFrom: s.MailFrom, State: string(s.State), Tokens: s.Tokens, Zone: s.Zone,
		UnprovenSince: millis(s.UnprovenSince), LookedAt: millis(s.LookedAt),
	}
	if !s.DueAt.IsZero() {
		item.Due, item.DueAt = duePartition(item.PK+item.SK), millis(s.DueAt)
	}
	return item
}

func (i senderItem) sender() catalog.Sender {
	return catalog.Sender{
		Merchant: i.merchant(), Version: i.Version,
		Address: i.Address, MailFrom: i.MailFrom, State: catalog.SenderState(i.State), Tokens: i.Tokens, Zone: i.Zone,
		UnprovenSince: at(i.UnprovenSince), LookedAt: at(i.LookedAt), DueAt: at(i.DueAt),
	}
}

// Sender returns a merchant's own sender, of version 0 if it has none.
func (s *Store) Sender(ctx context.Context, merchant string) (catalog.Sender, error) {
	item, ok, err := getAs[senderItem](ctx, s, s.tables.Catalog, senderKey(merchant), oldestInCatalog)
	if !ok {
		return catalog.Sender{Merchant: merchant}, wrap(err, "read the sender of %s", merchant)
	}
	return item.sender(), nil
}

// PutSender stores a merchant's sender with its domain, and gives up the domain of another
// address: one transaction. The error is catalog.ErrTaken if another merchant has the domain.
func (s *Store) PutSender(ctx context.Context, next catalog.Sender, now time.Time, with ...audit.Record) error {
	free, err := s.freeDomain(ctx, next)
	if err != nil {
		return wrap(err, "store the sender of %s", next.Merchant)
	}
	domain := domainItem{primaryKey: domainKey(next.Domain()), V: schema, Merchant: next.Merchant, FreeAt: millis(next.FreeAt())}
	takes := condition{"attribute_not_exists(pk) OR merchant = :merchant OR freeAt <= :now OR givenUp = :true", attrs{
		":merchant": text(next.Merchant), ":now": number(millis(now)), ":true": &types.AttributeValueMemberBOOL{Value: true},
	}}
	version := next.Version
	next.Version++
	err = s.putCatalogWith(ctx, newSenderItem(next), locked(version), beside{
		writes: append([]types.TransactWriteItem{put(s.tables.Catalog, encode(domain), takes)}, free...), refused: catalog.ErrTaken,
	}, with)
	return wrap(err, "store the sender of %s", next.Merchant)
}

// UnprovenSince returns since when a domain is a merchant's and not proven, whether the merchant
// has given it up since or not; zero if another merchant took it, and of one that is proven.
func (s *Store) UnprovenSince(ctx context.Context, merchant, domain string) (time.Time, error) {
	item, ok, err := getAs[domainItem](ctx, s, s.tables.Catalog, domainKey(domain), oldestInCatalog)
	if !ok || item.Merchant != merchant || item.FreeAt == 0 {
		return time.Time{}, wrap(err, "read whose domain it is")
	}
	return at(item.FreeAt).Add(-catalog.ProveWithin), nil
}

// freeDomain returns the write that gives up the domain of the sender as it is stored,
// none if the next one has the same domain, or another merchant has taken it. The domain is
// free at once. Of one that was not proven is kept when its time began: see UnprovenSince.
func (s *Store) freeDomain(ctx context.Context, next catalog.Sender) ([]types.TransactWriteItem, error) {
	there, err := s.Sender(ctx, next.Merchant)
	if err != nil || there.Version == 0 || next.Address != "" && there.Domain() == next.Domain() {
		return nil, err
	}
	domain, ok, err := getAs[domainItem](ctx, s, s.tables.Catalog, domainKey(there.Domain()), oldestInCatalog)
	if !ok || domain.Merchant != next.Merchant {
		return nil, err
	}
	domain.GivenUp = true
	return []types.TransactWriteItem{put(s.tables.Catalog, encode(domain), ofMerchant(next.Merchant))}, nil
}

func ofMerchant(merchant string) condition {
	return condition{"merchant = :merchant", attrs{":merchant": text(merchant)}}
}

// DeleteSender removes a merchant's sender, if it is still of that version, and gives up its
// domain.
func (s *Store) DeleteSender(ctx context.Context, merchant string, version int, with ...audit.Record) error {
	free, err := s.freeDomain(ctx, catalog.Sender{Merchant: merchant})
	if err != nil {
		return wrap(err, "delete the sender of %s", merchant)
	}
	writes := append([]types.TransactWriteItem{remove(s.tables.Catalog, senderKey(merchant), locked(version))}, free...)
	return wrap(s.deleteCatalog(ctx, writes, with...), "delete the sender of %s", merchant)
}

// SaveLook stores a sender as a look found it, with what is told of it, and until when its
// domain is kept: all or nothing. It fails with retry.ErrChanged if the sender is not as
// that look saw it any more, or if its domain is another merchant's.
func (s *Store) SaveLook(ctx context.Context, seen, found catalog.Sender, tell ...notice.Notice) error {
	asSeen := condition{"version = :from AND lookedAt = :looked", attrs{":from": number(seen.Version), ":looked": number(millis(seen.LookedAt))}}
	writes := []types.TransactWriteItem{put(s.tables.Catalog, encode(newSenderItem(found)), asSeen)}
	if !found.FreeAt().Equal(seen.FreeAt()) {
		kept := newUpdate(ofMerchant(found.Merchant))
		kept.set("v", number(schema))
		if found.FreeAt().IsZero() {
			kept.remove("freeAt")
		} else {
			kept.set("freeAt", number(millis(found.FreeAt())))
		}
		writes = append(writes, kept.write(s.tables.Catalog, domainKey(found.Domain())))
	}
	err := s.writeAndTell(ctx, tell, writes...)
	if anyConditionFailed(err) {
		return retry.ErrChanged
	}
	return wrap(err, "store a look at the sender of %s", seen.Merchant)
}
