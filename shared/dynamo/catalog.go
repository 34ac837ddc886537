package dynamo

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
	"keypool/shared/upload"
)

// A merchant's settings. Reads are consistent; catalog.Cache saves callers on the
// hot path from them. A Put stores the settings under an optimistic lock: as the
// version after the one they name, if the table still holds that one. Version 0
// creates. A Put fails with catalog.ErrConflict if the table holds another version,
// with catalog.ErrMissing if it holds none. The notices that tell of the change are
// stored with it, in one transaction.

// The sizes of what is random in a merchant.
const (
	saltSize    = 32
	linkKeySize = 32
)

type merchantItem struct {
	primaryKey
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
	ReturnedKeys  string   `dynamodbav:"returnedKeys,omitempty"`
	Color         string   `dynamodbav:"color,omitempty"`
	UploadFiles   int      `dynamodbav:"uploadFiles,omitempty"` // limits of a day
	UploadBytes   int64    `dynamodbav:"uploadBytes,omitempty"`
	UploadKeys    int      `dynamodbav:"uploadKeys,omitempty"`
	CallsOfDay    int      `dynamodbav:"callsOfDay,omitempty"`
	MailsOfDay    int      `dynamodbav:"mailsOfDay,omitempty"`
	Salt          []byte   `dynamodbav:"salt"`
	LinkKey       []byte   `dynamodbav:"linkKey"`

	Frames map[string]frameItem `dynamodbav:"frames,omitempty"` // by language
}

type frameItem struct {
	Greeting  string `dynamodbav:"greeting,omitempty"`
	Signature string `dynamodbav:"signature,omitempty"`
	Footer    string `dynamodbav:"footer,omitempty"`
}

type poolItem struct {
	primaryKey
	V        int    `dynamodbav:"v"`
	Kind     string `dynamodbav:"kind"`
	Version  int    `dynamodbav:"version"`
	Title    string `dynamodbav:"title,omitempty"`
	LowStock int    `dynamodbav:"lowStock"`
	Reminder int64  `dynamodbav:"reminder"` // milliseconds
	Shards   int    `dynamodbav:"shards"`

	NoticeAddresses []string `dynamodbav:"noticeAddresses,omitempty"`
}

type productItem struct {
	primaryKey
	V            int                 `dynamodbav:"v"`
	Version      int                 `dynamodbav:"version"`
	AliasOf      string              `dynamodbav:"aliasOf,omitempty"` // id of the product that the item is a copy of
	Aliases      []string            `dynamodbav:"aliases,omitempty"`
	Title        string              `dynamodbav:"title,omitempty"`
	ShortTitle   string              `dynamodbav:"shortTitle,omitempty"`
	Pool         string              `dynamodbav:"pool,omitempty"`
	Pools        map[string]string   `dynamodbav:"pools,omitempty"` // by currency
	Mode         string              `dynamodbav:"mode"`
	Count        int                 `dynamodbav:"count"`
	Texts        map[string]textItem `dynamodbav:"texts,omitempty"` // by language
	Instructions string              `dynamodbav:"instructions,omitempty"`
	Download     string              `dynamodbav:"download,omitempty"`
	RedeemWithin int                 `dynamodbav:"redeemWithin,omitempty"` // days
	RedeemBy     string              `dynamodbav:"redeemBy,omitempty"`
	Original     string              `dynamodbav:"original,omitempty"`
	Ignored      bool                `dynamodbav:"ignored,omitempty"`
	ReturnedKeys string              `dynamodbav:"returnedKeys,omitempty"`
	Renewal      string              `dynamodbav:"renewal,omitempty"`
	OrderPage    string              `dynamodbav:"orderPage,omitempty"`
	Review       *rulesItem          `dynamodbav:"review,omitempty"`
	Codes        map[string]codeItem `dynamodbav:"codes,omitempty"` // by side
}

// codeItem names the key that is the code of a product.
type codeItem struct {
	Key   string `dynamodbav:"key"`
	SetAt int64  `dynamodbav:"setAt"`
}

type textItem struct {
	Subject string `dynamodbav:"subject,omitempty"`
	Body    string `dynamodbav:"body,omitempty"`
	Format  string `dynamodbav:"format,omitempty"`
}

