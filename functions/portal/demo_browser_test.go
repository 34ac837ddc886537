//go:build browser

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	chromium "keypool/infra/browser"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// The pictures of the README are drawn from a shop on an evening of its sale: make pictures
// keeps them.
func TestBrowser_demoShop(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.merchantIs(func(m *catalog.Merchant) { m.Title, m.TimeZone = "Northlight Games", "Europe/Berlin" })
	s.later(8 * time.Hour) // it is 21 o'clock in Berlin
	s.product(catalog.Product{Merchant: "acme", ID: "4712", Title: "Nova Studio Pro", Pool: "nova-pro", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	for _, p := range []struct {
		name, title string
		low, left   int
		sold        func(day int) int // so many days ago
	}{
		{"elden", "Elden: The Long Night", 50, 0, func(day int) int { return 12 + 900/(day*day+20) + day%3 }},
		{"nova-pro", "Nova Studio Pro", 100, 842, func(day int) int { return 17 + day*day%7 - day/6 }},
		{"gift-10", "Gift card, 10 EUR", 25, 8, func(day int) int { return 3 + day*day*3%5 }},
		{"aurora", "Aurora, season pass", 50, 310, func(day int) int { return 6 + day*day%11/2 }},
	} {
		version := 0
		if stored, ok, err := s.store.Pool(t.Context(), "acme", p.name); err != nil {
			t.Fatal(err)
		} else if ok {
			version = stored.Version
		}
		if err := s.store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: p.name, Title: p.title, LowStock: p.low, Shards: 1, Version: version}); err != nil {
			t.Fatal(err)
		}
		of := pool.ID{Merchant: "acme", Pool: p.name, Side: pool.Live}
		var takes []pool.Take
		for day := 29; day >= 0; day-- {
			takes = append(takes, pool.Take{Keys: p.sold(day), At: s.now().AddDate(0, 0, -day)})
		}
		if p.left > 0 {
			for batch := range slices.Chunk(several(p.left, p.name+"-"), 25) {
				s.keysIn(of, batch...)
			}
		}
		if err := s.store.AddTaken(t.Context(), of, takes); err != nil {
			t.Fatal(err)
		}
	}
	names := strings.Fields("Mara Jonas Aiko Luca Ines Omar Freya Noah Zofia Emil Clara Hugo")
	const orders = 58
	s.stock("acme", several(orders+1, "ELDN-7QX4-9KM2-")...)
	for i := range orders {
		line := s.sell("acme", fmt.Sprint("A-", 1041+i), 1, func(f *order.Fulfillment) {
			f.Customer.Name, f.Customer.Email, f.Customer.Country = names[i%len(names)]+" Berg", fmt.Sprintf("%s%d@example.com", strings.ToLower(names[i%len(names)]), i), "DE"
		})
		s.mail(line)
		if i < orders-1 {
			s.news(line, order.MailDelivered, "")
		}
		s.later(2 * time.Minute)
	}
	ada := s.signIn("ada@acme.example")
	ada.post("/portal/first-steps/leave", nil)
	bounced := s.sell("acme", fmt.Sprint("A-", 1041+orders), 1)
	s.later(time.Second)
	s.mail(bounced)
	s.news(bounced, order.MailBounced, "Permanent/General")
	s.later(4 * time.Minute)
	for i := range 3 {
		s.sell("acme", fmt.Sprint("A-", 1042+orders+i), 1)
		s.later(time.Minute)
	}

	b := s.tab()
	b.Drawn()
	b.signIn("ada@acme.example")
	b.Press("Put this list away")
	b.Go(homePath)
	b.Has("Good evening, Ada", "3 orders wait for keys of elden")
	b.Draw("portal-home", chromium.View{Width: 1100}, 950)

	file := filepath.Join(t.TempDir(), "elden-december.txt")
	var keys strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&keys, "ELDN-%05d-%05d-%05d\n", i*7919%100000, i*104729%100000, i*1299709%100000)
	}
	keys.WriteString("\n\nELDN-00000-00000-00000\nELDN-12\n")
	if err := os.WriteFile(file, []byte(keys.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Go("/portal/pools/elden/add")
	b.Give("#file", file)
	b.Has("2 blank")
	b.Draw("portal-add-keys", chromium.View{Width: 1100}, 900)

	p := ada.get(pathOf(bounced))
	ada.post(pathOf(bounced)+"/send", p.actForm("email", "marcel@gmail.com", "line", string(bounced.ID)))
	s.mail(bounced)
	s.news(bounced, order.MailDelivered, "")
	s.later(3 * time.Minute)
	b.Go(pathOf(bounced))
	b.Has("was taken by the mail server of gmail.com")
	b.Draw("portal-order", chromium.View{Width: 1100}, 1030)
	for _, name := range []string{"home", "add-keys", "order"} {
		if kept, err := os.Stat("../../infra/pictures/portal-" + name + ".png"); err != nil || kept.Size() > 80<<10 {
			t.Errorf("the README's picture %s: %v, or it is large; run: make pictures", name, err)
		}
	}
}
