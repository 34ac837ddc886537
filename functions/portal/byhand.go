package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/intake"
	"keypool/shared/order"
	"keypool/shared/phrase"
	"keypool/shared/platform"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

const byHandPath = ordersPath + "/by-hand"

// byHandScreens mail keys to an address that somebody types: that is for who signed in a moment
// ago.
func (p *portal) byHandScreens() []screen {
	return []screen{
		{pattern: "GET " + byHandPath, does: "fulfil-order", fresh: true, serve: p.askByHand},
		{pattern: "POST " + byHandPath, does: "fulfil-order", fresh: true, serve: p.fulfilByHand},
	}
}

// byHandLines is how many products the form has room for.
const byHandLines = 5

// byHandData is the form of an order by hand, or what it will do.
type byHandData struct {
	Form     form
	Products []option // nil: there are too many to choose from
	None     bool     // there is no product at all
	Lines    []int    // the places of the products in the form
	Asked    bool     // it says what will happen
	Says     []string
	Gets     []string // what the customer gets, a line each
	Sent     [][2]string
}

func (p *portal) askByHand(v *visit) (answer, error) {
	return p.byHandPage(v, form{Values: url.Values{
		"order": {v.URL.Query().Get("order")}, "lines[0].product": {v.URL.Query().Get("product")}, "lines[0].quantity": {"1"},
	}}, http.StatusOK)
}

func (p *portal) byHandPage(v *visit, f form, status int) (answer, error) {
	products, next, err := p.goods.List(v.Context(), v.Merchant, "", productsToBuy)
	d := byHandData{Form: f, None: len(products) == 0 && next == ""}
	if next == "" {
		d.Products = []option{{"", "Choose one"}}
		for _, product := range products {
			d.Products = append(d.Products, option{product.ID, titled(product)})
		}
	}
	for i := range byHandLines {
		d.Lines = append(d.Lines, i)
	}
	return answer{page: "by-hand", title: "Fulfil an order by hand", status: status, data: d}, err
}

// More reports whether the form has more than one product, or a mistake in one of the others.
func (d byHandData) More() bool {
	for i := 1; i < byHandLines; i++ {
		if d.Form.Any(fmt.Sprintf("lines[%d].product", i), fmt.Sprintf("lines[%d].quantity", i)) {
			return true
		}
	}
	return false
}

// fulfilByHand says what an order by hand will do and, once somebody is sure, does it.
func (p *portal) fulfilByHand(v *visit) (answer, error) {
	if v.form.Get("change") != "" {
		return p.byHandPage(v, form{Values: v.form}, http.StatusOK)
	}
	wish, err := wishOf(v)
	var lines []order.Fulfillment
	titles := map[string]string{}
	sure := v.form.Get("sure") != ""
	switch {
	case err != nil:
	case sure:
		lines, err = p.orders.byHand.Fulfil(v.Context(), wish)
	default:
		var reading errgroup.Group
		reading.Go(func() (err error) { lines, err = p.orders.byHand.Ask(v.Context(), wish); return err })
		reading.Go(func() error {
			products, _, err := p.goods.List(v.Context(), v.Merchant, "", productsToBuy)
			for _, product := range products {
				titles[product.ID] = titled(product)
			}
			return err
		})
		err = reading.Wait()
	}
	if f, is := again(v.form, byHandMistake(err, v.form)); is {
		return p.byHandPage(v, f, http.StatusUnprocessableEntity)
	}
	if err != nil {
		return answer{}, err
	}
	path := orderPath(lines[0].ID.OrderHalf())
	if sure {
		return answer{see: path + "?done=by-hand"}, nil
	}
	keys := 0
	for _, line := range lines {
		if line.Version > 0 {
			return answer{see: path + "?done=by-hand-before"}, nil
		}
		keys += line.Wanted
	}
	d := byHandData{Asked: true, Says: byHandSays(lines, keys), Sent: [][2]string{{"sure", "1"}, {"keys", strconv.Itoa(keys)}}}
	for _, line := range lines {
		d.Gets = append(d.Gets, byHandGets(cmp.Or(titles[line.Product], line.Product), line))
	}
	for name, values := range v.form {
		if name != "once" && name != "keys" && name != "sure" && len(values) > 0 && values[0] != "" {
			d.Sent = append(d.Sent, [2]string{name, values[0]})
		}
	}
	return answer{page: "by-hand", title: "Fulfil an order by hand", data: d}, nil
}

