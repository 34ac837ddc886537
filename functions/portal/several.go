package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"keypool/shared/order"
	"keypool/shared/phrase"
	"keypool/shared/pool"
	"keypool/shared/review"
	"keypool/shared/web"
)

// several sends lines of several orders again, or releases them, once it was said what that
// does.
func (p *portal) several(v *visit) (answer, error) {
	act, words := v.form.Get("act"), map[string]string{"send": "sent", "release": "released"}
	operation := map[string]string{"send": "resend-order", "release": "release-order"}[act]
	if operation == "" {
		return answer{}, web.ErrForm
	}
	if err := v.May(operation); err != nil {
		return answer{}, err
	}
	seen := sights(v.form)
	if len(seen) == 0 {
		return answer{see: ordersPath}, nil
	}
	seen = seen[:min(len(seen), 2*listed)]
	if v.form.Get("sure") == "" {
		c := confirmation{Does: ordersPath + "/several", Values: [][2]string{{"act", act}, {"sure", "1"}}, Back: ordersPath, Reason: reasonOfOrder, Button: "Release", Says: []string{
			phrase.Capital(phrase.Count(len(seen), "order line is", "order lines are")) + " released from hold, as far as they are on hold: they get their keys, in their old places in the queue, and their mails.",
			"A mail cannot be taken back. What has changed meanwhile is left as it is.",
		}}
		title := "Release several"
		if act == "send" {
			title, c.Button = "Send again", "Send"
			c.Says[0] = phrase.Capital(phrase.Count(len(seen), "mail with keys is", "mails with keys are")) + " sent again, each to the address of its customer, as far as its order has its keys."
		}
		for _, s := range seen {
			c.Values = append(c.Values, [2]string{"seen", seenOf(order.Fulfillment{ID: s.Line, Version: s.Version})})
		}
		return c.page(title), nil
	}
	ids := make([]order.LineID, len(seen))
	for i, s := range seen {
		ids[i] = s.Line
	}
	lines, err := p.orders.search.Lines.LinesByID(v.Context(), ids)
	if err != nil {
		return answer{}, err
	}
	do := p.orders.acts.Release
	if act == "send" {
		do = p.orders.acts.Resend
	}
	did, left := 0, 0
	for _, s := range seen {
		line, there := lines[s.Line]
		if !there || line.Merchant != v.Merchant {
			return answer{}, errNotFound
		}
		one := v.act()
		one.Version = s.Version
		now, err := do(v.Context(), s.Line, one)
		switch {
		case errors.Is(err, order.ErrState) || errors.As(err, new(*order.StaleError)):
			left++
		case err != nil:
			return answer{}, err
		case now.Version == line.Version:
			left++
		default:
			did++
		}
	}
	return answer{see: fmt.Sprintf("%s?done=%s&n=%d&left=%d", ordersPath, words[act], did, left)}, nil
}

// decideHeld releases or rejects all lines of a side that rules hold, once it was said what that
// does: those that were held when that was said.
func (p *portal) decideHeld(v *visit) (answer, error) {
	act, side := v.form.Get("act"), sideOf(v.form)
	verdict, word, title := review.Release, "released", "Release all on hold"
	switch act {
	case "release":
	case "reject":
		verdict, word, title = review.Reject, "rejected", "Reject all on hold"
	default:
		return answer{}, web.ErrForm
	}
	if err := v.May(act + "-held"); err != nil {
		return answer{}, err
	}
	back := ordersPath + "?show=" + string(order.OnHold)
	if side == pool.Test {
		back += "&side=test"
	}
	until, err := strconv.ParseInt(v.form.Get("until"), 10, 64)
	if v.form.Get("sure") == "" || err != nil {
		c := confirmation{
			Does: ordersPath + "/held", Back: back, Reason: reasonOfOrder, Button: title, Stop: act == "reject",
			Values: [][2]string{{"act", act}, {"side", string(side)}, {"sure", "1"}, {"until", strconv.FormatInt(v.now.UnixMilli(), 10)}},
			Says: []string{
				"All order lines that your rules, or the brake, hold until now are released: they get their keys, in their old places in the queue, and their mails. A mail cannot be taken back.",
				"What is on hold for another reason too, such as a dispute, stays on hold.",
			},
		}
		if act == "reject" {
			c.Says = []string{
				"All order lines that your rules, or the brake, hold until now are given back, without a key. The customers are not told, and nothing is paid back: do that at the platform.",
				"This cannot be undone.",
			}
		}
		return c.page(title), nil
	}
	all, err := p.orders.review.DecideAll(v.Context(), v.Merchant, side, time.UnixMilli(until), verdict, v.act())
	left := ""
	if all.Left {
		left = "&more=1"
	}
	return answer{see: fmt.Sprintf("%s&done=%s&n=%d%s", back, word, all.Done, left)}, err
}
