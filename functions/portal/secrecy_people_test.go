package main

import (
	"net/url"
	"strconv"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/lambdatest"
	"keypool/shared/access"
)

// peopleCalls are the calls of who gets in.
func (s *sandbox) peopleCalls() []screenCall {
	grace := func() access.Person {
		people, version, err := s.Store.People(s.Context(), lambdatest.Merchant)
		if err != nil {
			s.Fatal(err)
		}
		for _, p := range people {
			if p.ID == "grace" {
				return p
			}
		}
		p := access.Person{Merchant: lambdatest.Merchant, ID: "grace", Name: "Grace Hopper", Address: s.Canaries.Address(canary.Merchant), Role: access.Read}
		if err := s.Store.PutPerson(s.Context(), version, p, ""); err != nil {
			s.Fatal(err)
		}
		p.Version = 1
		return p
	}
	sent := func() url.Values {
		return url.Values{"version": {strconv.Itoa(grace().Version)}, "name": {s.Canaries.New(setting)}, "email": {s.Canaries.Address(canary.Merchant)}, "role": {"read"}}
	}
	grace()
	token := access.Token{Hash: access.HashToken("x"), Merchant: lambdatest.Merchant, Name: "nightly", Scopes: []access.Scope{access.Upload}}
	people := []string{setting, canary.Merchant}
	return []screenCall{
		{peoplePath, nil, people},
		{invitePath, nil, nil},
		{invitePath, sent, people},
		{invitePath, func() url.Values { v := sent(); v.Set("role", s.Canaries.New(setting)); return v }, people},
		{personPath("grace"), nil, people},
		{personPath("grace"), sent, people},
		{personPath("grace") + "/remove", nil, people},
		{personPath("grace") + "/remove", func() url.Values { return url.Values{"version": {strconv.Itoa(grace().Version)}} }, nil},
		{mePath, nil, people},
		{mePath + "/end-others", func() url.Values { return url.Values{} }, nil},
		{settingsPath + "/help/end", func() url.Values { return url.Values{} }, nil},
		{tokensPath, nil, nil},
		{tokensPath + "/" + token.ID() + "/revoke", func() url.Values {
			_ = s.Store.PutToken(s.Context(), token) // it may be there still
			return url.Values{}
		}, nil},
		{auditPath, nil, people},
	}
}
