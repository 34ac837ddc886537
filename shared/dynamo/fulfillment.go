package dynamo

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/order"
	"keypool/shared/pool"
)

// fulfillmentItem is a fulfillment in the orders table. An empty field takes no
// room: a one-key order stays under 1 KB, which is one write unit.
type fulfillmentItem struct {
	primaryKey
	V       int `dynamodbav:"v"`
	Version int `dynamodbav:"version"`

	Merchant string `dynamodbav:"merchant"`
	Side     string `dynamodbav:"side"`
	Account  string `dynamodbav:"account"`
	Origin   string `dynamodbav:"origin"`
	Order    string `dynamodbav:"order"`
	Line     string `dynamodbav:"line"`
	Product  string `dynamodbav:"product"`
	Original string `dynamodbav:"original,omitempty"`
	Risk     string `dynamodbav:"risk,omitempty"`
	Parent   string `dynamodbav:"parent,omitempty"`
	OfParent bool   `dynamodbav:"keysOfParent,omitempty"`
	Shared   bool   `dynamodbav:"sharedCode,omitempty"`
	Pool     string `dynamodbav:"pool,omitempty"`

	Quantity    int `dynamodbav:"quantity"`
	KeysPerUnit int `dynamodbav:"keysPerUnit,omitempty"`
	Wanted      int `dynamodbav:"wanted"`
	Allocated   int `dynamodbav:"allocated"`

	ReturnedUnits int            `dynamodbav:"returnedUnits,omitempty"`
	All           bool           `dynamodbav:"returnedAll,omitempty"`
	Returned      int            `dynamodbav:"returned,omitempty"`
	KeysBack      []keysBackItem `dynamodbav:"keysBack,omitempty"`

	OwnReturns     []ownReturnItem `dynamodbav:"ownReturns,omitempty"`
	MatchedRefunds []string        `dynamodbav:"matchedRefunds,omitempty"`
	LastReturn     string          `dynamodbav:"lastReturn,omitempty"`
	ReturnedAt     int64           `dynamodbav:"returnedAt,omitempty"`

	Holds     []string `dynamodbav:"holds,omitempty"`
	Released  []string `dynamodbav:"released,omitempty"` // from holds
	HeldAt    int64    `dynamodbav:"heldAt,omitempty"`
	PaidAfter []string `dynamodbav:"paidAfter,omitempty"`
	Expected  bool     `dynamodbav:"expected,omitempty"`
	Lines     int      `dynamodbav:"orderLines,omitempty"`

	Keys   []keyItem  `dynamodbav:"keys,omitempty"`
	Chunks int        `dynamodbav:"chunks,omitempty"`
	Aside  []string   `dynamodbav:"replaced,omitempty"`
	Takes  []takeItem `dynamodbav:"takes,omitempty"`

	BroughtBy string `dynamodbav:"broughtBy,omitempty"`
	Claimed   int    `dynamodbav:"claimed,omitempty"`
	Filled    int    `dynamodbav:"filled,omitempty"`
	FilledAt  int64  `dynamodbav:"filledAt,omitempty"`

	ReceivedAt int64         `dynamodbav:"receivedAt"`
	PaidAt     int64         `dynamodbav:"paidAt,omitempty"`
	ChangedAt  int64         `dynamodbav:"changedAt,omitempty"`
	Currency   string        `dynamodbav:"currency,omitempty"`
	Language   string        `dynamodbav:"language,omitempty"`
	UnitPrice  string        `dynamodbav:"unitPrice,omitempty"`
	Title      string        `dynamodbav:"title,omitempty"`
	Customer   *customerItem `dynamodbav:"customer,omitempty"`
	Former     []string      `dynamodbav:"former,omitempty"`    // addresses of the customer
	FormerWho  []string      `dynamodbav:"formerWho,omitempty"` // their keyed hashes
	ErasedAt   int64         `dynamodbav:"erasedAt,omitempty"`
	ShownAt    int64         `dynamodbav:"shownAt,omitempty"`

	// The places in the indexes by which lines are found: see search.go.
	Listed    string `dynamodbav:"listed,omitempty"`
	Who       string `dynamodbav:"who,omitempty"`
	Attention string `dynamodbav:"attention,omitempty"`
	Since     int64  `dynamodbav:"since,omitempty"`
	TestOf    string `dynamodbav:"testOf,omitempty"` // see wipe.go

	outboxItem
}

// keyItem is a key as a line holds it.
type keyItem struct {
	ID   string `dynamodbav:"id"`
	Text string `dynamodbav:"text"`
}

// takeItem is keys that the line took at one moment, and that are not counted yet.
type takeItem struct {
	Keys int   `dynamodbav:"keys"`
	At   int64 `dynamodbav:"at"`
}

