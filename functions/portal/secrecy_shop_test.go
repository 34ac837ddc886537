package main

import (
	"crypto/rand"
	"net/url"
	"strconv"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/lambdatest"
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
	return []screenCall{
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
		{product + "/delete", nil, []string{setting}},
		{product + "/delete", func() url.Values { return url.Values{"version": {version()}} }, nil},
	}
}
