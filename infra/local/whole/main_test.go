// Package whole tests Keypool end to end, on a one-machine deployment of its
// own, by nothing but its public faces: the bucket, the HTTPS API and the mails.
// Once the tests are done, every log line of the whole run is searched for the
// very keys, addresses and secrets that were used.
package whole

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
)

// patience is how long the tests wait for what comes by itself. It comes within
// seconds; a machine that is busy with other things gets more.
const patience = 2 * time.Minute

// world is the deployment that all tests share. Each makes a merchant of its own.
var world struct {
	machine *machine.Machine
	shop    *shop.Shop
	outputs map[string]string

	// Every key begins with mark and every address ends in domain, so that the
	// logs can be searched for all of them at once.
	mark, domain string

	mu      sync.Mutex
	secrets []string // signing secrets and tokens
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx := context.Background()
	random := strings.ToLower(rand.Text()[:8])
	world.mark, world.domain = "KP"+strings.ToUpper(random), "k"+random+".example"

	checkout, err := filepath.Abs("../../..")
	if err != nil {
		return failed(err)
	}
	// A machine of this run alone: it meets neither the developer's nor another run's.
	home := filepath.Join(checkout, ".local", "whole-"+random)
	if world.machine, err = machine.Open(checkout, home); err != nil {
		return failed(err)
	}
	defer world.machine.Remove(ctx)
	if err := deploy(ctx); err != nil {
		return failed(err)
	}
	code := m.Run()
	if err := searchLogs(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "--- FAIL: the logs of the whole run\n", err)
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
	world.shop = &shop.Shop{
		AWS: cfg, HTTP: client, URL: m.APIURL(world.outputs["ApiId"]), Bucket: world.outputs["UploadsBucket"], Inbox: m.InboxURL(),
	}
	return nil
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "the one-machine deployment for the tests:", err)
	return 1
}

// searchLogs reads every line that was logged in the run, by the functions, the
// API's access log and the emulator, and fails on whatever must not be in one.
func searchLogs(ctx context.Context) error {
	var faults []error
	lines := 0
	look := func(where, line string) {
		lines++
		for what, found := range map[string]bool{
			"a license key":   strings.Contains(line, world.mark),
			"an address":      address.MatchString(line),
			"a secret":        holdsSecret(line),
			"a missing right": strings.Contains(line, "AccessDenied") || strings.Contains(line, "is not authorized to perform"),
		} {
			if found {
				faults = append(faults, fmt.Errorf("%s in the log of %s: %.300s", what, where, line))
			}
		}
	}
	client := cloudwatchlogs.NewFromConfig(world.shop.AWS)
	groups := cloudwatchlogs.NewDescribeLogGroupsPaginator(client, &cloudwatchlogs.DescribeLogGroupsInput{})
	for groups.HasMorePages() {
		page, err := groups.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the log groups: %w", err)
		}
		for _, group := range page.LogGroups {
			events := cloudwatchlogs.NewFilterLogEventsPaginator(client, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: group.LogGroupName})
			for events.HasMorePages() {
				page, err := events.NextPage(ctx)
				if err != nil {
					return fmt.Errorf("read the log group %s: %w", aws.ToString(group.LogGroupName), err)
				}
				for _, event := range page.Events {
					look(aws.ToString(group.LogGroupName), aws.ToString(event.Message))
				}
			}
		}
	}
	own, err := os.Open(world.machine.Log())
	if err != nil {
		return err
	}
	defer own.Close()
	scanner := bufio.NewScanner(own)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		look("the emulator", scanner.Text())
	}
	if err := scanner.Err(); err != nil {
		return err
	}
	if lines < 100 {
		faults = append(faults, fmt.Errorf("only %d log lines were found: this is not the log of the run", lines))
	}
	fmt.Fprintf(os.Stderr, "searched %d log lines for keys, addresses and secrets\n", lines)
	return errors.Join(faults...)
}

func holdsSecret(line string) bool {
	return slices.ContainsFunc(world.secrets, func(secret string) bool { return strings.Contains(line, secret) })
}

// address finds the addresses of the tests, of the deployment and of SES's simulator.
var address = regexp.MustCompile(`[A-Za-z0-9._%+-]+@([a-z0-9.-]+\.example|simulator\.amazonses\.com)`)