// keysBackItem is keys that a return gave back, and that the line holds still.
type keysBackItem struct {
	Keys int    `dynamodbav:"keys"`
	To   string `dynamodbav:"to,omitempty"`
}

// ownReturnItem is units that a person returned under an id of his own.
type ownReturnItem struct {
	ID    string `dynamodbav:"id"`
	Units int    `dynamodbav:"units"`
}

type customerItem struct {
	Name       string `dynamodbav:"name,omitempty"`
	FirstName  string `dynamodbav:"firstName,omitempty"`
	LastName   string `dynamodbav:"lastName,omitempty"`
	Email      string `dynamodbav:"email,omitempty"`
	Phone      string `dynamodbav:"phone,omitempty"`
	Company    string `dynamodbav:"company,omitempty"`
	Country    string `dynamodbav:"country,omitempty"`
	City       string `dynamodbav:"city,omitempty"`
	Zip        string `dynamodbav:"zip,omitempty"`
	Address    string `dynamodbav:"address,omitempty"`
	LicenseFor string `dynamodbav:"licenseFor,omitempty"`
	AddInfo    string `dynamodbav:"addInfo,omitempty"`
}

// chunkItem holds keys of a line beyond those in its own item.
type chunkItem struct {
	primaryKey
	V       int       `dynamodbav:"v"`
	Version int       `dynamodbav:"version"` // of the line when the chunk was written
	Keys    []keyItem `dynamodbav:"keys"`
}

func newFulfillmentItem(f order.Fulfillment) fulfillmentItem {
	item := fulfillmentItem{
		primaryKey: lineKey(f.ID), V: schema, Version: f.Version,
		Merchant: f.Merchant, Side: string(f.Side), Account: f.Account, Origin: f.Origin,
		Order: f.Order, Line: f.Line, Product: f.Product, Original: f.Original, Risk: f.Risk, Parent: f.Parent, OfParent: f.KeysOfParent, Shared: f.SharedCode, Pool: f.Pool,
		Quantity: f.Quantity, KeysPerUnit: f.KeysPerUnit, Wanted: f.Wanted, Allocated: f.Allocated,
		ReturnedUnits: f.ReturnedUnits, All: f.ReturnedAll, Returned: f.Returned, KeysBack: newKeysBackItems(f.KeysBack),
		OwnReturns: newOwnReturnItems(f.OwnReturns), MatchedRefunds: f.MatchedRefunds, LastReturn: f.LastReturn, ReturnedAt: millis(f.ReturnedAt),
		Holds: textsOf(f.Holds), Released: textsOf(f.Released), HeldAt: millis(f.HeldAt), PaidAfter: f.PaidAfter, Expected: f.Expected, Lines: f.OrderLines,
		Keys: newKeyItems(f.Keys), Chunks: f.Chunks, Takes: newTakeItems(f.Takes), Aside: textsOf(f.Replaced),
		BroughtBy: f.BroughtBy, Claimed: f.Claimed, Filled: f.Filled, FilledAt: millis(f.FilledAt),
		ReceivedAt: millis(f.ReceivedAt), PaidAt: millis(f.PaidAt), ChangedAt: millis(f.ChangedAt),
		Currency: f.Currency, Language: f.Language, UnitPrice: f.UnitPrice, Title: f.Title, Former: f.Former, FormerWho: f.FormerHashes,
		ErasedAt: millis(f.ErasedAt), ShownAt: millis(f.ShownAt), Listed: listedPartition(f), Who: whoPartition(f), TestOf: testOf(f.Merchant, f.Side),
		outboxItem: newOutboxItem(f.Mail, string(f.ID)),
	}
	item.Attention, item.Since = attentionPlace(f)
	if customer := customerItem(f.Customer); customer != (customerItem{}) {
		item.Customer = &customer
	}
	return item
}