type rosterItem struct {
	primaryKey
	V       int `dynamodbav:"v"`
	Version int `dynamodbav:"version"`
}

type accountItem struct {
	primaryKey
	V             int              `dynamodbav:"v"`
	Kind          string           `dynamodbav:"kind,omitempty"` // of one that has credentials
	Version       int              `dynamodbav:"version"`
	Platform      string           `dynamodbav:"platform"`
	Origin        string           `dynamodbav:"origin"`
	Secrets       []secretItem     `dynamodbav:"secrets,omitempty"`
	Credentials   []credentialItem `dynamodbav:"credentials,omitempty"`
	DeliversFrom  int64            `dynamodbav:"deliversFrom,omitempty"`
	OtherProducts string           `dynamodbav:"otherProducts,omitempty"`
	Settings      string           `dynamodbav:"settings,omitempty"` // JSON
}

type credentialItem struct {
	Name        string `dynamodbav:"name"`
	Blob        []byte `dynamodbav:"blob"`
	Fingerprint []byte `dynamodbav:"fingerprint,omitempty"`
	CreatedAt   int64  `dynamodbav:"createdAt"`
}

type secretItem struct {
	Name        string `dynamodbav:"name,omitempty"`
	Test        bool   `dynamodbav:"test,omitempty"`
	Blob        []byte `dynamodbav:"blob"`
	Fingerprint []byte `dynamodbav:"fingerprint,omitempty"`
	CreatedAt   int64  `dynamodbav:"createdAt"`
	ExpiresAt   int64  `dynamodbav:"expiresAt,omitempty"`
}

// Merchant returns a merchant's settings, false if there is no such merchant.
func (s *Store) Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error) {
	item, ok, err := getAs[merchantItem](ctx, s, s.tables.Catalog, merchantKey(name), oldestInCatalog)
	if !ok {
		return catalog.Merchant{}, false, wrap(err, "read merchant %s", name)
	}
	return item.merchant(), true, nil
}

// PutMerchant stores a merchant's settings. A merchant that is created without a salt or
// a key of its links is given one; afterwards they can never be others.
func (s *Store) PutMerchant(ctx context.Context, m catalog.Merchant, with ...audit.Record) error {
	if m.Version == 0 && len(m.Salt) == 0 {
		m.Salt = make([]byte, saltSize)
		rand.Read(m.Salt)
	}
	if m.Version == 0 && len(m.LinkKey) == 0 {
		m.LinkKey = make([]byte, linkKeySize)
		rand.Read(m.LinkKey)
	}
	guard := locked(m.Version)
	if m.Version > 0 {
		guard.expression += " AND salt = :salt AND linkKey = :linkKey"
		guard.values[":salt"] = &types.AttributeValueMemberB{Value: m.Salt}
		guard.values[":linkKey"] = &types.AttributeValueMemberB{Value: m.LinkKey}
	}
	return wrap(s.putCatalog(ctx, newMerchantItem(m), guard, with...), "store merchant %s", m.Name)
}

// OwnOfMerchant are the attributes of a merchant that are the merchant's own to set, and those
// that each write of them names. Other functions than operator write no others: IAM sees to it.
var OwnOfMerchant = slices.Concat(ownOfMerchant, []string{"pk", "sk", "version", "writtenBy"})

var ownOfMerchant = []string{
	"title", "noticeAddress", "senderName", "replyTo", "logo", "languages", "timeZone", "defaultPool", "returnedKeys", "color", "frames",
}

// ChangeMerchant stores what is the merchant's own to set of a merchant that exists. The rest
// stays as it is.
func (s *Store) ChangeMerchant(ctx context.Context, m catalog.Merchant, with ...audit.Record) error {
	item, signed := encode(newMerchantItem(m)), randomHex(ctx)
	u := newUpdate(atVersion(m.Version))
	for _, name := range ownOfMerchant {
		if value, set := item[name]; set {
			u.set(name, value)
		} else {
			u.remove(name)
		}
	}
	u.set("version", number(m.Version+1))
	u.set("writtenBy", text(signed))
	err := s.writeSigned(ctx, signed, u.write(s.tables.Catalog, merchantKey(m.Name)), beside{}, with)
	return wrap(err, "change merchant %s", m.Name)
}

