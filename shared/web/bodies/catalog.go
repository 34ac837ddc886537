package bodies

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/settings"
	"keypool/shared/web/strict"
)

// Catalog is all settings of the merchant that are no secrets.
type Catalog struct {
	Shop      *ShopSettings             `json:"shop,omitempty" doc:"The shop as a whole, as put-shop has it. Left out, it stays as it is."`
	Pools     map[string]Pool           `json:"pools,omitzero" nullable:"false" doc:"By name; all there are. Left out, they stay as they are."`
	Products  map[string]Product        `json:"products,omitzero" nullable:"false" doc:"By id; all there are. Left out, they stay as they are."`
	Texts     map[string]Text           `json:"texts,omitzero" nullable:"false" doc:"In the mails of all products, by BCP 47 language tag, as put-texts has them; all there are. Left out, they stay as they are."`
	Review    *ReviewSettings           `json:"review,omitempty" doc:"The rules of review. Left out, they stay as they are."`
	OrderPage *OrderPage                `json:"order_page,omitempty" doc:"As put-order-page has it. Left out, it stays as it is."`
	Retention *Retention                `json:"retention,omitempty" doc:"How long customers are kept, as put-retention has it: customers are erased by it within minutes, and are not brought back. Left out, it stays as it is."`
	Accounts  map[string]CatalogAccount `json:"accounts,omitzero" nullable:"false" doc:"By name; all there are, without secrets and credentials. They are neither made nor removed here. Left out, they stay as they are."`
}

// CatalogAccount is what an account with a payment platform is set to, secrets aside.
type CatalogAccount struct {
	Platform      string          `json:"platform,omitempty" maxLength:"63" doc:"It never changes."`
	DeliversFrom  time.Time       `json:"delivers_from,omitzero" doc:"As put-account has it; left out, it stays as it is."`
	OtherProducts string          `json:"other_products,omitempty" enum:"unconnected,ignore" doc:"As put-account has it; unconnected where left out."`
	Settings      AccountSettings `json:"settings,omitempty" doc:"As put-account has them; left out, the account has none."`
}

// AccountSettings are the settings of a platform: a JSON object, which its adapter reads.
type AccountSettings json.RawMessage

// MarshalJSON implements json.Marshaler.
func (s AccountSettings) MarshalJSON() ([]byte, error) { return json.RawMessage(s).MarshalJSON() }

// UnmarshalJSON implements json.Unmarshaler.
func (s *AccountSettings) UnmarshalJSON(raw []byte) error {
	return (*json.RawMessage)(s).UnmarshalJSON(raw)
}

// LargestCatalog is the size of a catalog as JSON, in bytes: a function's response may have
// 6 MB, with each quote and line break of a text in it escaped once more.
const LargestCatalog = 4 << 20

// NewCatalog returns settings as a document.
func NewCatalog(c settings.Catalog) Catalog {
	body := Catalog{
		Shop:  new(NewShop(c.Merchant)),
		Pools: map[string]Pool{}, Products: map[string]Product{}, Accounts: map[string]CatalogAccount{},
		Review: new(NewReview(c.Review).Settable()), OrderPage: new(NewOrderPage(c.OrderPages)), Retention: new(NewRetention(c.Retention)),
	}
	for _, p := range c.Pools {
		body.Pools[p.Name] = NewPool(settings.PoolStock{Pool: p}).Settable()
	}
	for _, p := range c.Products {
		body.Products[p.ID] = NewProduct(p).Settable()
	}
	body.Texts = NewTexts(c.Texts).Texts
	for _, account := range c.Accounts {
		body.Accounts[account.Name] = CatalogAccount{
			Platform: account.Platform, DeliversFrom: account.DeliversFrom,
			OtherProducts: string(account.OtherProducts), Settings: AccountSettings(account.Settings),
		}
	}
	return body
}

