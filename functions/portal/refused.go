package main

import "keypool/shared/order"

const refusedPath = ordersPath + "/refused"

// refusedAPage is how many refused orders a page has.
const refusedAPage = 50

func (p *portal) refusedScreens() []screen {
	return []screen{{pattern: "GET " + refusedPath, does: "list-refusals", serve: p.refusedOrders}}
}

type refusedData struct {
	Refused []order.Refusal
	Next    string
}

func (p *portal) refusedOrders(v *visit) (answer, error) {
	refused, next, err := p.held.Refusals(v.Context(), v.Merchant, v.URL.Query().Get("after"), refusedAPage)
	return answer{page: "refused", title: "Refused orders", data: refusedData{refused, next}}, err
}
