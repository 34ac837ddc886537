package dynamo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/catalog"
)

// What a merchant sets up. Reads are strongly consistent; whoever asks too often
// for that keeps a catalog.Cache. A Put stores what it is given as the version
// after the one it names, if the table still holds that one: version 0 creates.
// It fails with catalog.ErrConflict or catalog.ErrMissing otherwise.

const saltSize = 32

type merchantItem struct {
	PK            string   `dynamodbav:"pk"`
	SK            string   `dynamodbav:"sk"`
	V             int      `dynamodbav:"v"`
	Kind          string   `dynamodbav:"kind"`
	Version       int      `dynamodbav:"version"`
	Title         string   `dynamodbav:"title,omitempty"`
	NoticeAddress string   `dynamodbav:"noticeAddress,omitempty"`
	SenderName    string   `dynamodbav:"senderName,omitempty"`
	ReplyTo       string   `dynamodbav:"replyTo,omitempty"`
	Logo          string   `dynamodbav:"logo,omitempty"`
	Languages     []string `dynamodbav:"languages,omitempty"`
	TimeZone      string   `dynamodbav:"timeZone,omitempty"`
	DefaultPool   string   `dynamodbav:"defaultPool,omitempty"`
	Salt          []byte   `dynamodbav:"salt"`
}

type poolItem struct {
	PK       string `dynamodbav:"pk"`
	SK       string `dynamodbav:"sk"`
	V        int    `dynamodbav:"v"`
	Kind     string `dynamodbav:"kind"`
	Version  int    `dynamodbav:"version"`
	Title    string `dynamodbav:"title,omitempty"`
	LowStock int    `dynamodbav:"lowStock"`
	Reminder int64  `dynamodbav:"reminder"` // milliseconds
	Shards   int    `dynamodbav:"shards"`
}

type productItem struct {
	PK           string              `dynamodbav:"pk"`
	SK           string              `dynamodbav:"sk"`
	V            int                 `dynamodbav:"v"`
	Version      int                 `dynamodbav:"version"`
	Title        string              `dynamodbav:"title,omitempty"`
	ShortTitle   string              `dynamodbav:"shortTitle,omitempty"`
	Pool         string              `dynamodbav:"pool,omitempty"`
	Pools        map[string]string   `dynamodbav:"pools,omitempty"` // by currency
	Mode         string              `dynamodbav:"mode"`
	Count        int                 `dynamodbav:"count"`
	Texts        map[string]textItem `dynamodbav:"texts,omitempty"` // by language
	Instructions string              `dynamodbav:"instructions,omitempty"`
	Download     string              `dynamodbav:"download,omitempty"`
	Original     string              `dynamodbav:"original,omitempty"`
	Ignored      bool                `dynamodbav:"ignored,omitempty"`
}

type textItem struct {
	Subject string `dynamodbav:"subject,omitempty"`
	Body    string `dynamodbav:"body,omitempty"`
}

type platformItem struct {
	PK      string       `dynamodbav:"pk"`
	SK      string       `dynamodbav:"sk"`
	V       int          `dynamodbav:"v"`
	Version int          `dynamodbav:"version"`
	Secrets []secretItem `dynamodbav:"secrets,omitempty"`
}

type secretItem struct {
	Blob      []byte `dynamodbav:"blob"`
	CreatedAt int64  `dynamodbav:"createdAt"`
	ExpiresAt int64  `dynamodbav:"expiresAt,omitempty"`
}

type tokenItem struct {
	PK        string `dynamodbav:"pk"`
	SK        string `dynamodbav:"sk"`
	V         int    `dynamodbav:"v"`
	Kind      string `dynamodbav:"kind"` // token#<m>: finds a merchant's tokens, so that they can be revoked
	Merchant  string `dynamodbav:"merchant"`
	CreatedAt int64  `dynamodbav:"createdAt"`
}

// The sort keys of a merchant's things.
const (
	merchantSort   = "merchant"
	poolSort       = "pool#"
	productSort    = "product#"
	platformSort   = "platform#"
	tokenSort      = "token"
	merchantPrefix = "merchant#"
	tokenPrefix    = "token#"
)

// Merchant returns a merchant's settings, false if there is no such merchant.
func (s *Store) Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error) {
	var item merchantItem
	if ok, err := s.catalogItem(ctx, merchantPrefix+name, merchantSort, &item); !ok {
		return catalog.Merchant{}, false, wrap(err, "read merchant %s", name)
	}
	return item.merchant(), true, nil
}

