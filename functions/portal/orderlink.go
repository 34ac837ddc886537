package main

import (
	"context"
	"time"

	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/orderpage"
)

func (p *portal) linkScreens() []screen {
	return []screen{{pattern: "GET /portal/orders/{order}/page", does: "get-order-link", fresh: true, serve: p.showLink}}
}

// linkView is how the link of an order's page stands.
type linkView struct {
	Stands orderpage.Link
	Ends   time.Time
}

func (p *portal) linkOf(ctx context.Context, lines []order.Fulfillment, known order.Whole) (linkView, error) {
	v, stands, err := p.orders.pages.LinkOf(ctx, lifecycle.Read{Lines: lines, Whole: known})
	return linkView{stands, v.Ends}, err
}

// linkPage is the page that shows the link.
type linkPage struct {
	linkView
	URL, Path          string
	MayRevoke, MayMake bool
}

// showLink shows the link of an order's page. Whoever has it sees the keys.
func (p *portal) showLink(v *visit) (answer, error) {
	lines, known, err := p.knownOf(v.Context(), v, v.PathValue("order"))
	if err != nil {
		return answer{}, err
	}
	of, stands, err := p.orders.pages.LinkOf(v.Context(), lifecycle.Read{Lines: lines, Whole: known})
	if err != nil {
		return answer{}, err
	}
	page := linkPage{
		linkView: linkView{stands, of.Ends}, Path: orderPath(lines[0].ID.OrderHalf()),
		MayRevoke: v.may("revoke-order-link"), MayMake: v.may("replace-order-link"),
	}
	if stands == orderpage.LinkGood {
		page.URL, err = of.URL(p.publicURL)
	}
	return answer{page: "order-page", title: "The customer's page", data: page, band: done(v, linkDone)}, err
}

// linkDone says what was done to a link, by the word in the address of its page.
var linkDone = map[string]band{
	"link-replaced": {Says: "The order's page has another link, and the one before is good no more."},
	"link-revoked":  {Says: "The link is revoked: nobody sees the order's page."},
}
