package main

import "keypool/shared/order"

// keysView is the page that shows keys.
type keysView struct {
	Number string
	Back   string
	Lines  []shownKeys
}

// shownKeys are the keys of a line.
type shownKeys struct {
	Product string
	Keys    []string
}

// showKeys shows the keys of an order: the one page of the portal that reveals what was sold.
// Each time is written, with who it was, before the keys are read.
func (p *portal) showKeys(v *visit) (answer, error) {
	lines, err := p.linesOf(v.Context(), v, v.PathValue("order"))
	if err != nil {
		return answer{}, err
	}
	view := keysView{Number: lines[0].Order, Back: orderPath(lines[0].ID.OrderHalf())}
	all := func(order.Fulfillment) bool { return true }
	shown, err := p.orders.shower.Show(v.Context(), lines[0].ID.OrderHalf(), nil, all, true, v.act())
	if err != nil {
		return answer{}, err
	}
	for _, of := range shown {
		line := shownKeys{Product: productName(of.Line)}
		for _, key := range of.Keys {
			line.Keys = append(line.Keys, key.Text.Reveal())
		}
		view.Lines = append(view.Lines, line)
	}
	return answer{page: "keys", title: "Keys", data: view, secret: true}, nil
}
