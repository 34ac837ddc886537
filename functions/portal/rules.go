package main

import (
	"errors"
	"net/http"
	"net/url"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/link"
	"keypool/shared/phrase"
	"keypool/shared/settings"
)

const rulesPath = settingsPath + "/rules"

func (p *portal) ruleScreens() []screen {
	return []screen{
		{pattern: "GET " + rulesPath, does: "get-review", serve: p.rules},
		{pattern: "POST " + rulesPath + "/review", does: "put-review", serve: p.saveReview},
		{pattern: "POST " + rulesPath + "/retention", does: "put-retention", fresh: true, serve: p.saveRetention},
		{pattern: "POST " + rulesPath + "/order-page", does: "put-order-page", serve: p.saveOrderPages},
	}
}

type rulesData struct {
	Review, Retention, Page form
	Pages                   []option
	Lost                    string // address of the page for customers who have lost their mail
	Readonly                bool
}

func (p *portal) rules(v *visit) (answer, error) {
	return p.rulesPage(v, nil, "")
}

// rulesPage is the page of rules, with a form that was sent in the place of the one it is of.
func (p *portal) rulesPage(v *visit, sent func(now form) form, of string) (answer, error) {
	var (
		review    catalog.Review
		retention catalog.Retention
		pages     catalog.OrderPages
		reading   errgroup.Group
	)
	reading.Go(func() (err error) { review, err = p.reviews.Get(v.Context(), v.Merchant); return err })
	reading.Go(func() (err error) { retention, err = p.retention.Get(v.Context(), v.Merchant); return err })
	reading.Go(func() (err error) { pages, err = p.orderPages.Get(v.Context(), v.Merchant); return err })
	if err := reading.Wait(); err != nil {
		return answer{}, err
	}
	d := rulesData{
		Review:    form{Version: review.Version, Values: url.Values{"brakes_itself": {tick(review.BrakesItself)}}},
		Retention: form{Version: retention.Version, Values: url.Values{"retention": {numeral(retention.Days)}}},
		Page: form{Version: pages.Version, Values: url.Values{
			"default": {string(pages.Default)}, "days": {numeral(pages.Days)}, "queue_place": {tick(pages.QueuePlace)},
		}},
		Pages:    []option{{string(catalog.OrderPageOff), "no, unless a product says so"}, {string(catalog.OrderPageOn), "yes, unless a product says not"}},
		Lost:     p.publicURL + link.LostPath + v.Merchant,
		Readonly: !v.may("put-review"),
	}
	setRules(d.Review.Values, "rules", review.Rules)
	a := answer{page: "rules", title: "Rules", band: done(v, map[string]band{"saved": {Says: "Saved. Orders that come from now on follow it, within half a minute."}})}
	if sent != nil {
		at := map[string]*form{"review": &d.Review, "retention": &d.Retention, "page": &d.Page}[of]
		*at = sent(*at)
		a.status = http.StatusUnprocessableEntity
	}
	a.data = d
	return a, nil
}

// savedRules answers a form of the page of rules, by what became of it.
func (p *portal) savedRules(v *visit, of string, err error) (answer, error) {
	if errors.Is(err, catalog.ErrConflict) {
		a, err := p.rulesPage(v, func(now form) form { return besideTheirs(v.form, now) }, of)
		a.status = http.StatusConflict
		return a, err
	}
	if f, ok := again(v.form, err); ok {
		return p.rulesPage(v, func(form) form { return f }, of)
	}
	return answer{see: rulesPath + "?done=saved"}, err
}

func (p *portal) saveReview(v *visit) (answer, error) {
	r := formReader{values: v.form}
	next := catalog.Review{Merchant: v.Merchant, Rules: r.rules("rules"), BrakesItself: r.ticked("brakes_itself")}
	err := mistaken(r.problems...)
	if err == nil {
		_, err = p.reviews.Put(v.Context(), next, v.Principal, condition(v.form))
	}
	return p.savedRules(v, "review", err)
}

func (p *portal) saveRetention(v *visit) (answer, error) {
	r := formReader{values: v.form}
	next := catalog.Retention{Merchant: v.Merchant, Days: r.number("retention")}
	for _, problem := range settings.CheckRetention(next) {
		r.problems = append(r.problems, settings.Problem{Path: "retention", Message: problem.Message})
	}
	err := mistaken(r.problems...)
	if err == nil && next.Days > 0 && v.form.Get("sure") == "" {
		return askRetention(next.Days, v.form.Get("version")), nil
	}
	if err == nil {
		_, err = p.retention.Put(v.Context(), next, v.Principal, condition(v.form))
	}
	return p.savedRules(v, "retention", err)
}

// askRetention says what a rule erases, before there is one.
func askRetention(days int, version string) answer {
	return confirmation{
		Does: rulesPath + "/retention", Button: "Erase after " + phrase.Count(days, "day"), Stop: true, Back: rulesPath,
		Says: []string{
			"Name, addresses, phone, company and all else that is kept of a customer is taken away, " + phrase.Count(days, "day") + " after the last event of the order: of all such orders that there are now, within minutes, and of further ones each day.",
			"What was sold stays: numbers, products, keys, times and prices. This cannot be undone.",
		},
		Values: [][2]string{{"retention", numeral(days)}, {"version", version}, {"sure", "1"}},
	}.page("Erase customers of old orders?")
}

func (p *portal) saveOrderPages(v *visit) (answer, error) {
	r := formReader{values: v.form}
	next := catalog.OrderPages{Merchant: v.Merchant, Default: catalog.OrderPage(r.line("default")), Days: r.number("days"), QueuePlace: r.ticked("queue_place")}
	err := mistaken(r.problems...)
	if err == nil {
		_, err = p.orderPages.Put(v.Context(), next, v.Principal, condition(v.form))
	}
	return p.savedRules(v, "page", err)
}
