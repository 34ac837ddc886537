package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
	"keypool/shared/mailaddress"
	"keypool/shared/pool"
)

// merchant sets up a merchant with a token, a pool, a product and a signing secret. It
// uses the deployment that the shell's AWS settings lead to, or the one-machine run if
// the shell has no AWS settings.
func merchant(ctx context.Context, c *call) error {
	const usage = "make merchant NAME=acme EMAIL=stock@acme.example POOL=elden PRODUCT=4711"
	what := shop.Setup{
		Merchant: c.setting("NAME", ""), Notices: c.setting("EMAIL", ""), Pool: c.setting("POOL", ""), Product: c.setting("PRODUCT", ""),
	}
	what.Title = c.setting("TITLE", what.Merchant)
	what.ProductTitle = what.Product
	for _, name := range []string{what.Merchant, what.Pool} {
		if err := pool.CheckName(name); err != nil {
			return &machine.Fault{Says: "NAME and POOL are 1 to 63 lower-case letters, digits and hyphens.", Try: usage}
		}
	}
	if !mailaddress.Valid(what.Notices) {
		return &machine.Fault{Says: "EMAIL is not a mail address: it is where notices about stock go.", Try: usage}
	}
	if what.Product == "" {
		return &machine.Fault{Says: "PRODUCT is missing: the id that the shop knows the product by.", Try: usage}
	}
	s, where, err := anyShop(ctx, c)
	if err != nil {
		return err
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
API token, shown this once:
  %s

Upload a file of keys, one a line:
  %s

Next: upload a file; its report comes by mail to %s within a minute. Then have the platform call.
`, what.Merchant, what.Product, what.Pool, where,
		s.URL, made.Account.Path(), made.Account.Secret, made.Token,
		shop.UploadCurl(curl, s.URL, made.Token, what.Pool), what.Notices)
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
	s := &shop.Shop{
		AWS: cfg, HTTP: &http.Client{Timeout: time.Minute}, URL: strings.TrimSuffix(outputs["ApiUrl"], "/"), Bucket: outputs["UploadsBucket"],
	}
	return s, "in " + cfg.Region + " on AWS", nil
}
