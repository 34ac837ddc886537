package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"keypool/shared/catalog"
	"keypool/shared/platform"
	"keypool/shared/settings"
)

const testPurchasePath = "/portal/test-purchase"

func (p *portal) testPurchaseScreens() []screen {
	return []screen{
		{pattern: "GET /portal/test-purchase", does: "place-test-order", serve: p.testPurchase},
		{pattern: "POST /portal/test-purchase", does: "place-test-order", serve: p.placeTestOrder},
	}
}

// productsToBuy is how many products the page of a test purchase lists. Where there are more, the
// id is typed.
const productsToBuy = 100

type testPurchaseData struct {
	form
	Products []option // nil: there are too many to choose from
	None     bool     // there is no product at all
}

func (p *portal) testPurchase(v *visit) (answer, error) {
	q := v.URL.Query()
	return p.testPurchasePage(v, form{Values: url.Values{
		"account": {q.Get("account")}, "product": {q.Get("product")}, "quantity": {"1"}, "email": {v.Session.Address},
	}})
}

func (p *portal) testPurchasePage(v *visit, f form) (answer, error) {
	products, next, err := p.goods.List(v.Context(), v.Merchant, "", productsToBuy)
	d := testPurchaseData{form: f, None: len(products) == 0 && next == ""}
	if next == "" {
		for _, product := range products {
			d.Products = append(d.Products, option{product.ID, titled(product)})
		}
	}
	return answer{page: "test-purchase", title: "Test purchase", data: d}, err
}

// titled is what people call a product, with its id.
func titled(p catalog.Product) string {
	if p.Title == "" {
		return p.ID
	}
	return p.Title + " (" + p.ID + ")"
}

// placeTestOrder has a webhook sent as a shop sends one, and shows the order that it makes.
func (p *portal) placeTestOrder(v *visit) (answer, error) {
	r := formReader{values: v.form}
	o := settings.TestOrder{
		Merchant: v.Merchant, Account: r.line("account"), Product: r.line("product"), Quantity: max(r.number("quantity"), 1),
		Currency: r.line("currency"), Language: r.line("language"), Email: r.line("email"), By: v.Principal,
	}
	var placed settings.TestOrdered
	err := mistaken(r.problems...)
	if err == nil {
		placed, err = p.testOrders.Place(v.Context(), o)
	}
	if errors.Is(err, settings.ErrUnanswered) {
		return failurePage(http.StatusBadGateway, "No answer", failed{"The address that webhooks go to did not answer in time: the order may have been taken all the same.", "Look for the newest test order in a minute. If there is none, tell whoever runs Keypool for you."}), nil
	}
	if err == nil && !placed.Taken() {
		err = mistaken(settings.Problem{Path: "product", Message: refusedBecause(placed.Answer)})
	}
	if f, ok := again(v.form, err); ok {
		a, err := p.testPurchasePage(v, f)
		a.status = http.StatusUnprocessableEntity
		return a, err
	}
	return answer{see: orderPath(placed.OrderID) + "?done=bought"}, err
}

// refusedBecause says why a webhook was not taken.
func refusedBecause(r platform.Response) string {
	var says struct{ Detail string }
	if json.Unmarshal(r.Body, &says) != nil || says.Detail == "" {
		return "the webhook was not taken, and its answer says not why; try again in a minute"
	}
	return "the webhook was not taken: " + says.Detail
}