// PutMerchant stores a merchant's settings. A merchant that is created without a
// salt is given one; afterwards its salt can never be another.
func (s *Store) PutMerchant(ctx context.Context, m catalog.Merchant) error {
	if m.Version == 0 && len(m.Salt) == 0 {
		m.Salt = make([]byte, saltSize)
		rand.Read(m.Salt)
	}
	item := merchantItem{
		PK: merchantPrefix + m.Name, SK: merchantSort, V: schema, Kind: "merchant", Version: m.Version + 1,
		Title: m.Title, NoticeAddress: m.NoticeAddress, SenderName: m.SenderName, ReplyTo: m.ReplyTo,
		Logo: m.Logo, Languages: m.Languages, TimeZone: m.TimeZone, DefaultPool: m.DefaultPool, Salt: m.Salt,
	}
	put := changeFrom(m.Version)
	if m.Version > 0 {
		put.condition += " AND salt = :salt"
		put.values[":salt"] = &types.AttributeValueMemberB{Value: m.Salt}
	}
	return wrap(s.putCatalog(ctx, item, put), "store merchant %s", m.Name)
}

// Pool returns the settings of a merchant's pool, false if there is no such pool.
func (s *Store) Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error) {
	var item poolItem
	if ok, err := s.catalogItem(ctx, merchantPrefix+merchant, poolSort+name, &item); !ok {
		return catalog.Pool{}, false, wrap(err, "read pool %s of %s", name, merchant)
	}
	return item.pool(), true, nil
}

// Pools returns the settings of all of a merchant's pools, by name.
func (s *Store) Pools(ctx context.Context, merchant string) ([]catalog.Pool, error) {
	var pools []catalog.Pool
	items, err := queryCatalog[poolItem](ctx, s, merchantPrefix+merchant, poolSort, "", 0)
	for _, item := range items {
		pools = append(pools, item.pool())
	}
	return pools, wrap(err, "list the pools of %s", merchant)
}

// PutPool stores the settings of a pool. Its shards only ever grow, since keys
// stand in those it has.
func (s *Store) PutPool(ctx context.Context, p catalog.Pool) error {
	item := poolItem{
		PK: merchantPrefix + p.Merchant, SK: poolSort + p.Name, V: schema, Kind: "pool", Version: p.Version + 1,
		Title: p.Title, LowStock: p.LowStock, Reminder: p.Reminder.Milliseconds(), Shards: p.Shards,
	}
	put := changeFrom(p.Version)
	if p.Version > 0 {
		put.condition += " AND shards <= :shards"
		put.values[":shards"] = number(p.Shards)
	}
	return wrap(s.putCatalog(ctx, item, put), "store pool %s of %s", p.Name, p.Merchant)
}

// DeletePool removes the settings of a pool, if they are still of that version.
// Keys that come to it even so wait for a pool of its name.
func (s *Store) DeletePool(ctx context.Context, merchant, name string, version int) error {
	return wrap(s.deleteCatalog(ctx, merchantPrefix+merchant, poolSort+name, version), "delete pool %s of %s", name, merchant)
}

// Product returns a merchant's product, false if it is not known.
func (s *Store) Product(ctx context.Context, merchant, id string) (catalog.Product, bool, error) {
	var item productItem
	if ok, err := s.catalogItem(ctx, merchantPrefix+merchant, productSort+id, &item); !ok {
		return catalog.Product{}, false, wrap(err, "read product %s of %s", id, merchant)
	}
	return item.product(), true, nil
}

// Products returns up to limit of a merchant's products, by id, those after the
// one named; limit 0 returns all of them.
func (s *Store) Products(ctx context.Context, merchant, after string, limit int) ([]catalog.Product, error) {
	var products []catalog.Product
	items, err := queryCatalog[productItem](ctx, s, merchantPrefix+merchant, productSort, after, limit)
	for _, item := range items {
		products = append(products, item.product())
	}
	return products, wrap(err, "list the products of %s", merchant)
}

// PutProduct stores a product.
func (s *Store) PutProduct(ctx context.Context, p catalog.Product) error {
	item := productItem{
		PK: merchantPrefix + p.Merchant, SK: productSort + p.ID, V: schema, Version: p.Version + 1,
		Title: p.Title, ShortTitle: p.ShortTitle, Pool: p.Pool, Pools: p.PoolsByCurrency,
		Mode: string(p.Keys.Mode), Count: p.Keys.Count,
		Instructions: p.Instructions, Download: p.Download, Original: p.Original, Ignored: p.Ignored,
	}
	if len(p.Texts) > 0 {
		item.Texts = make(map[string]textItem, len(p.Texts))
		for language, text := range p.Texts {
			item.Texts[language] = textItem(text)
		}
	}
	return wrap(s.putCatalog(ctx, item, changeFrom(p.Version)), "store product %s of %s", p.ID, p.Merchant)
}

