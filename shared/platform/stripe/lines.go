package stripe

import (
	"cmp"

	"keypool/shared/platform"
)

// item is a line item of a session.
type item struct {
	ID          string `json:"id"`
	Description shown  `json:"description"`
	Quantity    *int64 `json:"quantity"`
	Currency    shown  `json:"currency"`
	AmountTotal int64  `json:"amount_total"` // as paid, with discounts and taxes
	Price       *price `json:"price"`
}

func (i item) name() string { return i.ID }

// price is a price, with its product where that was expanded.
type price struct {
	ID        string   `json:"id"`
	Livemode  bool     `json:"livemode"`
	LookupKey shown    `json:"lookup_key"`
	Metadata  metadata `json:"metadata"`
	Product   product  `json:"product"`
}

// product is a product, or its id alone.
type product struct {
	ID        string
	Name      string
	Shippable bool
	Metadata  metadata
}

// metadataKey is the key of the metadata that names a product of Keypool's.
const metadataKey = "keypool_product"

// productOf returns what a price sells, by the id that Keypool knows the product by. An id
// that is not set leaves the product's id in Stripe: the line is unconnected by that.
func (s settings) productOf(p price) string {
	named := string(cmp.Or(p.Metadata[metadataKey], p.Product.Metadata[metadataKey]))
	switch s.Product {
	case byMetadata:
		return cmp.Or(named, p.Product.ID)
	case byLookupKey:
		return cmp.Or(string(p.LookupKey), p.Product.ID)
	case byPrice:
		return p.ID
	case byProduct:
		return p.Product.ID
	}
	return cmp.Or(named, string(p.LookupKey), p.Product.ID)
}

// lines gathers the lines of an order: one for each price.
type lines struct {
	settings settings
	all      []platform.Line
	amounts  []int64 // of each line
	currency []string
	skipped  []string
	shipped  []platform.Line // of those
}

// add adds a line item.
func (l *lines) add(i item) {
	quantity := int64(1) // a price that is metered, or has one amount whatever is used
	if i.Quantity != nil {
		quantity = *i.Quantity
	}
	switch {
	case quantity <= 0:
		l.skipped = append(l.skipped, i.ID)
	case i.Price == nil:
		// Nothing names what was sold. It is told as unconnected, not passed over.
		l.line(platform.Line{ID: i.ID, Product: i.ID, Title: string(i.Description)}, quantity, i.AmountTotal, string(i.Currency))
	case i.Price.Product.Shippable && i.Price.Metadata[metadataKey] == "" && i.Price.Product.Metadata[metadataKey] == "":
		l.skipped = append(l.skipped, i.ID)
		l.shipped = append(l.shipped, platform.Line{ID: i.ID, Product: l.settings.productOf(*i.Price)})
	default:
		title := cmp.Or(string(i.Description), i.Price.Product.Name)
		l.line(platform.Line{ID: i.Price.ID, Product: l.settings.productOf(*i.Price), Title: title}, quantity, i.AmountTotal, string(i.Currency))
	}
}

func (l *lines) line(line platform.Line, quantity, amount int64, currency string) {
	for i := range l.all {
		if l.all[i].ID == line.ID {
			l.all[i].Quantity = int(min(int64(l.all[i].Quantity)+quantity, platform.MaxUnits))
			l.amounts[i] += amount
			return
		}
	}
	line.Quantity = int(min(quantity, platform.MaxUnits))
	l.all, l.amounts, l.currency = append(l.all, line), append(l.amounts, amount), append(l.currency, currency)
}

// of returns the lines, with what was paid for a unit, as a refund gives it back, and the
// ids of the items that hold nothing to deliver.
func (l *lines) of() ([]platform.Line, []string) {
	for i := range l.all {
		l.all[i].UnitPrice = decimal(platform.PerUnit(l.amounts[i], int64(l.all[i].Quantity)), l.currency[i])
	}
	return l.all, l.skipped
}
