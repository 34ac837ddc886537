package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
)

// examplesSecret signs the events in events/ that a platform's signature is right on.
const examplesSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// signEvent copies an event of a paid order from events/, with the merchant and product
// of this machine and a signature of this moment, and prints the name of the copy. For
// an event of another kind, or with a signature that is wrong on purpose, it prints the
// event's own name.
func signEvent(_ context.Context, c *call) error {
	source := c.setting("EVENT", "events/good_order_paid.json")
	content, err := os.ReadFile(source)
	if err != nil {
		return &machine.Fault{Says: "There is no such event.", Try: "ls events", Cause: err}
	}
	var event events.APIGatewayV2HTTPRequest
	if json.Unmarshal(content, &event) != nil || !strings.HasPrefix(event.RawPath, "/webhooks/acme/") {
		fmt.Println(source)
		return nil
	}
	env, err := readEnvironment(c.checkout)
	if err != nil {
		return &machine.Fault{Says: "The one-machine run is not up.", Try: "make up"}
	}
	account := shop.Account{Merchant: env["KEYPOOL_MERCHANT"], Secret: env["KEYPOOL_SECRET"]}
	switch ok, err := signAnew(&event, account, env["KEYPOOL_PRODUCT"], now()); {
	case err != nil:
		return err
	case !ok:
		fmt.Println(source)
		return nil
	}
	signed, err := json.MarshalIndent(event, "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(".local", "events", filepath.Base(source))
	if err := os.MkdirAll(filepath.Dir(filepath.Join(c.checkout, name)), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.checkout, name), signed, 0o600); err != nil {
		return err
	}
	fmt.Println(name)
	return nil
}

// signAnew makes an event one of another account and product, signed at a time. It is
// not ok, and the event unchanged, if the event's own signature is wrong.
func signAnew(event *events.APIGatewayV2HTTPRequest, account shop.Account, product string, at time.Time) (ok bool, err error) {
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		if body, err = base64.StdEncoding.DecodeString(event.Body); err != nil {
			return false, nil
		}
	}
	if !signedByExamples(event.Headers, body) {
		return false, nil
	}
	// The account delivers what was paid after it was made.
	body = paidAt.ReplaceAll(body, []byte(`"paid_at":"`+at.UTC().Format(time.RFC3339)+`"`))
	body = bytes.ReplaceAll(body, []byte(`"product":"game"`), []byte(`"product":"`+product+`"`))
	request, err := account.Sign(body, at)
	if err != nil {
		return false, err
	}
	_, bySvix := event.Headers["svix-id"]
	for name := range request.Header {
		name := strings.ToLower(name)
		value := request.Header.Get(name)
		if bySvix {
			name = strings.Replace(name, "webhook-", "svix-", 1)
		}
		event.Headers[name] = value
	}
	event.RawPath = request.Path
	if _, slash := event.PathParameters["proxy"]; slash {
		event.RawPath += "/"
		event.PathParameters["proxy"] = strings.TrimPrefix(event.RawPath, "/webhooks/")
	} else {
		event.PathParameters["merchant"] = account.Merchant
	}
	event.Body = string(body)
	if event.IsBase64Encoded {
		event.Body = base64.StdEncoding.EncodeToString(body)
	}
	return true, nil
}

// paidAt is the time of the examples' orders.
var paidAt = regexp.MustCompile(`"paid_at":"[0-9][^"]*"`)

// signedByExamples reports whether a request was signed right at its own time.
func signedByExamples(headers map[string]string, body []byte) bool {
	r := platform.Request{Header: http.Header{}, Body: body}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	seconds, err := strconv.ParseInt(cmp.Or(r.Header.Get("webhook-timestamp"), r.Header.Get("svix-timestamp")), 10, 64)
	if err != nil {
		return false
	}
	secret, err := platform.ParseSecret(examplesSecret)
	if err != nil {
		return false
	}
	_, err = standard.Adapter{}.Verify(r, platform.Account{Secrets: []platform.SigningSecret{{Secret: platform.Conceal(secret)}}}, time.Unix(seconds, 0))
	return err == nil
}