func newMerchantItem(m catalog.Merchant) merchantItem {
	return merchantItem{
		primaryKey: merchantKey(m.Name), V: schema, Kind: merchantKind, Version: m.Version + 1,
		Title: m.Title, NoticeAddress: m.NoticeAddress, SenderName: m.SenderName, ReplyTo: m.ReplyTo,
		Logo: m.Logo, Languages: m.Languages, TimeZone: m.TimeZone, DefaultPool: m.DefaultPool, Salt: m.Salt, LinkKey: m.LinkKey,
		ReturnedKeys: string(m.ReturnedKeys), Color: m.Color,
		Frames:      mapped(m.Frames, func(f catalog.Frame) frameItem { return frameItem(f) }),
		UploadFiles: m.Uploads.Files, UploadBytes: m.Uploads.Bytes, UploadKeys: m.Uploads.Keys, CallsOfDay: m.Calls, MailsOfDay: m.Mails,
	}
}

// Pool returns the settings of a merchant's pool, false if there is no such pool.
func (s *Store) Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error) {
	item, ok, err := getAs[poolItem](ctx, s, s.tables.Catalog, poolKey(merchant, name), oldestInCatalog)
	if !ok {
		return catalog.Pool{}, false, wrap(err, "read pool %s of %s", name, merchant)
	}
	return item.pool(), true, nil
}

// Pools returns up to limit of a merchant's pools, by name, after the one with that
// name. Limit 0 means all of them.
func (s *Store) Pools(ctx context.Context, merchant, after string, limit int) ([]catalog.Pool, error) {
	var pools []catalog.Pool
	q := withPrefix(s.tables.Catalog, SettingsPrefix+merchant, poolSort)
	q.limit = limit
	if after != "" {
		q.after = poolKey(merchant, after)
	}
	items, err := queryAs[poolItem](ctx, s, q, oldestInCatalog)
	for _, item := range items {
		pools = append(pools, item.pool())
	}
	return pools, wrap(err, "list the pools of %s", merchant)
}

// PutPool stores the settings of a pool. Its shards only ever grow, since keys
// stand in those it has.
func (s *Store) PutPool(ctx context.Context, p catalog.Pool, with ...audit.Record) error {
	item := poolItem{
		primaryKey: poolKey(p.Merchant, p.Name), V: schema, Kind: poolKind, Version: p.Version + 1,
		Title: p.Title, LowStock: p.LowStock, Reminder: p.Reminder.Milliseconds(), Shards: p.Shards, NoticeAddresses: p.NoticeAddresses,
	}
	guard := locked(p.Version)
	if p.Version > 0 {
		guard.expression += " AND shards <= :shards"
		guard.values[":shards"] = number(p.Shards)
	}
	return wrap(s.putCatalog(ctx, item, guard, with...), "store pool %s of %s", p.Name, p.Merchant)
}

// DeletePool removes the settings of a pool, if they are still of that version, and keeps
// the number of its shards beside the count of its keys. Keys that are in it or come to it
// even so wait for a pool of its name.
func (s *Store) DeletePool(ctx context.Context, p catalog.Pool, with ...audit.Record) error {
	kept := newUpdate(always)
	kept.set("v", number(schema))
	kept.set("shards", number(p.Shards))
	err := s.deleteCatalog(ctx, []types.TransactWriteItem{
		remove(s.tables.Catalog, poolKey(p.Merchant, p.Name), locked(p.Version)),
		kept.write(s.tables.Catalog, countKey(pool.ID{Merchant: p.Merchant, Pool: p.Name, Side: pool.Live})),
	}, with...)
	return wrap(err, "delete pool %s of %s", p.Name, p.Merchant)
}

// FormerShards returns how many shards those of the pools had, by name, that were deleted. It
// reads a hundred at once.
func (s *Store) FormerShards(ctx context.Context, merchant string, names ...string) (map[string]int, error) {
	of := map[string]string{} // names by sort key
	var keys []attrs
	for _, name := range names {
		key := countKey(pool.ID{Merchant: merchant, Pool: name, Side: pool.Live})
		if _, twice := of[key.SK]; !twice {
			of[key.SK], keys = name, append(keys, key.attrs())
		}
	}
	items, err := s.batchGet(ctx, retry.Throttling, s.tables.Catalog, keys)
	shards := map[string]int{}
	for _, item := range items {
		if err == nil {
			var count countItem
			count, err = decode[countItem](item, oldestInCatalog)
			shards[of[stringOf(item["sk"])]] = count.Shards
		}
	}
	return shards, wrap(err, "read the former shards of %d pools of %s", len(names), merchant)
}