// attrs is encode without reflection, which would be a tenth of a claim's
// processor time. A test holds the two together.
func (i fulfillmentItem) attrs() attrs {
	item := make(attrs, 40)
	item["pk"], item["sk"], item["v"], item["version"] = text(i.PK), text(i.SK), number(i.V), number(i.Version)
	item["merchant"], item["side"], item["account"], item["origin"] = text(i.Merchant), text(i.Side), text(i.Account), text(i.Origin)
	item["order"], item["line"], item["product"] = text(i.Order), text(i.Line), text(i.Product)
	setText(item, "original", i.Original)
	setText(item, "risk", i.Risk)
	setText(item, "parent", i.Parent)
	setTrue(item, "keysOfParent", i.OfParent)
	setTrue(item, "sharedCode", i.Shared)
	setText(item, "pool", i.Pool)
	item["quantity"], item["wanted"], item["allocated"] = number(i.Quantity), number(i.Wanted), number(i.Allocated)
	setNumber(item, "keysPerUnit", i.KeysPerUnit)
	setNumber(item, "returnedUnits", i.ReturnedUnits)
	setTrue(item, "returnedAll", i.All)
	setNumber(item, "returned", i.Returned)
	if len(i.KeysBack) > 0 {
		backs := make([]types.AttributeValue, len(i.KeysBack))
		for n, back := range i.KeysBack {
			is := attrs{"keys": number(back.Keys)}
			setText(is, "to", back.To)
			backs[n] = &types.AttributeValueMemberM{Value: is}
		}
		item["keysBack"] = &types.AttributeValueMemberL{Value: backs}
	}
	if len(i.OwnReturns) > 0 {
		returns := make([]types.AttributeValue, len(i.OwnReturns))
		for n, own := range i.OwnReturns {
			returns[n] = &types.AttributeValueMemberM{Value: attrs{"id": text(own.ID), "units": number(own.Units)}}
		}
		item["ownReturns"] = &types.AttributeValueMemberL{Value: returns}
	}
	setTexts(item, "matchedRefunds", i.MatchedRefunds)
	setText(item, "lastReturn", i.LastReturn)
	setNumber(item, "returnedAt", i.ReturnedAt)
	setTexts(item, "holds", i.Holds)
	setTexts(item, "released", i.Released)
	setNumber(item, "heldAt", i.HeldAt)
	setTexts(item, "paidAfter", i.PaidAfter)
	setTrue(item, "expected", i.Expected)
	setNumber(item, "orderLines", i.Lines)
	if len(i.Keys) > 0 {
		keys := make([]types.AttributeValue, len(i.Keys))
		for n, key := range i.Keys {
			keys[n] = &types.AttributeValueMemberM{Value: attrs{"id": text(key.ID), "text": text(key.Text)}}
		}
		item["keys"] = &types.AttributeValueMemberL{Value: keys}
	}
	setNumber(item, "chunks", i.Chunks)
	setTexts(item, "replaced", i.Aside)
	if len(i.Takes) > 0 {
		takes := make([]types.AttributeValue, len(i.Takes))
		for n, take := range i.Takes {
			takes[n] = &types.AttributeValueMemberM{Value: attrs{"keys": number(take.Keys), "at": number(take.At)}}
		}
		item["takes"] = &types.AttributeValueMemberL{Value: takes}
	}
	setText(item, "broughtBy", i.BroughtBy)
	setNumber(item, "claimed", i.Claimed)
	setNumber(item, "filled", i.Filled)
	setNumber(item, "filledAt", i.FilledAt)
	item["receivedAt"] = number(i.ReceivedAt)
	setNumber(item, "paidAt", i.PaidAt)
	setNumber(item, "changedAt", i.ChangedAt)
	setText(item, "currency", i.Currency)
	setText(item, "language", i.Language)
	setText(item, "unitPrice", i.UnitPrice)
	setText(item, "title", i.Title)
	if i.Customer != nil {
		item["customer"] = &types.AttributeValueMemberM{Value: i.Customer.attrs()}
	}
	setTexts(item, "former", i.Former)
	setTexts(item, "formerWho", i.FormerWho)
	setNumber(item, "erasedAt", i.ErasedAt)
	setNumber(item, "shownAt", i.ShownAt)
	setText(item, "listed", i.Listed)
	setText(item, "who", i.Who)
	setText(item, "attention", i.Attention)
	setNumber(item, "since", i.Since)
	setText(item, "testOf", i.TestOf)
	i.outboxItem.addTo(item)
	return item
}

func (c customerItem) attrs() attrs {
	item := make(attrs, 12)
	setText(item, "name", c.Name)
	setText(item, "firstName", c.FirstName)
	setText(item, "lastName", c.LastName)
	setText(item, "email", c.Email)
	setText(item, "phone", c.Phone)
	setText(item, "company", c.Company)
	setText(item, "country", c.Country)
	setText(item, "city", c.City)
	setText(item, "zip", c.Zip)
	setText(item, "address", c.Address)
	setText(item, "licenseFor", c.LicenseFor)
	setText(item, "addInfo", c.AddInfo)
	return item
}

