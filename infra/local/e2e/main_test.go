//go:build deployment

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	chromium "keypool/infra/browser"
	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
	"keypool/infra/local/standin"
	"keypool/infra/proof/canary"
)

// timeout is how long the tests wait for what comes by itself. It comes within
// seconds; a machine that is busy with other things gets more.
const timeout = 2 * time.Minute

// world is the deployment that all tests share. Each makes a merchant of its own.
var world struct {
	machine *machine.Machine
	shop    *shop.Shop
	outputs map[string]string
	// internet has the APIs that functions call.
	internet *standin.Internet

	// Every key, address, name and secret of the run is a canary: every key begins
	// with mark, and every customer's address ends in domain.
	canaries     canary.Set
	mark, domain string
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx := context.Background()
	world.mark, world.domain = strings.ToUpper(world.canaries.Prefix(canary.Key)), world.canaries.Prefix(canary.Customer)+".example"

	checkout, err := filepath.Abs("../../..")
	if err != nil {
		return failed(err)
	}
	if world.machine, err = machine.OpenNew(checkout, "e2e"); err != nil {
		return failed(err)
	}
	defer world.machine.Remove(ctx)
	if world.shop, world.outputs, err = shop.Open(ctx, world.machine, os.Stderr); err != nil {
		return failed(err)
	}
	if world.internet, err = standin.Open(ctx, world.machine); err != nil {
		return failed(err)
	}
	defer world.internet.Close()
	defer chromium.Close()
	world.shop.HTTP.Transport = &witness{next: world.shop.HTTP.Transport}
	code := m.Run()
	if err := search(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "--- FAIL: what the whole run left behind\n", err)
		code = 1
	}
	return code
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "the one-machine deployment for the tests:", err)
	return 1
}
