// Package whole tests Keypool end to end, on a one-machine deployment of its
// own, by nothing but its public faces: the bucket, the HTTPS API and the mails.
// Once the tests are done, all that the run left behind, and above all every line
// of its logs, is searched for the very keys, addresses and secrets that were used.
package whole

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
	"keypool/shared/canary"
)

// patience is how long the tests wait for what comes by itself. It comes within
// seconds; a machine that is busy with other things gets more.
const patience = 2 * time.Minute

// world is the deployment that all tests share. Each makes a merchant of its own.
var world struct {
	machine *machine.Machine
	shop    *shop.Shop
	outputs map[string]string

	// Every key, address, name and secret of the run is a canary: every key begins
	// with mark, and every customer's address ends in domain.
	cage         canary.Cage
	mark, domain string
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx := context.Background()
	world.mark, world.domain = strings.ToUpper(world.cage.Mark(canary.Key)), world.cage.Mark(canary.Customer)+".example"

	checkout, err := filepath.Abs("../../..")
	if err != nil {
		return failed(err)
	}
	// A machine of this run alone: it meets neither the developer's nor another run's.
	home := filepath.Join(checkout, ".local", "whole-"+strings.ToLower(rand.Text()[:8]))
	if world.machine, err = machine.Open(checkout, home); err != nil {
		return failed(err)
	}
	defer world.machine.Remove(ctx)
	if err := deploy(ctx); err != nil {
		return failed(err)
	}
	code := m.Run()
	if err := search(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "--- FAIL: what the whole run left behind\n", err)
		code = 1
	}
	return code
}

// deploy starts the machine and deploys to it, and says what it is doing.
func deploy(ctx context.Context) error {
	m := world.machine
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	for _, step := range []struct {
		says string
		do   func(context.Context) error
	}{
		{"looking for Python and Node", machine.CheckTools},
		{"fetching MiniStack", m.FetchMiniStack},
		{"fetching the CDK", m.FetchCDK},
		{"compiling the functions and the infrastructure", m.Build},
		{"starting a machine", func(ctx context.Context) error { return m.Start(ctx, port) }},
		{"deploying", m.Deploy},
	} {
		start := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.says, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %.1f s\n", step.says, time.Since(start).Seconds())
	}
	if world.outputs, err = m.Outputs(ctx); err != nil {
		return err
	}
	cfg, err := m.Config()
	if err != nil {
		return err
	}
	client, err := m.HTTPClient()
	if err != nil {
		return err
	}
	client.Transport = &witness{next: client.Transport}
	world.shop = &shop.Shop{
		AWS: cfg, HTTP: client, URL: m.APIURL(world.outputs["ApiId"]), Bucket: world.outputs["UploadsBucket"], Inbox: m.InboxURL(),
	}
	return nil
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "the one-machine deployment for the tests:", err)
	return 1
}