// Change returns the change that a document describes.
func (c Catalog) Change() settings.CatalogChange {
	var change settings.CatalogChange
	if c.Shop != nil {
		change.Merchant = new(c.Shop.Merchant(""))
	}
	if c.Pools != nil {
		change.Pools = []catalog.Pool{}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Pools)) {
		change.Pools = append(change.Pools, c.Pools[name].Settings("", name))
	}
	if c.Products != nil {
		change.Products = []catalog.Product{}
	}
	for _, id := range slices.Sorted(maps.Keys(c.Products)) {
		change.Products = append(change.Products, c.Products[id].Settings("", id))
	}
	if c.Texts != nil {
		change.Texts = Texts{c.Texts}.Settings("").Texts
	}
	if c.Review != nil {
		change.Review = new(c.Review.Settings(""))
	}
	if c.OrderPage != nil {
		change.OrderPages = new(c.OrderPage.Settings(""))
	}
	if c.Retention != nil {
		change.Retention = new(c.Retention.Settings(""))
	}
	if c.Accounts != nil {
		change.Accounts = []settings.AccountChange{}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Accounts)) {
		account := c.Accounts[name]
		one := settings.AccountChange{
			Name: name, Platform: account.Platform, DeliversFrom: account.DeliversFrom,
			OtherProducts: catalog.OtherProducts(account.OtherProducts), Settings: json.RawMessage(account.Settings),
		}
		if one.OtherProducts == "" {
			one.OtherProducts = catalog.OthersUnconnected
		}
		if one.Settings == nil {
			one.Settings = json.RawMessage("{}")
		}
		change.Accounts = append(change.Accounts, one)
	}
	return change
}

// Encode returns a value as JSON that people can read.
func Encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return out.Bytes(), err
}

// CatalogTag returns the ETag of settings: the same for the same settings.
func CatalogTag(c settings.Catalog) (string, error) {
	content, err := Encode(NewCatalog(c))
	sum := sha256.Sum256(content)
	return `"` + hex.EncodeToString(sum[:16]) + `"`, err
}

// ReadCatalog reads a document, strictly. Its error is a *settings.InvalidError that has
// all mistakes of form.
func ReadCatalog(media string, body []byte) (*strict.Document, Catalog, error) {
	var c Catalog
	read, mistakes, err := strict.Read(media, body)
	if err != nil {
		return read, c, &settings.InvalidError{Problems: []settings.Problem{{Message: err.Error()}}}
	}
	if problems := lineOf(read, nil, append(mistakes, read.Check(c)...)...); len(problems) > 0 {
		return read, c, &settings.InvalidError{Problems: problems}
	}
	if err := json.Unmarshal(read.JSON, &c); err != nil {
		return read, c, &settings.InvalidError{Problems: []settings.Problem{{Message: "a value cannot be read as what it is meant to be, such as a time"}}}
	}
	return read, c, nil
}

// WithLines adds the lines of a document to an error that tells mistakes in it.
func WithLines(err error, read *strict.Document) error {
	var cut *settings.CutOffError
	var wrong *settings.InvalidError
	if errors.As(err, &cut) || !errors.As(err, &wrong) {
		return err
	}
	return &settings.InvalidError{Problems: lineOf(read, wrong.Problems)}
}

// lineOf returns mistakes with their lines, in the order of the document.
func lineOf(read *strict.Document, problems []settings.Problem, ofForm ...strict.Mistake) (told []settings.Problem) {
	for _, p := range problems {
		ofForm = append(ofForm, strict.Mistake{Path: p.Path, Line: read.Line(p.Path), Message: p.Message})
	}
	slices.SortStableFunc(ofForm, func(a, b strict.Mistake) int { return cmp.Compare(a.Line, b.Line) })
	for _, m := range ofForm {
		told = append(told, settings.Problem{Path: m.Path, Message: onLine(m.Message, m.Line)})
	}
	return told
}

func onLine(message string, line int) string { return fmt.Sprintf("%s (line %d)", message, line) }
