package machine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"golang.org/x/sync/errgroup"
)

// The mail addresses of the deployment. Mails stay in the machine's inbox.
const (
	Sender   = "keys@keypool.example"
	Operator = "operator@keypool.example"
)

// domainCertificate is what the API's domain is given for its certificate. The emulator asks
// for one and serves the machine's own instead.
const domainCertificate = "arn:aws:acm:" + Region + ":" + Account + ":certificate/one-machine"

// parameters returns the CDK app's parameters that are not its defaults.
func (m *Machine) parameters() map[string]string {
	return map[string]string{
		"apiDomain":    Domain,
		"certificate":  domainCertificate,
		"publicUrl":    m.PublicURL(), // with the port, which a domain on AWS does not need
		"sender":       "Keypool <" + Sender + ">",
		"operator":     Operator,
		"architecture": Architecture(),
		"schedule":     "rate(1 minute)", // so that nobody waits five minutes to see a low-stock mail
	}
}

// Architecture returns the architecture of this computer, as the CDK app and the zips
// name it.
func Architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// app returns the path of the compiled CDK app, which machines of one checkout share.
func (m *Machine) app() string { return filepath.Join(m.Checkout, ".local", "bin", "infra") }

// Build makes the zips of the functions for this computer's architecture and compiles
// the CDK app. It does both at the same time: most of the app is one very large package,
// which keeps only one core busy.
func (m *Machine) Build(ctx context.Context) error {
	var builds errgroup.Group
	builds.Go(func() error {
		if err := m.run(ctx, nil, m.Checkout, "make", "build", "ARCH="+Architecture()); err != nil {
			return &Fault{Says: "The functions do not compile.", Try: "make build ARCH=" + Architecture(), Cause: err}
		}
		return nil
	})
	builds.Go(func() error {
		if err := m.run(ctx, nil, m.Checkout, "make", "app"); err != nil {
			return &Fault{Says: "The infrastructure does not compile.", Try: "make app", Cause: err}
		}
		return nil
	})
	return builds.Wait()
}

// Step is one step of bringing a machine up.
type Step struct {
	Says string // what it does, and how long that takes
	Do   func(context.Context) error
}

// Up returns the steps that bring the machine up from any state. See Start about port.
func (m *Machine) Up(port int) []Step {
	return []Step{
		{"looking for Python and Node", CheckTools},
		{"fetching MiniStack and the CDK, once, half a minute", func(ctx context.Context) error {
			fetches, ctx := errgroup.WithContext(ctx)
			fetches.Go(func() error { return m.FetchMiniStack(ctx) })
			fetches.Go(func() error { return m.FetchCDK(ctx) })
			return fetches.Wait()
		}},
		{"compiling the functions and the infrastructure, once, two minutes", m.Build},
		{"starting the machine", func(ctx context.Context) error { return m.Start(ctx, port) }},
		{"deploying what has changed, half a minute the first time", func(ctx context.Context) error {
			deployed, err := m.Deployed()
			if err != nil || deployed {
				return err
			}
			return m.Deploy(ctx)
		}},
	}
}

// Deployed reports whether the last deployment was of the binaries that Build made.
func (m *Machine) Deployed() (bool, error) {
	want, err := m.fingerprint()
	if err != nil {
		return false, err
	}
	have, err := os.ReadFile(m.path("deployed"))
	return err == nil && string(have) == want, nil
}

