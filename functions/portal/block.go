package main

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"keypool/shared/inventory"
	"keypool/shared/order"
	"keypool/shared/phrase"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

const blockPath = homePath + "/keys/block"

func (p *portal) blockScreens() []screen {
	return []screen{
		{pattern: "GET " + blockPath, does: "block-keys", serve: p.blockForm},
		{pattern: "POST " + blockPath, does: "block-keys", serve: p.blockKeys},
	}
}

// blockData is what the page that blocks keys shows.
type blockData struct {
	Form   form
	Done   bool // it tells what was done
	Facts  []tally
	Orders []blockedOrder
	More   int
	Codes  []option // products whose code was blocked: address and id
}

// blockedOrder is an order that has a key that was blocked.
type blockedOrder struct{ Path, Number string }

// ordersTold is how many orders the page names that have a blocked key.
const ordersTold = 10

// mostBlocked is how many bytes a list of keys may have that are blocked: the page that asks
// once more holds it.
const mostBlocked = 48 << 10

func (p *portal) blockForm(v *visit) (answer, error) {
	d, in := blockData{Form: form{}}, v.URL.Query()
	if in.Get("done") != "blocked" {
		return answer{page: "block", title: "Block keys", data: d}, nil
	}
	d.Done = true
	for _, of := range []struct{ name, what string }{
		{"withdrawn", "Were for sale, and are not any more"},
		{"sold", "Stay with the orders that have them, and are never sold again"},
		{"unknown", "Are in no file yet, and are refused when one brings them"},
		{"before", "Were blocked before"},
	} {
		if n, err := strconv.Atoi(in.Get(of.name)); err == nil && n > 0 {
			d.Facts = append(d.Facts, tally{of.what, n})
		}
	}
	codes := in["code"][:min(len(in["code"]), ordersTold)]
	ids := in["order"][:min(len(in["order"]), ordersTold)]
	if n, err := strconv.Atoi(in.Get("orders")); err == nil {
		d.More = max(0, n-len(ids))
	}
	found := make([][]order.Fulfillment, len(ids))
	var reading errgroup.Group
	for i, id := range ids {
		reading.Go(func() (err error) { found[i], err = p.orders.store.Lines(v.Context(), id); return err })
	}
	known := make([]bool, len(codes))
	for i, id := range codes {
		reading.Go(func() error {
			_, err := p.goods.Get(v.Context(), v.Merchant, id)
			known[i] = err == nil
			return unless(err, settings.ErrNotFound)
		})
	}
	err := reading.Wait()
	for i, id := range codes {
		if known[i] {
			d.Codes = append(d.Codes, option{productPath(id), id})
		}
	}
	for _, lines := range found {
		if len(lines) > 0 && lines[0].Merchant == v.Merchant {
			d.Orders = append(d.Orders, blockedOrder{orderPath(lines[0].ID.OrderHalf()), lines[0].Order})
		}
	}
	return answer{page: "block", title: "Keys are blocked", data: d}, err
}

// blockKeys says what blocking keys will do, and does it once that was read.
func (p *portal) blockKeys(v *visit) (answer, error) {
	r := formReader{values: v.form}
	texts := r.lines("keys")
	err := mistaken(settings.CheckKeys(texts)...)
	if err == nil && len(v.form.Get("keys")) > mostBlocked {
		err = mistake("keys", "This is too much at once. Block them in several lists.")
	}
	if sent, ok := again(v.form, err); ok {
		return answer{page: "block", title: "Block keys", data: blockData{Form: sent}, status: http.StatusUnprocessableEntity}, nil
	}
	if v.form.Get("sure") == "" {
		return p.askBlock(v, texts)
	}
	blocked, err := p.blocker.Block(v.Context(), v.Merchant, texts, v.Principal.Name, r.line("reason"))
	if err != nil {
		return answer{}, err
	}
	said := url.Values{"done": {"blocked"}}
	for name, n := range map[string]int{"withdrawn": blocked.Withdrawn, "sold": len(blocked.Sold), "unknown": blocked.Unknown, "before": blocked.Before} {
		if n > 0 {
			said.Set(name, strconv.Itoa(n))
		}
	}
	for _, key := range blocked.Sold {
		if id := key.Sold.ID.OrderHalf(); !slices.Contains(said["order"], id) {
			said.Add("order", id)
		}
	}
	if n := len(said["order"]); n > ordersTold {
		said.Set("orders", strconv.Itoa(n))
		said["order"] = said["order"][:ordersTold]
	}
	for _, key := range blocked.Codes {
		if key.Current && !slices.Contains(said["code"], key.CodeOf) {
			said.Add("code", key.CodeOf)
		}
	}
	return answer{see: blockPath + "?" + said.Encode()}, nil
}

// askBlock says what will become of keys that are blocked.
func (p *portal) askBlock(v *visit, texts []string) (answer, error) {
	found, err := p.orders.keys.Find(v.Context(), v.Merchant, texts)
	if err := unless(err, pool.ErrUnknownKey); err != nil {
		return answer{}, err
	}
	known := make(map[int]bool, len(texts))
	sale, sold, before := 0, 0, 0
	var codes []string
	for _, key := range found {
		known[key.Text] = true
		switch {
		case !key.BlockedAt.IsZero():
			before++
		case key.State == pool.KeyAvailable:
			sale++
		case key.State == pool.KeyShared && !slices.Contains(codes, key.CodeOf):
			codes = append(codes, key.CodeOf)
		case key.Sold != nil:
			sold++
		}
	}
	c := confirmation{Does: blockPath, Button: "Block " + phrase.Count(len(texts), "key"), Stop: true, Back: blockPath, Reason: "The audit trail keeps it. Write no key.", Values: [][2]string{
		{"keys", v.form.Get("keys")}, {"sure", "yes"},
	}}
	c.Says = append(c.Says, phrase.Plural(len(texts), "This key is", "None of these "+phrase.Count(len(texts), "key")+" is")+phrase.Plural(len(texts), " not sold any more", " sold any more")+", from any pool, for orders or for tests.")
	say := func(n int, one, many string) {
		if n > 0 {
			c.Says = append(c.Says, phrase.Capital(phrase.Count(n, "key"))+phrase.Plural(n, one, many))
		}
	}
	say(sale, " is for sale now, and is taken out.", " are for sale now, and are taken out.")
	say(sold, " was sold. It stays with its order, and is not sold again.", " were sold. They stay with their orders, and are not sold again.")
	say(before, " is blocked already.", " are blocked already.")
	say(len(texts)-len(known), " is in no file that we know. If a file brings it later, that line is refused.", " are in no file that we know. If a file brings one later, that line is refused.")
	for _, product := range codes {
		c.Says = append(c.Says, "One is the code of the product "+product+": orders of it wait from then on, until you set another code.")
	}
	c.Says = append(c.Says, "This cannot be undone: nothing takes a block off again.")
	return c.page("Block " + phrase.Plural(len(texts), "this key", "these keys") + "?"), nil
}

// blockable reports whether one of the keys can still be blocked.
func blockable(keys []inventory.Found) bool {
	return slices.ContainsFunc(keys, func(k inventory.Found) bool { return k.BlockedAt.IsZero() })
}
