package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
	"keypool/shared/access"
	"keypool/shared/mailaddress"
	"keypool/shared/pool"
)

// merchant makes a merchant, whose owner is invited and sets up the rest in the portal. With POOL
// and PRODUCT it sets those up too, with a token and a signing secret. It uses the deployment that
// the shell's AWS settings lead to, or the one-machine run if the shell has no AWS settings.
func merchant(ctx context.Context, c *call) error {
	const usage = "make merchant NAME=acme EMAIL=owner@acme.example POOL=elden PRODUCT=4711"
	what := shop.Setup{
		Merchant: c.setting("NAME", ""), Notices: c.setting("EMAIL", ""), Pool: c.setting("POOL", ""), Product: c.setting("PRODUCT", ""),
	}
	what.Title = c.setting("TITLE", what.Merchant)
	what.ProductTitle = what.Product
	// It stands in a shell's history and in scripts: it can bring keys, and take nothing.
	what.Token = shop.NewToken{Name: "upload line of make merchant", Scopes: []string{"upload"}}
	if pool.CheckName(what.Merchant) != nil || what.Pool != "" && pool.CheckName(what.Pool) != nil {
		return &machine.Fault{Says: "NAME and POOL: " + pool.NameRule + ".", Try: usage}
	}
	if !mailaddress.Valid(what.Notices) {
		return &machine.Fault{Says: "EMAIL is not a mail address: notices about stock go there, and the merchant's first owner signs in by it.", Try: usage}
	}
	if (what.Pool == "") != (what.Product == "") {
		return &machine.Fault{Says: "POOL and PRODUCT, the id that the shop knows the product by, go together. Without them the merchant sets up both in the portal.", Try: usage}
	}
	s, where, err := anyShop(ctx, c)
	if err != nil {
		return err
	}
	if err := s.AddMerchant(ctx, what); err != nil {
		return err
	}
	owner := shop.Owner{Name: c.setting("OWNER", "Owner"), Email: what.Notices}
	if err := s.MakeOwner(ctx, what.Merchant, owner); err != nil {
		return err
	}
	door := fmt.Sprintf("Merchant Portal, where %s signs in by mails to %s, who was sent an invitation:\n  %s/portal\n", owner.Name, owner.Email, s.URL)
	if what.Pool == "" {
		fmt.Printf("Merchant %q, %s.\n\n%s\nNext: open it. Its first page leads through the rest, from the first pool to a test order.\n", what.Merchant, where, door)
		return nil
	}
	made, err := s.SetUp(ctx, what)
	if err != nil {
		return err
	}

	curl := "curl -sS"
	if s.Inbox != "" {
		curl += " --cacert " + shop.Quote(c.machine.CABundle()) // nobody else knows this machine's certificate
	}
	fmt.Printf(`Merchant %q sells %q from the pool %q, %s.

Webhook address, for the payment platform:
  %s%s
Signing secret (Standard Webhooks), shown this once:
  %s
API token, shown this once. It can bring keys and nothing else, until %s:
  %s

Upload a file of keys, one a line:
  %s

For the rest of the API:  make token NAME=%s SCOPES=settings,orders:read

%s
Next: upload a file; its report comes by mail to %s within a minute. Then have the platform call.
`, what.Merchant, what.Product, what.Pool, where,
		s.URL, made.Account.Path(), made.Account.Secret,
		made.Token.ExpiresAt.Format(time.DateOnly), made.Token.Text,
		shop.UploadCurl(curl, s.URL, made.Token.Text, what.Pool), what.Merchant, door, what.Notices)
	return nil
}