// Product returns a merchant's product, false if it is not known. The id may be an alias:
// the product that is returned has its own.
func (s *Store) Product(ctx context.Context, merchant, id string) (catalog.Product, bool, error) {
	item, ok, err := getAs[productItem](ctx, s, s.tables.Catalog, productKey(merchant, id), oldestInCatalog)
	if !ok {
		return catalog.Product{}, false, wrap(err, "read product %s of %s", id, merchant)
	}
	return item.product(), true, nil
}

// Products returns all of a merchant's products, by id.
func (s *Store) Products(ctx context.Context, merchant string) ([]catalog.Product, error) {
	items, err := queryAs[productItem](ctx, s, s.products(merchant), oldestInCatalog)
	return productsOf(items), wrap(err, "list the products of %s", merchant)
}

// ProductPage returns up to limit of a merchant's products, by id, after that id, and the id
// to go on after, "" on the last page: see listAs.
func (s *Store) ProductPage(ctx context.Context, merchant, after string, limit int) (products []catalog.Product, next string, err error) {
	q := s.products(merchant)
	if after != "" {
		q.after = productKey(merchant, after)
	}
	items, next, err := listAs[productItem](ctx, s, q, limit, oldestInCatalog)
	return productsOf(items), strings.TrimPrefix(next, productSort), wrap(err, "list the products of %s", merchant)
}

// products reads a merchant's products, without their copies under aliases.
func (s *Store) products(merchant string) query {
	q := withPrefix(s.tables.Catalog, SettingsPrefix+merchant, productSort)
	q.filter = "attribute_not_exists(aliasOf)"
	return q
}

func productsOf(items []productItem) (products []catalog.Product) {
	for _, item := range items {
		products = append(products, item.product())
	}
	return products
}

// PutProduct stores a product, and a copy of it under each of its aliases, in one
// transaction: whoever reads a product by an alias reads one item. An alias that the
// product has no more is removed. The error is catalog.ErrConflict if an id is another
// product's.
func (s *Store) PutProduct(ctx context.Context, p catalog.Product, with ...audit.Record) error {
	return wrap(s.putProduct(ctx, p, beside{refused: catalog.ErrConflict}, with), "store product %s of %s", p.ID, p.Merchant)
}

// putProduct is PutProduct with writes beside it.
func (s *Store) putProduct(ctx context.Context, p catalog.Product, beside beside, with []audit.Record) error {
	stored, err := s.storedProduct(ctx, p.Merchant, p.ID, p.Version)
	if err != nil {
		return err
	}
	item := productItemOf(p)
	for _, alias := range p.Aliases {
		twin := item
		twin.primaryKey, twin.AliasOf = productKey(p.Merchant, alias), p.ID
		beside.writes = append(beside.writes, put(s.tables.Catalog, encode(twin), aliasOf(p.ID)))
	}
	for _, alias := range stored.Aliases {
		if !slices.Contains(p.Aliases, alias) {
			beside.writes = append(beside.writes, remove(s.tables.Catalog, productKey(p.Merchant, alias), aliasOf(p.ID)))
		}
	}
	return s.putCatalogWith(ctx, item, noAlias(p.Version), beside, with)
}

// noAlias holds while the item has that version, and is not an alias of another product.
func noAlias(version int) condition {
	c := locked(version)
	c.expression += " AND attribute_not_exists(aliasOf)"
	return c
}

// aliasOf holds while nothing is sold by the id, or it is an alias of that product.
func aliasOf(product string) condition {
	return condition{"attribute_not_exists(pk) OR aliasOf = :product", attrs{":product": text(product)}}
}

// storedProduct returns a product as of that version, for the aliases and codes that it has.
// If it has another version, no write of that version is made either.
func (s *Store) storedProduct(ctx context.Context, merchant, id string, version int) (productItem, error) {
	if version == 0 {
		return productItem{}, nil
	}
	item, _, err := getAs[productItem](ctx, s, s.tables.Catalog, productKey(merchant, id), oldestInCatalog)
	if item.AliasOf != "" {
		return productItem{}, err // the id is no product's own
	}
	return item, err
}

