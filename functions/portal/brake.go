package main

import (
	"strings"

	"keypool/shared/review"
)

// askBrake says what the brake does.
func (p *portal) askBrake(*visit) (answer, error) {
	return confirmation{
		Does: ordersPath + "/brake", Button: "Set the brake", Stop: true, Back: ordersPath,
		Says: []string{
			"Every paid order is put on hold before it gets keys, half a minute from now at the latest. Keys that were mailed are mailed.",
			"The brake stays set until somebody takes it off. What it holds stays on hold then, until it is released or rejected.",
		},
	}.page("Set the brake"), nil
}

func (p *portal) setBrake(v *visit) (answer, error) {
	_, _, err := p.orders.review.SetBrake(v.Context(), v.Merchant, v.Name)
	return answer{see: ordersPath + "?done=braked"}, err
}

func (p *portal) releaseBrake(v *visit) (answer, error) {
	_, outcome, err := p.orders.review.ReleaseBrake(v.Context(), v.Merchant, v.Name, strings.TrimSpace(v.form.Get("reason")))
	word := "unbraked"
	if outcome == review.Already {
		word = "unbraked-before"
	}
	return answer{see: ordersPath + "?done=" + word}, err
}

// doneBrake returns the band that says what was done with the brake.
func doneBrake(v *visit) *band {
	return done(v, map[string]band{
		"braked":          {Says: "The brake is set. No paid order gets keys."},
		"unbraked":        {Says: "The brake is off. What it held is on hold still: release it, or reject it."},
		"unbraked-before": {Says: "The brake was off already."},
	})
}