func (i fulfillmentItem) fulfillment() (order.Fulfillment, error) {
	id, ok := i.line()
	if !ok {
		return order.Fulfillment{}, fmt.Errorf("%s %s is not a fulfillment", i.PK, i.SK)
	}
	f := order.Fulfillment{
		ID: id, Version: i.Version,
		Merchant: i.Merchant, Side: pool.Side(i.Side), Account: i.Account, Origin: i.Origin,
		Order: i.Order, Line: i.Line, Product: i.Product, Original: i.Original, Risk: i.Risk, Parent: i.Parent, KeysOfParent: i.OfParent, SharedCode: i.Shared, Pool: i.Pool,
		Quantity: i.Quantity, KeysPerUnit: i.KeysPerUnit, Wanted: i.Wanted, Allocated: i.Allocated,
		ReturnedUnits: i.ReturnedUnits, ReturnedAll: i.All, Returned: i.Returned, KeysBack: keysBackOf(i.KeysBack),
		OwnReturns: ownReturnsOf(i.OwnReturns), MatchedRefunds: i.MatchedRefunds, LastReturn: i.LastReturn, ReturnedAt: at(i.ReturnedAt),
		Holds: idsOf[order.Hold](i.Holds), Released: idsOf[order.Hold](i.Released), HeldAt: at(i.HeldAt), PaidAfter: i.PaidAfter, Expected: i.Expected, OrderLines: i.Lines,
		Keys: keysOf(i.Keys), Chunks: i.Chunks, Takes: takesOf(i.Takes), Replaced: idsOf[pool.KeyID](i.Aside),
		BroughtBy: i.BroughtBy, Claimed: i.Claimed, Filled: i.Filled, FilledAt: at(i.FilledAt),
		ReceivedAt: at(i.ReceivedAt), PaidAt: at(i.PaidAt), ChangedAt: at(i.ChangedAt),
		Currency: i.Currency, Language: i.Language, UnitPrice: i.UnitPrice, Title: i.Title,
		CustomerHash: hashOf(i.Who), Former: i.Former, FormerHashes: i.FormerWho, ErasedAt: at(i.ErasedAt), ShownAt: at(i.ShownAt),
		Mail: i.entry(),
	}
	if i.Customer != nil {
		f.Customer = order.Customer(*i.Customer)
	}
	return f, nil
}

// decodeFulfillment reads a fulfillment from its item: of a line with chunks, the
// first keys only.
func decodeFulfillment(item attrs) (order.Fulfillment, error) {
	i, err := decode[fulfillmentItem](item, oldestInOrders)
	if err != nil {
		id, _ := keyOf(item).line()
		return order.Fulfillment{}, wrap(err, "line %s", id)
	}
	return i.fulfillment()
}

func newKeyItems(keys []pool.Key) []keyItem {
	items := make([]keyItem, len(keys))
	for i, k := range keys {
		items[i] = keyItem{ID: string(k.ID), Text: k.Text.Reveal()}
	}
	return items
}

func newTakeItems(takes []pool.Take) []takeItem {
	items := make([]takeItem, len(takes))
	for i, t := range takes {
		items[i] = takeItem{t.Keys, millis(t.At)}
	}
	return items
}

func takesOf(items []takeItem) []pool.Take {
	if len(items) == 0 {
		return nil
	}
	takes := make([]pool.Take, len(items))
	for i, t := range items {
		takes[i] = pool.Take{Keys: t.Keys, At: at(t.At)}
	}
	return takes
}

func newKeysBackItems(backs []order.KeysBack) []keysBackItem {
	items := make([]keysBackItem, len(backs))
	for i, b := range backs {
		items[i] = keysBackItem{b.Keys, string(b.To)}
	}
	return items
}

func keysBackOf(items []keysBackItem) []order.KeysBack {
	if len(items) == 0 {
		return nil
	}
	backs := make([]order.KeysBack, len(items))
	for i, b := range items {
		backs[i] = order.KeysBack{Keys: b.Keys, To: order.Disposition(b.To)}
	}
	return backs
}

func newOwnReturnItems(returns []order.OwnReturn) []ownReturnItem {
	items := make([]ownReturnItem, len(returns))
	for i, r := range returns {
		items[i] = ownReturnItem(r)
	}
	return items
}

func ownReturnsOf(items []ownReturnItem) []order.OwnReturn {
	if len(items) == 0 {
		return nil
	}
	returns := make([]order.OwnReturn, len(items))
	for i, r := range items {
		returns[i] = order.OwnReturn(r)
	}
	return returns
}

func textsOf[T ~string](ids []T) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	return texts
}

func idsOf[T ~string](texts []string) []T {
	if len(texts) == 0 {
		return nil
	}
	ids := make([]T, len(texts))
	for i, text := range texts {
		ids[i] = T(text)
	}
	return ids
}

func keysOf(items []keyItem) []pool.Key {
	if len(items) == 0 {
		return nil
	}
	keys := make([]pool.Key, len(items))
	for i, k := range items {
		keys[i] = pool.Key{ID: pool.KeyID(k.ID), Text: pool.Conceal(k.Text)}
	}
	return keys
}
