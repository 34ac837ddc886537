package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
)

// The merchant that every one-machine run has.
const (
	demoMerchant = "demo"
	demoTitle    = "Demo Games"
	demoNotices  = "merchant@demo.example"
	demoPool     = "elden"
	demoProduct  = "elden-long-night"
	demoTitleOf  = "Elden: The Long Night"
)

// demoScopes are what the lines of README, and make demo, need.
var demoScopes = []string{"upload", "orders:read", "orders:write", "settings"}

// up starts the one-machine run, deploys what has changed, sets up the demo merchant and
// writes its addresses and credentials to .local/env.
func up(ctx context.Context, c *call) error {
	port := 0
	if value := c.setting("PORT", ""); value != "" {
		var err error
		if port, err = strconv.Atoi(value); err != nil || port < 1 || port > 65535 {
			return &machine.Fault{Says: "PORT is not the number of a port.", Try: "make up PORT=4566"}
		}
	}
	steps := append(c.machine.Up(port), machine.Step{
		Says: "setting up a merchant, a pool and a product",
		Do:   func(ctx context.Context) error { return writeEnvironment(ctx, c) },
	})
	p := &progress{out: os.Stdout, of: len(steps)}
	for _, s := range steps {
		if err := p.step(s.Says, func() error { return s.Do(ctx) }); err != nil {
			return err
		}
	}
	fmt.Printf("\nUp: the API and its pages at %s, AWS's services at %s.\nTo use it with any AWS tool or curl:  . .local/env\n", c.machine.PublicURL(), c.machine.Endpoint())
	return nil
}

func down(ctx context.Context, c *call) error {
	if !c.machine.Running() {
		fmt.Println("Nothing is running.")
		return nil
	}
	if err := c.machine.Stop(ctx); err != nil {
		return err
	}
	fmt.Println("Stopped; nothing is left running. What it holds is kept for the next `make up`, `make reset` forgets it.")
	return nil
}

func reset(ctx context.Context, c *call) error {
	if err := c.machine.Remove(ctx); err != nil {
		return err
	}
	for _, name := range []string{"env", "sam-env.json"} {
		if err := os.RemoveAll(filepath.Join(c.checkout, ".local", name)); err != nil {
			return err
		}
	}
	fmt.Println("Stopped. All that it held is deleted: merchants, pools, keys, orders and mails, and .local/env with its addresses and secrets.\n" +
		"What was fetched and compiled is kept. `make up` begins anew.")
	return nil
}

// writeEnvironment sets up the demo merchant, unless the one in .local/env still works,
// and writes .local/env and .local/sam-env.json.
func writeEnvironment(ctx context.Context, c *call) error {
	outputs, err := c.machine.Outputs(ctx)
	if err != nil {
		return err
	}
	s, err := shop.Of(c.machine, outputs)
	if err != nil {
		return err
	}
	account := shop.Account{Merchant: demoMerchant}
	token := ""
	if env, err := readEnvironment(c.checkout); err == nil {
		account.Secret, token = env["KEYPOOL_SECRET"], env["KEYPOOL_TOKEN"]
	}
	// After a reset, the machine knows neither this token nor this secret.
	if token == "" || account.Secret == "" || s.Ask(ctx, token, http.MethodGet, "/v1/pools/"+demoPool, nil, nil) != nil {
		made, err := s.SetUp(ctx, shop.Setup{
			Merchant: demoMerchant, Title: demoTitle, Notices: demoNotices,
			Pool: demoPool, Product: demoProduct, ProductTitle: demoTitleOf,
			Token: shop.NewToken{Name: "README", Scopes: demoScopes, PerMinute: 6000},
		})
		if err != nil {
			return err
		}
		account, token = made.Account, made.Token.Text
		if err := stockUp(ctx, s); err != nil {
			return err
		}
	}

	env := s.Environment(c.machine, account, token, demoPool, demoProduct)
	var text strings.Builder
	text.WriteString("# Written by make up: how to reach the one-machine run.  . .local/env\n")
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&text, "export %s=%s\n", name, shop.Quote(env[name]))
	}
	if err := os.WriteFile(environmentFile(c.checkout), []byte(text.String()), 0o600); err != nil {
		return err
	}
	return writeSAM(c, outputs)
}

// stockUp uploads keys for the demo pool: 200 live ones, and 20 for test orders.
func stockUp(ctx context.Context, s *shop.Shop) error {
	for folder, n := range map[string]int{"": 200, "test/": 20} {
		var keys strings.Builder
		for range n {
			random := rand.Text()
			fmt.Fprintf(&keys, "ELDEN-%s-%s-%s\n", random[:5], random[5:10], random[10:15])
		}
		name := "uploads/" + demoMerchant + "/" + demoPool + "/" + folder + "first-keys.txt"
		if err := s.Drop(ctx, name, []byte(keys.String())); err != nil {
			return err
		}
	}
	return nil
}

// writeSAM writes the file for `sam local invoke --env-vars`: the environment of the
// deployed functions. A function in SAM's container reaches the machine through the
// bridge, and finds the certificate beside its binary.
func writeSAM(c *call, outputs map[string]string) error {
	settings := map[string]string{
		"AWS_ENDPOINT_URL":          c.machine.ContainersEndpoint(),
		"AWS_CA_BUNDLE":             "/var/task/ca.pem",
		"KEYPOOL_CATALOG_TABLE":     outputs["CatalogTable"],
		"KEYPOOL_KEYS_TABLE":        outputs["KeysTable"],
		"KEYPOOL_ORDERS_TABLE":      outputs["OrdersTable"],
		"KEYPOOL_SESSIONS_TABLE":    outputs["SessionsTable"],
		"KEYPOOL_UPLOADS_BUCKET":    outputs["UploadsBucket"],
		"KEYPOOL_REPORTS_BUCKET":    outputs["ReportsBucket"],
		"KEYPOOL_RANGES_QUEUE_URL":  outputs["RangesQueue"],
		"KEYPOOL_FILL_QUEUE_URL":    outputs["FillQueue"],
		"KEYPOOL_CATCHUP_QUEUE_URL": outputs["CatchupQueue"],
		"KEYPOOL_JOBS_QUEUE_URL":    outputs["JobsQueue"],
		"KEYPOOL_CONFIGURATION_SET": outputs["ConfigurationSet"],
		"KEYPOOL_KMS_KEY":           outputs["KmsKey"],
		"KEYPOOL_PUBLIC_URL":        outputs["ApiUrl"],
		"KEYPOOL_SENDER":            machine.Sender,
		"KEYPOOL_OPERATOR":          machine.Operator,
	}
	content, err := json.MarshalIndent(map[string]any{"Parameters": settings}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.checkout, ".local", "sam-env.json"), append(content, '\n'), 0o600)
}

// running returns the one-machine run, and the content of .local/env.
func running(ctx context.Context, c *call) (*shop.Shop, map[string]string, error) {
	env, err := readEnvironment(c.checkout)
	if err != nil || !c.machine.Running() {
		return nil, nil, &machine.Fault{Says: "The one-machine run is not up.", Try: "make up"}
	}
	outputs, err := c.machine.Outputs(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := shop.Of(c.machine, outputs)
	return s, env, err
}

func environmentFile(checkout string) string { return filepath.Join(checkout, ".local", "env") }

// readEnvironment reads .local/env in the form that up writes it.
func readEnvironment(checkout string) (map[string]string, error) {
	content, err := os.ReadFile(environmentFile(checkout))
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for line := range strings.Lines(string(content)) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if ok {
			env[name] = strings.ReplaceAll(strings.Trim(value, "'"), `'\''`, "'")
		}
	}
	return env, nil
}
