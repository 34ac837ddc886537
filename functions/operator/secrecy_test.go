package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/lambdatest"
	"keypool/infra/proof/resttest"
	"keypool/shared/access"
)

// Whatever goes wrong with a call, no secret stands in the response or the log, but
// for what the caller asked for.
func TestSecrecy(t *testing.T) {
	s := lambdatest.Open(t, wire)
	calls := 0
	call := func(method, path, body string) []byte {
		calls++
		e := resttest.Event(t, "good_operator_merchant")
		e.RequestContext.HTTP.Method, e.Body = method, body
		e.RawPath, e.RawQueryString, _ = strings.Cut(path, "?")
		e.Headers["if-match"], e.Headers["idempotency-key"] = "*", fmt.Sprint(calls)
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	s.RefuseEachCall("PUT /v1/merchants/nova", func() []byte {
		return call("PUT", "/v1/merchants/nova", `{"title":"Nova","notice_address":"`+s.Canaries.Address(canary.Merchant)+`"}`)
	}, canary.Merchant)
	s.RefuseEachCall("POST /v1/merchants/nova/tokens", func() []byte {
		return call("POST", "/v1/merchants/nova/tokens", `{"name":"`+s.Canaries.New("setting")+`","scopes":["upload"]}`)
	}, "setting")
	s.RefuseEachCall("POST /v1/merchants/nobody/tokens", func() []byte {
		return call("POST", "/v1/merchants/nobody/tokens", `{"name":"x","scopes":["upload"]}`)
	})
	if err := s.Store.PutPerson(t.Context(), 0, access.Person{Merchant: "nova", ID: "ada", Role: access.Owner}, ""); err != nil {
		t.Fatal(err)
	}
	s.RefuseEachCall("POST /v1/merchants/nova/tokens for a person", func() []byte {
		return call("POST", "/v1/merchants/nova/tokens", `{"name":"x","person":"ada"}`)
	})
	s.RefuseEachCall("GET /v1/merchants/nova/tokens", func() []byte { return call("GET", "/v1/merchants/nova/tokens", "") }, "setting")
	if err := s.Store.PutToken(t.Context(), access.Token{Hash: sampleToken.ID, Merchant: "nova"}); err != nil {
		t.Fatal(err)
	}
	s.RefuseEachCall("DELETE /v1/merchants/nova/tokens", func() []byte { return call("DELETE", "/v1/merchants/nova/tokens/"+sampleToken.ID, "") })
	s.RefuseEachCall("POST /v1/merchants/nova/owners", func() []byte {
		return call("POST", "/v1/merchants/nova/owners", `{"name":"`+s.Canaries.New("setting")+`","email":"`+s.Canaries.Address(canary.Merchant)+`"}`)
	}, canary.Merchant, "setting")
	s.RefuseEachCall("POST /v1/merchants/nova/help", func() []byte {
		return call("POST", "/v1/merchants/nova/help", `{"reason":"`+s.Canaries.New("setting")+`"}`)
	})
	s.RefuseEachCall("GET /v1/merchants/nova", func() []byte { return call("GET", "/v1/merchants/nova", "") }, canary.Merchant)

	key := s.Canaries.New(canary.Key)
	for _, raw := range []string{`"` + key + `"`, `{"headers":"` + key + `"}`, `{"isBase64Encoded":true,"body":"` + key + `!"}`, `{"rawPath":"/` + key + `","rawQueryString":"` + key + `"}`} {
		s.Invoke("an event that cannot be read", []byte(raw))
	}
	for _, path := range []string{"/" + key, "/v1/merchants/" + key, "/v1/merchants/" + key + "/tokens", "/v1/merchants/nova?x=" + key} {
		for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
			s.Invoke("an address with a key in it", call(method, path, key))
		}
	}
}