func productItemOf(p catalog.Product) productItem {
	item := productItem{
		primaryKey: productKey(p.Merchant, p.ID), V: schema, Version: p.Version + 1, Aliases: p.Aliases,
		Title: p.Title, ShortTitle: p.ShortTitle, Pool: p.Pool, Pools: p.PoolsByCurrency,
		Mode: string(p.Keys.Mode), Count: p.Keys.Count,
		Instructions: p.Instructions, Download: p.Download, Original: p.Original, Ignored: p.Ignored, ReturnedKeys: string(p.ReturnedKeys),
		Renewal: string(p.Renewal), OrderPage: string(p.OrderPage),
		RedeemWithin: p.Redeem.WithinDays, RedeemBy: p.Redeem.By,
	}
	if p.Review != nil {
		rules := rulesItem(*p.Review)
		item.Review = &rules
	}
	item.Texts = mapped(p.Texts, func(t catalog.Text) textItem { return textItem(t) })
	for side, code := range p.Codes {
		if item.Codes == nil {
			item.Codes = map[string]codeItem{}
		}
		item.Codes[string(side)] = codeItem{string(code.Key), millis(code.SetAt)}
	}
	return item
}

// DeleteProduct removes a product with its aliases, if it is still of that version, and
// stores the notices that tell of it. Its codes are no product's from then on.
func (s *Store) DeleteProduct(ctx context.Context, merchant, id string, version int, with ...audit.Record) error {
	stored, err := s.storedProduct(ctx, merchant, id, version)
	if err != nil {
		return wrap(err, "delete product %s of %s", id, merchant)
	}
	writes := []types.TransactWriteItem{remove(s.tables.Catalog, productKey(merchant, id), noAlias(version))}
	for _, alias := range stored.Aliases {
		writes = append(writes, remove(s.tables.Catalog, productKey(merchant, alias), aliasOf(id)))
	}
	for _, code := range stored.product().Codes {
		writes = append(writes, s.unshare(code.Key, with[0].Entry.By, with[0].Entry.At))
	}
	return wrap(s.deleteCatalog(ctx, writes, with...), "delete product %s of %s", id, merchant)
}

// Account returns a merchant's account with a payment platform, false if there is none.
func (s *Store) Account(ctx context.Context, merchant, name string) (catalog.Account, bool, error) {
	item, ok, err := getAs[accountItem](ctx, s, s.tables.Catalog, accountKey(merchant, name), oldestInCatalog)
	if !ok {
		return catalog.Account{}, false, wrap(err, "read account %s of %s", name, merchant)
	}
	return item.account(), true, nil
}

// Accounts returns all of a merchant's accounts with payment platforms, by name.
func (s *Store) Accounts(ctx context.Context, merchant string) ([]catalog.Account, error) {
	var accounts []catalog.Account
	items, err := queryAs[accountItem](ctx, s, withPrefix(s.tables.Catalog, SettingsPrefix+merchant, accountSort), oldestInCatalog)
	for _, item := range items {
		accounts = append(accounts, item.account())
	}
	return accounts, wrap(err, "list the accounts of %s", merchant)
}

// Roster returns all of a merchant's accounts, and the version that PutAccountOf takes.
func (s *Store) Roster(ctx context.Context, merchant string) (catalog.Roster, error) {
	// The version first: an account that is stored after it was read makes it an old one.
	item, _, err := getAs[rosterItem](ctx, s, s.tables.Catalog, rosterKey(merchant), oldestInCatalog)
	if err != nil {
		return catalog.Roster{}, wrap(err, "read the roster of the accounts of %s", merchant)
	}
	accounts, err := s.Accounts(ctx, merchant)
	return catalog.Roster{Version: item.Version, Accounts: accounts}, err
}

// PutAccountOf stores an account that was checked against the roster of that version. Its
// error is catalog.ErrRosterChanged if an account was stored by it since.
func (s *Store) PutAccountOf(ctx context.Context, roster int, a catalog.Account, with ...audit.Record) error {
	version := encode(rosterItem{primaryKey: rosterKey(a.Merchant), V: schema, Version: roster + 1})
	beside := beside{[]types.TransactWriteItem{put(s.tables.Catalog, version, locked(roster))}, catalog.ErrRosterChanged}
	err := s.putCatalogWith(ctx, accountItemOf(a), locked(a.Version), beside, with)
	return wrap(err, "store account %s of %s", a.Name, a.Merchant)
}

