package catalog

import "cmp"

// OrderPage says whether customers have a page that shows their order.
type OrderPage string

// What it says.
const (
	OrderPageOn  OrderPage = "on"
	OrderPageOff OrderPage = "off"
)

// OrderPages are a merchant's settings of order pages.
type OrderPages struct {
	Merchant string
	Version  int
	Default  OrderPage // of products that do not say so themselves
}

// Shown returns the fields of the settings.
func (o OrderPages) Shown() Shown {
	s := Shown{}
	s.set("default", string(o.Default))
	return s
}

// HasOrderPage says whether a line of the product has an order page. The product is as
// ReadProduct returns it.
func (p Product) HasOrderPage(common OrderPages) bool {
	return cmp.Or(p.OrderPage, common.Default) == OrderPageOn
}
