package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/local/shop"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
)

// Every order in events/ is signed anew for the one-machine run, but for those whose
// signature is wrong on purpose.
func TestSignAnew(t *testing.T) {
	account := shop.Account{Merchant: "demo", Secret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}
	secret, err := platform.ParseSecret(account.Secret)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	files, err := filepath.Glob("../../events/*_order_*.json")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d events, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var event events.APIGatewayV2HTTPRequest
			if err := json.Unmarshal(content, &event); err != nil {
				t.Fatal(err)
			}
			before := event.Body
			ok, err := signAnew(&event, account, "elden", at)
			if err != nil {
				t.Fatal(err)
			}
			if wrong := strings.Contains(file, "signature") || strings.Contains(file, "unsigned"); ok == wrong {
				t.Fatalf("signed anew is %t", ok)
			}
			if !ok {
				if event.Body != before {
					t.Error("the event was changed")
				}
				return
			}
			body := []byte(event.Body)
			if event.IsBase64Encoded {
				if body, err = base64.StdEncoding.DecodeString(event.Body); err != nil {
					t.Fatal(err)
				}
			}
			r := platform.Request{Header: http.Header{}, Body: body}
			for name, value := range event.Headers {
				r.Header.Set(name, value)
			}
			if bySvix := strings.Contains(file, "svix"); bySvix != (r.Header.Get("webhook-id") == "") {
				t.Errorf("by Svix's headers: %t, headers %v", bySvix, r.Header)
			}
			if _, err := (standard.Adapter{}).Verify(r, platform.Account{Secrets: []platform.SigningSecret{{Secret: platform.Conceal(secret)}}}, at); err != nil {
				t.Error(err)
			}
			if strings.TrimSuffix(event.RawPath, "/") != "/webhooks/demo/standard" || strings.Contains(string(body), `"product":"game"`) {
				t.Errorf("the event is for %s, with the body %s", event.RawPath, body)
			}
		})
	}
}
