package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"keypool/shared/access"
	"keypool/shared/audit"
)

// tokenItem is an API token. It stands under its hash: the token itself is never stored.
type tokenItem struct {
	primaryKey
	V         int      `dynamodbav:"v"`
	Name      string   `dynamodbav:"name"`
	Scopes    []string `dynamodbav:"scopes"`
	Person    string   `dynamodbav:"person,omitempty"`
	Rate      int      `dynamodbav:"rate,omitempty"` // calls a minute
	CreatedAt int64    `dynamodbav:"createdAt"`
	ExpiresAt int64    `dynamodbav:"expiresAt,omitempty"`
}

// tokenUseItem says when a token was last used. It stands apart from the token, so that
// the function that merchants reach, which writes it, need not be able to write a token.
type tokenUseItem struct {
	primaryKey
	V      int   `dynamodbav:"v"`
	UsedAt int64 `dynamodbav:"usedAt"`
	Spent  int64 `dynamodbav:"spent,omitempty"` // up to when, see access.Gate; in microseconds
}

// PutToken stores a new API token, and the notices that tell of it: one transaction. Its
// error is catalog.ErrConflict if there is one of that hash.
func (s *Store) PutToken(ctx context.Context, t access.Token, with ...audit.Record) error {
	item := tokenItem{
		primaryKey: tokenKey(t.Merchant, t.Hash), V: schema, Name: t.Name, Person: t.Person, Rate: t.Rate,
		Scopes: access.Names(t.Scopes), CreatedAt: millis(t.CreatedAt), ExpiresAt: millis(t.ExpiresAt),
	}
	return wrap(s.putCatalog(ctx, item, absent, with...), "store a token of %s", t.Merchant)
}

// Token returns a merchant's API token by its hash, false if there is none: one
// consistent read, without its last use.
func (s *Store) Token(ctx context.Context, merchant, hash string) (access.Token, bool, error) {
	item, ok, err := getAs[tokenItem](ctx, s, s.tables.Catalog, tokenKey(merchant, hash), oldestInCatalog)
	if !ok {
		return access.Token{}, false, wrap(err, "read a token of %s", merchant)
	}
	return item.token(merchant), true, nil
}

// Tokens returns a merchant's API tokens, with their last use.
func (s *Store) Tokens(ctx context.Context, merchant string) ([]access.Token, error) {
	var items []tokenItem
	var uses []tokenUseItem
	reading, ctx := errgroup.WithContext(ctx)
	reading.Go(func() (err error) {
		items, err = queryAs[tokenItem](ctx, s, inPartition(s.tables.Catalog, TokensPrefix+merchant), oldestInCatalog)
		return err
	})
	reading.Go(func() (err error) {
		uses, err = queryAs[tokenUseItem](ctx, s, inPartition(s.tables.Catalog, TokenUsesPrefix+merchant), oldestInCatalog)
		return err
	})
	if err := reading.Wait(); err != nil {
		return nil, wrap(err, "list the tokens of %s", merchant)
	}
	usedAt := map[string]time.Time{}
	for _, use := range uses {
		usedAt[use.SK] = at(use.UsedAt)
	}
	var tokens []access.Token
	for _, item := range items {
		t := item.token(merchant)
		t.UsedAt = usedAt[t.Hash]
		tokens = append(tokens, t)
	}
	return tokens, nil
}

// UseToken implements access.Uses: one write, or two by a token that has rested and spends again.
func (s *Store) UseToken(ctx context.Context, t access.Token, now time.Time, spent time.Duration) (time.Time, error) {
	key := tokenUseKey(t.Merchant, t.Hash)
	write := func(c condition, change func(*update)) (attrs, error) {
		u := newUpdate(c)
		u.set("v", number(schema))
		u.set("usedAt", number(millis(now)))
		change(u)
		return s.writeAndRead(ctx, u.write(s.tables.Catalog, key))
	}
	if spent == 0 {
		item, err := write(always, func(*update) {})
		return time.UnixMicro(numberOf(item["spent"])).UTC(), wrap(err, "note the use of a token of %s", t.Merchant)
	}
	moment := attrs{":moment": number(now.UnixMicro())}
	item, err := write(condition{expression: "spent > :moment", values: moment}, func(u *update) { u.add("spent", int(spent.Microseconds())) })
	if _, rested := failedCondition(err, 0); rested {
		item, err = write(condition{expression: "attribute_not_exists(spent) OR spent <= :moment", values: moment}, func(u *update) {
			u.set("spent", number(now.Add(spent).UnixMicro()))
		})
	}
	if err != nil {
		return time.Time{}, wrap(err, "note the use of a token of %s", t.Merchant)
	}
	return time.UnixMicro(numberOf(item["spent"])).UTC(), nil
}

// DeleteToken removes an API token, and what is known of its use. One that is gone already
// leaves no entry.
func (s *Store) DeleteToken(ctx context.Context, t access.Token, with ...audit.Record) error {
	there := condition{expression: "attribute_exists(pk)"}
	err := s.writeSetting(ctx, []types.TransactWriteItem{
		remove(s.tables.Catalog, tokenKey(t.Merchant, t.Hash), there),
		remove(s.tables.Catalog, tokenUseKey(t.Merchant, t.Hash), always),
	}, with)
	if _, gone := failedCondition(err, 0); gone {
		return nil
	}
	return wrap(err, "delete a token of %s", t.Merchant)
}

func (i tokenItem) token(merchant string) access.Token {
	t := access.Token{Hash: i.SK, Merchant: merchant, Name: i.Name, Person: i.Person, Rate: i.Rate, CreatedAt: at(i.CreatedAt), ExpiresAt: at(i.ExpiresAt)}
	for _, scope := range i.Scopes {
		t.Scopes = append(t.Scopes, access.Scope(scope))
	}
	return t
}