// PutAccount stores an account with a payment platform, whatever other accounts there are.
func (s *Store) PutAccount(ctx context.Context, a catalog.Account, with ...audit.Record) error {
	return wrap(s.putCatalog(ctx, accountItemOf(a), locked(a.Version), with...), "store account %s of %s", a.Name, a.Merchant)
}

func accountItemOf(a catalog.Account) accountItem {
	item := accountItem{
		primaryKey: accountKey(a.Merchant, a.Name), V: schema, Version: a.Version + 1, Platform: a.Platform, Origin: a.Origin,
		DeliversFrom: millis(a.DeliversFrom), OtherProducts: string(a.OtherProducts), Settings: string(a.Settings),
	}
	for _, c := range a.Credentials {
		item.Kind = fetchingKind
		item.Credentials = append(item.Credentials, credentialItem{Name: c.Name, Blob: c.Blob, Fingerprint: c.Fingerprint, CreatedAt: millis(c.CreatedAt)})
	}
	for _, secret := range a.Secrets {
		item.Secrets = append(item.Secrets, secretItem{
			Name: secret.Name, Test: secret.Test,
			Blob: secret.Blob, Fingerprint: secret.Fingerprint, CreatedAt: millis(secret.CreatedAt), ExpiresAt: millis(secret.ExpiresAt),
		})
	}
	return item
}

// putCatalog writes an item, signed with a random word, and the notices that tell of it.
// If the answer to our own write is lost and the write is repeated, the failed condition
// shows our word.
func (s *Store) putCatalog(ctx context.Context, item any, c condition, with ...audit.Record) error {
	return s.putCatalogWith(ctx, item, c, beside{}, with)
}

// beside are writes that are made with that of a setting or not at all, and what it means
// that the condition of one of them does not hold.
type beside struct {
	writes  []types.TransactWriteItem
	refused error
}

// putCatalogWith is putCatalog with writes beside it, in one transaction.
func (s *Store) putCatalogWith(ctx context.Context, item any, c condition, beside beside, with []audit.Record) error {
	encoded, signed := encode(item), randomHex(ctx)
	encoded["writtenBy"] = text(signed)
	return s.writeSigned(ctx, signed, put(s.tables.Catalog, encoded, c), beside, with)
}

// writeSigned makes the write of a setting, which is signed by a random word: a try whose
// condition fails on what an earlier try of the same write stored has succeeded.
func (s *Store) writeSigned(ctx context.Context, signed string, write types.TransactWriteItem, beside beside, with []audit.Record) error {
	err := s.writeSetting(ctx, append([]types.TransactWriteItem{write}, beside.writes...), with)
	there, is := failedCondition(err, 0)
	if is && stringOf(there["writtenBy"]) == signed {
		return nil
	}
	for i := range beside.writes {
		if _, refused := failedCondition(err, 1+i); refused && !is {
			return beside.refused
		}
	}
	return lockError(err)
}

// deleteCatalog makes deletions, of which the first is that of a setting, and writes the
// notices that tell of it. It is no failure that the setting is gone: this very call may
// have done it, and lost its first answer.
func (s *Store) deleteCatalog(ctx context.Context, deletions []types.TransactWriteItem, with ...audit.Record) error {
	err := lockError(s.writeSetting(ctx, deletions, with))
	if errors.Is(err, catalog.ErrMissing) {
		return nil
	}
	return err
}

// writeSetting makes writes, and with them the entries of the audit trail and the notices
// that tell of them. One write alone is no transaction, which takes twice the units.
func (s *Store) writeSetting(ctx context.Context, writes []types.TransactWriteItem, with []audit.Record) error {
	entries, tell := s.unpack(with)
	if writes = append(writes, entries...); len(writes) == 1 && len(tell) == 0 {
		return s.write(ctx, writes[0])
	}
	return s.writeAndTell(ctx, tell, writes...)
}