// DeleteProduct removes a product, if it is still of that version.
func (s *Store) DeleteProduct(ctx context.Context, merchant, id string, version int) error {
	return wrap(s.deleteCatalog(ctx, merchantPrefix+merchant, productSort+id, version), "delete product %s of %s", id, merchant)
}

// Platform returns a merchant's account with a payment platform, false if there is none.
func (s *Store) Platform(ctx context.Context, merchant, name string) (catalog.Platform, bool, error) {
	var item platformItem
	if ok, err := s.catalogItem(ctx, merchantPrefix+merchant, platformSort+name, &item); !ok {
		return catalog.Platform{}, false, wrap(err, "read platform %s of %s", name, merchant)
	}
	return item.platform(), true, nil
}

// Platforms returns all of a merchant's accounts with payment platforms, by name.
func (s *Store) Platforms(ctx context.Context, merchant string) ([]catalog.Platform, error) {
	var platforms []catalog.Platform
	items, err := queryCatalog[platformItem](ctx, s, merchantPrefix+merchant, platformSort, "", 0)
	for _, item := range items {
		platforms = append(platforms, item.platform())
	}
	return platforms, wrap(err, "list the platforms of %s", merchant)
}

// PutPlatform stores an account with a payment platform.
func (s *Store) PutPlatform(ctx context.Context, p catalog.Platform) error {
	item := platformItem{PK: merchantPrefix + p.Merchant, SK: platformSort + p.Name, V: schema, Version: p.Version + 1}
	for _, secret := range p.Secrets {
		item.Secrets = append(item.Secrets, secretItem{
			Blob: secret.Blob, CreatedAt: millis(secret.CreatedAt), ExpiresAt: millis(secret.ExpiresAt),
		})
	}
	return wrap(s.putCatalog(ctx, item, changeFrom(p.Version)), "store platform %s of %s", p.Name, p.Merchant)
}

// PutToken stores whose API token it is that hashes to hash. The token itself is
// never stored.
func (s *Store) PutToken(ctx context.Context, hash, merchant string, now time.Time) error {
	item := tokenItem{PK: tokenPrefix + hash, SK: tokenSort, V: schema, Kind: tokenPrefix + merchant, Merchant: merchant, CreatedAt: millis(now)}
	return wrap(s.putCatalog(ctx, item, changeFrom(0)), "store a token of %s", merchant)
}

// TokenMerchant returns whose API token it is that hashes to hash, false if it is nobody's.
func (s *Store) TokenMerchant(ctx context.Context, hash string) (string, bool, error) {
	var item tokenItem
	ok, err := s.catalogItem(ctx, tokenPrefix+hash, tokenSort, &item)
	return item.Merchant, ok, wrap(err, "read a token")
}

// catalogItem reads one item, strongly consistent, false if it is not there.
func (s *Store) catalogItem(ctx context.Context, pk, sk string, into versioned) (bool, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      aws.String(s.tables.Catalog),
		Key:            primary(pk, sk),
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return false, err
	}
	if out.Item == nil {
		return false, nil
	}
	if err := attributevalue.UnmarshalMap(out.Item, into); err != nil {
		return false, err
	}
	if err := readable(into.schemaVersion()); err != nil {
		return false, err
	}
	return true, nil
}

