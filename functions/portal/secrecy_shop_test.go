package main

import (
	"crypto/rand"
	"net/url"
	"strconv"
	"strings"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/lambdatest"
	"keypool/shared/catalog"
	"keypool/shared/settings"
	"keypool/shared/web/bodies"
)

// setting is the kind of a merchant's own words.
const setting = "setting"

// shopCalls are the calls of what a shop sets up.
func (s *sandbox) shopCalls() []screenCall {
	product := productPath(lambdatest.Product)
	// version returns the version of a setting, which a form names.
	version := func() string {
		p, _, err := s.Store.Product(s.Context(), lambdatest.Merchant, lambdatest.Product)
		if err != nil {
			s.Fatal(err)
		}
		return strconv.Itoa(p.Version)
	}
	account := platformsPath + "/stripe"
	if err := s.Store.PutAccount(s.Context(), catalog.Account{Merchant: lambdatest.Merchant, Name: "stripe", Platform: "stripe", Origin: rand.Text()}); err != nil {
		s.Fatal(err)
	}
	// accountVersion returns the version of an account.
	accountVersion := func(name string) string {
		a, _, err := s.Store.Account(s.Context(), lambdatest.Merchant, name)
		if err != nil {
			s.Fatal(err)
		}
		return strconv.Itoa(a.Version)
	}
	// The versions of rules, of which there are always some.
	review := func() string {
		r, _ := s.Store.Review(s.Context(), lambdatest.Merchant)
		return strconv.Itoa(r.Version + 1)
	}
	retention := func() string {
		r, _ := s.Store.Retention(s.Context(), lambdatest.Merchant)
		return strconv.Itoa(r.Version + 1)
	}
	pages := func() string {
		o, _ := s.Store.OrderPages(s.Context(), lambdatest.Merchant)
		return strconv.Itoa(o.Version + 1)
	}
	merchant := func() string {
		m, _, _ := s.Store.Merchant(s.Context(), lambdatest.Merchant)
		return strconv.Itoa(m.Version)
	}
	senders := func() string {
		n, _ := s.Store.Sender(s.Context(), lambdatest.Merchant)
		return strconv.Itoa(n.Version)
	}
	// catalogTag returns the version of all settings together.
	catalogTag := func() string {
		c, err := (&settings.Catalogs{
			Merchants: &settings.Merchants{Store: s.Store}, Pools: &settings.Pools{Store: s.Store}, Products: &settings.Products{Store: s.Store},
			Texts: &settings.Texts{Store: s.Store}, Reviews: &settings.Reviews{Store: s.Store}, OrderPages: &settings.OrderPages{Store: s.Store},
			Retentions: &settings.Retentions{Store: s.Store}, Accounts: &settings.Accounts{Store: s.Store},
		}).Get(s.Context(), lambdatest.Merchant)
		if err != nil {
			s.Fatal(err)
		}
		tag, err := bodies.CatalogTag(c)
		if err != nil {
			s.Fatal(err)
		}
		return tag
	}
	return []screenCall{
		{mailSettingsPath, func() url.Values { s.PlantSender(catalog.SenderPending); return nil }, nil},
		{mailSettingsPath, func() url.Values {
			return url.Values{"address": {"keys@" + strings.ToLower(rand.Text()) + ".example"}, "version": {senders()}}
		}, nil},
		{mailSettingsPath + "/remove", func() url.Values { s.PlantSender(catalog.SenderVerified); return url.Values{"version": {senders()}} }, nil},
		{shopPath, nil, []string{setting, canary.Merchant}},
		{shopPath, func() url.Values {
			return url.Values{"title": {"Nova"}, "sender_name": {s.Canaries.New(setting)}, "notice_address": {s.Canaries.Address(canary.Merchant)}, "version": {merchant()}}
		}, []string{setting, canary.Merchant}},
		{shopPath, func() url.Values {
			return url.Values{"title": {"Nova"}, "sender_name": {s.Canaries.New(setting)}, "reply_to": {s.Canaries.New(canary.Key)}, "version": {merchant()}}
		}, []string{setting, canary.Merchant, canary.Key}}, // what was typed stays in the form
		{importPath, nil, nil},
		{exportPath, nil, []string{setting, canary.Merchant}},
		{importPath, func() url.Values {
			return url.Values{"document": {`{"pools": {"` + strings.ToLower(rand.Text()) + `": {"title": "` + s.Canaries.New(setting) + `"}}}`}, "force": {"yes"}}
		}, []string{setting}},
		{importPath, func() url.Values { return url.Values{"document": {`{"pols": "` + s.Canaries.New(canary.Key) + `"}`}} }, []string{canary.Key}}, // what was typed stays in the form
		{applyPath, func() url.Values {
			return url.Values{"document": {`{"retention": {"days": 30}}`}, "tag": {catalogTag()}}
		}, nil},
		{rulesPath, nil, nil},
		{rulesPath + "/review", func() url.Values { return url.Values{"rules.max_keys": {"7"}, "version": {review()}} }, nil},
		{rulesPath + "/retention", func() url.Values { return url.Values{"retention": {"30"}, "sure": {"1"}, "version": {retention()}} }, nil},
		{rulesPath + "/order-page", func() url.Values { return url.Values{"default": {"on"}, "version": {pages()}} }, nil},
		{platformsPath, nil, nil},
		{platformsPath + "/_add/stripe", nil, nil},
		{platformsPath + "/_add/woocommerce", func() url.Values {
			return url.Values{"name": {strings.ToLower(rand.Text())}, "settings.shop": {"https://" + strings.ToLower(rand.Text()) + ".example"}}
		}, nil},
		{account, nil, nil},
		{account, func() url.Values {
			return url.Values{"other_products": {"ignore"}, "version": {accountVersion("stripe")}}
		}, nil},
		{account + "/connect", nil, nil},
		{account + "/connect", func() url.Values {
			return url.Values{
				"secret.live": {"whsec_" + s.Canaries.New(canary.Secret)}, "credential.live_key": {"rk_live_" + s.Canaries.New(canary.Secret)}, "version": {accountVersion("stripe")},
			}
		}, nil},
		{account + "/connect", func() url.Values {
			return url.Values{
				"secret.live": {s.Canaries.New(canary.Secret)}, "credential.live_key": {"sk_live_" + s.Canaries.New(canary.Secret)}, "version": {accountVersion("stripe")},
			}
		}, nil},
		{account + "/remove?kind=secret&name=live", nil, nil},
		{account + "/remove", func() url.Values {
			return url.Values{"kind": {"credential"}, "name": {"live_key"}, "version": {accountVersion("stripe")}}
		}, nil},
		{platformsPath + "/standard/secret", nil, nil},
		{platformsPath + "/standard/secret", func() url.Values { return url.Values{"version": {accountVersion("standard")}} }, nil},
		{"/portal/products", nil, nil},
		{"/portal/products/new", nil, nil},
		{"/portal/products/new", func() url.Values {
			return url.Values{"id": {rand.Text()}, "title": {s.Canaries.New(setting)}, "keys.mode": {"per_unit"}, "keys.count": {"1"}}
		}, nil},
		{product, nil, nil},
		{product, func() url.Values {
			return url.Values{"title": {s.Canaries.New(setting)}, "keys.mode": {"shared"}, "version": {version()}}
		}, []string{setting}},
		{product + "/code", func() url.Values { return url.Values{"code": {s.Canaries.New(canary.Key)}, "version": {version()}} }, nil},
		{product + "/code", func() url.Values {
			return url.Values{"code": {s.Canaries.New(canary.Key) + "\x00"}, "version": {version()}}
		}, nil},
		{product + "/texts/en", nil, []string{setting}},
		{product + "/texts/en", func() url.Values {
			return url.Values{"subject": {s.Canaries.New(setting)}, "body": {"{KEY}"}, "version": {version()}}
		}, []string{setting}},
		{textsPath, nil, nil},
		{textsPath + "/en", func() url.Values { return url.Values{"body": {rand.Text() + " {KEY}"}, "version": {"*"}} }, nil},
		{previewPath, func() url.Values { return url.Values{"body": {"{KEY}"}, "product": {lambdatest.Product}} }, []string{setting}},
		{previewPath + "/send", func() url.Values { return url.Values{"body": {"{KEY}"}} }, nil},
		{testPurchasePath, nil, []string{setting, canary.Merchant}},
		{testPurchasePath, func() url.Values {
			return url.Values{"product": {lambdatest.Product}, "email": {s.Canaries.Address(canary.Customer)}, "account": {"standard"}}
		}, []string{setting, canary.Customer}},
		{noticesPath, nil, []string{setting, canary.Merchant}},
		{product + "/delete", nil, []string{setting}},
		{product + "/delete", func() url.Values { return url.Values{"version": {version()}} }, nil},
	}
}