// lockError returns what a failed optimistic lock means: catalog.ErrMissing where
// there is no item, else catalog.ErrConflict. Other errors are returned as they are.
func lockError(err error) error {
	switch there, is := failedCondition(err, 0); {
	case !is:
		return err
	case len(there) == 0:
		return catalog.ErrMissing
	default:
		return catalog.ErrConflict
	}
}

func (i merchantItem) merchant() catalog.Merchant {
	return catalog.Merchant{
		Name: i.primaryKey.merchant(), Version: i.Version,
		Title: i.Title, NoticeAddress: i.NoticeAddress, SenderName: i.SenderName, ReplyTo: i.ReplyTo,
		Logo: i.Logo, Languages: i.Languages, TimeZone: i.TimeZone, DefaultPool: i.DefaultPool, Salt: i.Salt, LinkKey: i.LinkKey,
		ReturnedKeys: order.Disposition(i.ReturnedKeys), Color: i.Color,
		Frames:  mapped(i.Frames, func(f frameItem) catalog.Frame { return catalog.Frame(f) }),
		Uploads: upload.Limits{Files: i.UploadFiles, Bytes: i.UploadBytes, Keys: i.UploadKeys}, Calls: i.CallsOfDay, Mails: i.MailsOfDay,
	}
}

func (i poolItem) pool() catalog.Pool {
	return catalog.Pool{
		Merchant: i.merchant(), Name: i.after(poolSort), Version: i.Version,
		Title: i.Title, LowStock: i.LowStock, Reminder: time.Duration(i.Reminder) * time.Millisecond, Shards: i.Shards, NoticeAddresses: i.NoticeAddresses,
	}
}

func (i productItem) product() catalog.Product {
	p := catalog.Product{
		Merchant: i.merchant(), ID: cmp.Or(i.AliasOf, i.after(productSort)), Version: i.Version, Aliases: i.Aliases,
		Title: i.Title, ShortTitle: i.ShortTitle, Pool: i.Pool, PoolsByCurrency: i.Pools,
		Keys:         catalog.KeyRule{Mode: catalog.Mode(i.Mode), Count: i.Count},
		Instructions: i.Instructions, Download: i.Download, Original: i.Original, Ignored: i.Ignored, ReturnedKeys: order.Disposition(i.ReturnedKeys),
		Renewal: catalog.Renewal(i.Renewal), OrderPage: catalog.OrderPage(i.OrderPage),
		Redeem: catalog.Redeem{WithinDays: i.RedeemWithin, By: i.RedeemBy},
	}
	if i.Review != nil {
		rules := catalog.Rules(*i.Review)
		p.Review = &rules
	}
	p.Texts = mapped(i.Texts, func(t textItem) catalog.Text { return catalog.Text(t) })
	for side, code := range i.Codes {
		if p.Codes == nil {
			p.Codes = map[pool.Side]catalog.Code{}
		}
		p.Codes[pool.Side(side)] = catalog.Code{Product: p.ID, Key: pool.KeyID(code.Key), SetAt: at(code.SetAt)}
	}
	return p
}

func (i accountItem) account() catalog.Account {
	a := catalog.Account{
		Merchant: i.merchant(), Name: i.after(accountSort), Version: i.Version, Platform: i.Platform, Origin: i.Origin,
		DeliversFrom: at(i.DeliversFrom), OtherProducts: catalog.OtherProducts(i.OtherProducts),
	}
	if i.Settings != "" {
		a.Settings = json.RawMessage(i.Settings)
	}
	for _, c := range i.Credentials {
		a.Credentials = append(a.Credentials, catalog.SealedCredential{Name: c.Name, Blob: c.Blob, Fingerprint: c.Fingerprint, CreatedAt: at(c.CreatedAt)})
	}
	for _, secret := range i.Secrets {
		a.Secrets = append(a.Secrets, catalog.SealedSecret{
			Name: secret.Name, Test: secret.Test,
			Blob: secret.Blob, Fingerprint: secret.Fingerprint, CreatedAt: at(secret.CreatedAt), ExpiresAt: at(secret.ExpiresAt),
		})
	}
	return a
}

// mapped returns a map with other values, nil of an empty one.
func mapped[A, B any](from map[string]A, to func(A) B) map[string]B {
	if len(from) == 0 {
		return nil
	}
	all := make(map[string]B, len(from))
	for name, value := range from {
		all[name] = to(value)
	}
	return all
}