// queryCatalog reads the items of a partition whose sort key starts with prefix,
// in order, strongly consistent: up to limit of them (0: all) after the one that
// is called prefix+after.
func queryCatalog[T any, P interface {
	*T
	versioned
}](ctx context.Context, s *Store, pk, prefix, after string, limit int) ([]T, error) {
	in := &dynamodb.QueryInput{
		TableName:                 aws.String(s.tables.Catalog),
		KeyConditionExpression:    aws.String("pk = :pk AND begins_with(sk, :prefix)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": text(pk), ":prefix": text(prefix)},
		ConsistentRead:            aws.Bool(true),
	}
	if after != "" {
		in.ExclusiveStartKey = primary(pk, prefix+after)
	}
	if limit > 0 {
		in.Limit = aws.Int32(int32(limit))
	}
	var all []T
	for {
		out, err := s.db.Query(ctx, in)
		if err != nil {
			return nil, err
		}
		var page []T
		if err := attributevalue.UnmarshalListOfMaps(out.Items, &page); err != nil {
			return nil, err
		}
		for i := range page {
			if err := readable(P(&page[i]).schemaVersion()); err != nil {
				return nil, err
			}
		}
		all = append(all, page...)
		if len(out.LastEvaluatedKey) == 0 || (limit > 0 && len(all) >= limit) {
			return all, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// guard is the condition under which an item may be written.
type guard struct {
	condition string
	values    map[string]types.AttributeValue
}

// changeFrom guards the change of an item from a version; version 0 is none yet.
func changeFrom(version int) guard {
	if version == 0 {
		return guard{condition: "attribute_not_exists(pk)"}
	}
	return guard{condition: "version = :from", values: map[string]types.AttributeValue{":from": number(version)}}
}

// putCatalog writes an item, signed with a random word. When the answer to our
// own write is lost and the SDK repeats it, what stands in the way shows our word.
func (s *Store) putCatalog(ctx context.Context, item any, g guard) error {
	encoded, err := attributevalue.MarshalMap(item)
	if err != nil {
		return err
	}
	encoded["writtenBy"] = text(word(ctx))
	_, err = s.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                           aws.String(s.tables.Catalog),
		Item:                                encoded,
		ConditionExpression:                 aws.String(g.condition),
		ExpressionAttributeValues:           g.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) && reflect.DeepEqual(failed.Item["writtenBy"], encoded["writtenBy"]) {
		return nil
	}
	return catalogError(err)
}

// deleteCatalog removes an item, if it is still of that version. That it is gone
// already is no failure.
func (s *Store) deleteCatalog(ctx context.Context, pk, sk string, version int) error {
	g := changeFrom(version)
	_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:                           aws.String(s.tables.Catalog),
		Key:                                 primary(pk, sk),
		ConditionExpression:                 aws.String(g.condition),
		ExpressionAttributeValues:           g.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err = catalogError(err); errors.Is(err, catalog.ErrMissing) {
		return nil // by this very call, perhaps: its first answer was lost
	}
	return err
}

// catalogError makes a domain error of a failed condition: the item that failed
// it comes back, or none where there is none.
func catalogError(err error) error {
	var failed *types.ConditionalCheckFailedException
	switch {
	case !errors.As(err, &failed):
		return err
	case len(failed.Item) == 0:
		return catalog.ErrMissing
	default:
		return catalog.ErrConflict
	}
}

// versioned is an item that says which schema version it was written in.
type versioned interface{ schemaVersion() int }

func (i *merchantItem) schemaVersion() int { return i.V }
func (i *poolItem) schemaVersion() int     { return i.V }
func (i *productItem) schemaVersion() int  { return i.V }
func (i *platformItem) schemaVersion() int { return i.V }
func (i *tokenItem) schemaVersion() int    { return i.V }

// wrap says what was tried, if it went wrong.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}

func (i merchantItem) merchant() catalog.Merchant {
	return catalog.Merchant{
		Name: strings.TrimPrefix(i.PK, merchantPrefix), Version: i.Version,
		Title: i.Title, NoticeAddress: i.NoticeAddress, SenderName: i.SenderName, ReplyTo: i.ReplyTo,
		Logo: i.Logo, Languages: i.Languages, TimeZone: i.TimeZone, DefaultPool: i.DefaultPool, Salt: i.Salt,
	}
}

func (i poolItem) pool() catalog.Pool {
	return catalog.Pool{
		Merchant: strings.TrimPrefix(i.PK, merchantPrefix), Name: strings.TrimPrefix(i.SK, poolSort), Version: i.Version,
		Title: i.Title, LowStock: i.LowStock, Reminder: time.Duration(i.Reminder) * time.Millisecond, Shards: i.Shards,
	}
}

func (i productItem) product() catalog.Product {
	p := catalog.Product{
		Merchant: strings.TrimPrefix(i.PK, merchantPrefix), ID: strings.TrimPrefix(i.SK, productSort), Version: i.Version,
		Title: i.Title, ShortTitle: i.ShortTitle, Pool: i.Pool, PoolsByCurrency: i.Pools,
		Keys:         catalog.KeyRule{Mode: catalog.Mode(i.Mode), Count: i.Count},
		Instructions: i.Instructions, Download: i.Download, Original: i.Original, Ignored: i.Ignored,
	}
	if len(i.Texts) > 0 {
		p.Texts = make(map[string]catalog.Text, len(i.Texts))
		for language, text := range i.Texts {
			p.Texts[language] = catalog.Text(text)
		}
	}
	return p
}

func (i platformItem) platform() catalog.Platform {
	p := catalog.Platform{
		Merchant: strings.TrimPrefix(i.PK, merchantPrefix), Name: strings.TrimPrefix(i.SK, platformSort), Version: i.Version,
	}
	for _, secret := range i.Secrets {
		p.Secrets = append(p.Secrets, catalog.SealedSecret{
			Blob: secret.Blob, CreatedAt: at(secret.CreatedAt), ExpiresAt: at(secret.ExpiresAt),
		})
	}
	return p
}