// Deploy runs the stock CDK command line: bootstrap, then a deployment of all stacks.
func (m *Machine) Deploy(ctx context.Context) error {
	want, err := m.fingerprint()
	if err != nil {
		return err
	}
	if err := m.allowSending(ctx); err != nil {
		return err
	}
	infra := filepath.Join(m.Checkout, "infra")
	env := m.Environment()
	env["CDK_DISABLE_CLI_TELEMETRY"] = "true"
	env["NO_PROXY"] = "localhost,127.0.0.1,.localhost"
	// The app's jsii runtime unpacks itself here instead of in the user's folders.
	env["JSII_RUNTIME_PACKAGE_CACHE_ROOT"] = filepath.Join(m.Checkout, ".local", "jsii")
	cdk := filepath.Join(infra, "node_modules", ".bin", "cdk")
	// Outside infra the CDK finds no app, so it does not compile one just to bootstrap.
	if err := m.run(ctx, env, m.Home, cdk, "bootstrap", "aws://"+Account+"/"+Region, "--ci", "--no-notices"); err != nil {
		return &Fault{Says: "CDK bootstrap failed.", Try: "less +G " + m.ToolsLog(), Cause: err}
	}
	deploy := []string{
		"deploy", "--all", "--require-approval", "never", "--ci", "--no-notices", "--app", m.app(), "--output", m.path("cdk.out"),
	}
	parameters := m.parameters()
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		deploy = append(deploy, "-c", name+"="+parameters[name])
	}
	if err := m.run(ctx, env, infra, cdk, deploy...); err != nil {
		return &Fault{Says: "The deployment failed.", Try: "less +G " + m.ToolsLog(), Cause: err}
	}
	return os.WriteFile(m.path("deployed"), []byte(want), 0o600)
}

// Account is the number of the machine's AWS account.
const Account = "000000000000"

// Outputs reads the outputs of the machine's stacks.
func (m *Machine) Outputs(ctx context.Context) (map[string]string, error) {
	cfg, err := m.Config()
	if err != nil {
		return nil, err
	}
	return Outputs(ctx, cfg, "Keypool")
}

// Outputs reads the outputs of a deployment's stacks, on this machine or on AWS.
func Outputs(ctx context.Context, cfg aws.Config, name string) (map[string]string, error) {
	client := cloudformation.NewFromConfig(cfg)
	outputs := map[string]string{}
	for _, stack := range []string{name + "-Data", name} {
		described, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
		if err != nil {
			return nil, fmt.Errorf("read the outputs of the stack %s: %w", stack, err)
		}
		for _, output := range described.Stacks[0].Outputs {
			outputs[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
		}
	}
	return outputs, nil
}

// allowSending verifies the sender's address and leaves the SES sandbox. On AWS, the
// account's owner does this once, by hand.
func (m *Machine) allowSending(ctx context.Context) error {
	cfg, err := m.Config()
	if err != nil {
		return err
	}
	client := sesv2.NewFromConfig(cfg)
	if _, err := client.GetEmailIdentity(ctx, &sesv2.GetEmailIdentityInput{EmailIdentity: aws.String(Sender)}); err == nil {
		return nil
	}
	if _, err := client.CreateEmailIdentity(ctx, &sesv2.CreateEmailIdentityInput{EmailIdentity: aws.String(Sender)}); err != nil {
		return fmt.Errorf("set up the sender: %w", err)
	}
	_, err = client.PutAccountDetails(ctx, &sesv2.PutAccountDetailsInput{
		MailType:                types.MailTypeTransactional,
		ProductionAccessEnabled: aws.Bool(true),
		WebsiteURL:              aws.String("https://keypool.example"),
	})
	if err != nil {
		return fmt.Errorf("leave the SES sandbox: %w", err)
	}
	return nil
}

// fingerprint returns a digest of everything that a deployment is made of.
func (m *Machine) fingerprint() (string, error) {
	h := sha256.New()
	zips, err := filepath.Glob(filepath.Join(m.Checkout, ".build", Architecture(), "*.zip"))
	if err != nil {
		return "", err
	}
	for _, file := range append([]string{m.app(), filepath.Join(m.Checkout, "infra", "cdk.json")}, zips...) {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, file)
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	settings, err := json.Marshal(m.parameters())
	if err != nil {
		return "", err
	}
	h.Write(settings)
	return hex.EncodeToString(h.Sum(nil)), nil
}