// byHandSays says what will happen, and to whom.
func byHandSays(lines []order.Fulfillment, keys int) []string {
	to := lines[0].Customer.Email
	if name := lines[0].Customer.Name; name != "" {
		to = name + ", " + to
	}
	what := phrase.Capital(phrase.Count(keys, "key")) + " " + phrase.Plural(keys, "goes", "go") + " to " + to + ", as the order " + lines[0].Order + "."
	if keys == 0 {
		what = "What the customer gets goes to " + to + ", as the order " + lines[0].Order + "."
	}
	if lines[0].Side == pool.Test {
		what += " It is a test: it takes test keys alone."
	}
	return []string{what, "The mail goes out at once, and cannot be taken back. If keys are missing, the order waits for them in the queue, as any other. Rules of review do not hold it; the brake does."}
}

// byHandGets says what a line gets, and where that comes from.
func byHandGets(product string, line order.Fulfillment) string {
	what := product + " × " + phrase.Number(line.Quantity) + ": "
	if line.SharedCode {
		return what + "the code that all of its customers get"
	}
	return what + phrase.Count(line.Wanted, "key") + " of the pool " + line.Pool
}

// wishOf reads the form of an order by hand.
func wishOf(v *visit) (intake.Wish, error) {
	r := formReader{values: v.form}
	act := v.act()
	if act.Why == "" {
		r.problems = append(r.problems, settings.Problem{Path: "reason", Message: "say why: it stands in the order's timeline"})
	}
	wish := intake.Wish{
		Merchant: v.Merchant, By: act.By, Why: act.Why, Keys: r.number("keys"),
		Order: platform.Paid{
			Order: r.line("order"), Test: r.ticked("test"), Language: r.line("language"), Currency: r.line("currency"),
			Customer: order.Customer{Name: r.line("customer.name"), Email: r.line("customer.email"), Company: r.line("customer.company")},
		},
	}
	for i := range byHandLines {
		product := fmt.Sprintf("lines[%d].product", i)
		if i > 0 && r.line(product) == "" {
			continue
		}
		wish.Order.Lines = append(wish.Order.Lines, platform.Line{Product: r.line(product), Quantity: r.number(fmt.Sprintf("lines[%d].quantity", i))})
	}
	return wish, mistaken(r.problems...)
}

// byHandMistake returns the error of an order that cannot be fulfilled with the fields of the
// form that are at fault.
func byHandMistake(err error, sent url.Values) error {
	var field *platform.FieldError
	var unconnected *claim.UnconnectedError
	var keys *claim.KeysError
	var used *order.NumberUsedError
	place := func(of int) int { // in the form, where lines may be left empty
		for i := range byHandLines {
			if i > 0 && strings.TrimSpace(sent.Get(fmt.Sprintf("lines[%d].product", i))) == "" {
				continue
			}
			if of--; of < 0 {
				return i
			}
		}
		return 0
	}
	switch {
	case errors.As(err, &field):
		name := field.Field
		var of int
		var part string
		if n, _ := fmt.Sscanf(name, "lines[%d].%s", &of, &part); n == 2 {
			name = fmt.Sprintf("lines[%d].%s", place(of), part)
		}
		if part == "line" {
			return mistake(fmt.Sprintf("lines[%d].product", place(of)), "This product stands there twice. Write all of its units on one line.")
		}
		return mistake(name, "This "+field.Problem+".")
	case errors.As(err, &unconnected):
		var problems []settings.Problem
		for _, of := range unconnected.Lines {
			problems = append(problems, settings.Problem{Path: fmt.Sprintf("lines[%d].product", place(of)), Message: "No pool feeds this product, and it has no code. Set it up first, or choose another."})
		}
		return mistaken(problems...)
	case errors.As(err, &keys):
		return mistake("lines[0].quantity", fmt.Sprintf("What the products give has changed meanwhile: it is %s now. Nothing was done; look at it once more.", phrase.Count(keys.Keys, "key")))
	case errors.As(err, &used) && used.Account == catalog.ByHandName:
		return mistake("order", "An order of this number was fulfilled by hand before, with other products or for another customer. Give this one a number of its own.")
	case errors.As(err, &used):
		return mistake("order", "The account "+used.Account+" has an order of this number. If you mean that one, find it and release it or send it again; else give this one a number of its own.")
	}
	return err
}