// signIn opens a merchant's portal for the operator, who helps there for an hour: see
// access.NewHelp.
func signIn(ctx context.Context, c *call) error {
	const usage = "make sign-in MERCHANT=acme WHY='You asked us to load keys.'"
	merchant := c.setting("MERCHANT", "")
	if pool.CheckName(merchant) != nil {
		return &machine.Fault{Says: "MERCHANT is the name of the merchant whose portal is opened.", Try: usage}
	}
	s, where, err := anyShop(ctx, c)
	if err != nil {
		return err
	}
	opened, err := s.OpenPortal(ctx, merchant, c.setting("WHY", ""))
	var refusal *shop.Refusal
	switch {
	case shop.IsMissing(err):
		return &machine.Fault{Says: fmt.Sprintf("There is no merchant %q %s.", merchant, where), Try: "make merchant NAME=" + merchant}
	case errors.As(err, &refusal):
		return &machine.Fault{Says: refusal.Detail, Try: usage}
	case err != nil:
		return err
	}
	fmt.Printf(`The portal of %s, %s, opens for you by this address, once, until %s:
  %s

You are in until %s. Its notice address and its owners were told by mail, and all that you do stands in
their audit trail as done by the operator. Give the address to nobody.
`, merchant, where, opened.GoodUntil.Local().Format("15:04"), opened.Address, opened.EndsAt.Local().Format("15:04"))
	return nil
}

// token makes an API token for a merchant: with scopes of its own, or one that stands for a person.
func token(ctx context.Context, c *call) error {
	const usage = "make token NAME=acme SCOPES=settings,orders:read FOR='our back office' DAYS=90"
	merchant, scopes, person := c.setting("NAME", ""), c.setting("SCOPES", ""), c.setting("PERSON", "")
	if pool.CheckName(merchant) != nil || (scopes == "") == (person == "") {
		return &machine.Fault{
			Says: "NAME is a merchant's name. SCOPES is what the token is for: " + access.Explained() +
				" PERSON, in place of SCOPES, is the id of one of its people: the token may do what that person may.",
			Try: usage,
		}
	}
	want := shop.NewToken{Name: c.setting("FOR", "made by make token"), Person: person}
	allowed := "what " + person + " may do"
	if scopes != "" {
		want.Scopes = strings.Split(scopes, ",")
		allowed = strings.Join(want.Scopes, ", ")
	}
	for _, number := range []struct {
		setting, of string
		to          *int
	}{
		{"DAYS", "days", &want.Days},
		{"RATE", "calls a minute", &want.PerMinute},
	} {
		typed := c.setting(number.setting, "")
		if typed == "" {
			continue
		}
		var err error
		if *number.to, err = strconv.Atoi(typed); err != nil || *number.to == 0 {
			return &machine.Fault{Says: number.setting + " is not a number of " + number.of + ".", Try: usage}
		}
	}
	s, where, err := anyShop(ctx, c)
	if err != nil {
		return err
	}
	made, err := s.AddToken(ctx, merchant, want)
	var refusal *shop.Refusal
	switch {
	case shop.IsMissing(err):
		return &machine.Fault{Says: fmt.Sprintf("There is no merchant %q %s.", merchant, where), Try: "make merchant NAME=" + merchant}
	case errors.As(err, &refusal):
		return &machine.Fault{Says: refusal.Detail, Try: usage}
	case err != nil:
		return err
	}
	fmt.Printf(`API token of %s for %s, good until %s, shown this once:
  %s
`, merchant, allowed, made.ExpiresAt.Format(time.DateOnly), made.Text)
	return nil
}

// anyShop returns the deployment that the shell's AWS settings lead to, or the
// one-machine run.
func anyShop(ctx context.Context, c *call) (*shop.Shop, string, error) {
	named := os.Getenv("AWS_PROFILE") != "" || os.Getenv("AWS_ACCESS_KEY_ID") != ""
	if !named && c.machine.Running() {
		s, _, err := running(ctx, c)
		return s, "on this machine", err
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, "", &machine.Fault{Says: "There are no AWS settings to work with.", Try: "aws configure", Cause: err}
	}
	if cfg.BaseEndpoint != nil {
		s, _, err := running(ctx, c) // the shell has read .local/env
		return s, "on this machine", err
	}
	stack := c.setting("STACK", "Keypool")
	outputs, err := machine.Outputs(ctx, cfg, stack)
	if err != nil {
		return nil, "", &machine.Fault{Says: "No deployment is found with the AWS settings of this shell.", Try: "make up   (or make deploy, or STACK=its name)", Cause: err}
	}
	url := strings.TrimSuffix(outputs["ApiUrl"], "/")
	s := &shop.Shop{AWS: cfg, HTTP: &http.Client{Timeout: time.Minute}, URL: url, Bucket: outputs["UploadsBucket"]}
	return s, "in " + cfg.Region + " on AWS", nil
}
