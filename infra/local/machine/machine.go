// Package machine runs Keypool's whole deployment on one Linux machine without
// an AWS account: MiniStack stands for AWS, the unchanged CDK app is deployed to
// it by the stock CDK CLI, and the functions are the very binaries that run on
// AWS, each under a session of its own IAM role.
//
// It listens on loopback only, speaks TLS only (the buckets' own policies refuse
// anything else) and checks every signature and every right. All that it keeps
// is in one folder; a machine in another folder is another AWS account, so a
// test never meets the developer's own.
package machine

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Region is where the machine says that it is.
const Region = "us-east-1"

// AccessKeyID names the account's root user.
const AccessKeyID = "onemachine"

// Machine is a one-machine deployment, running or not.
type Machine struct {
	Checkout string // the folder with go.mod
	Home     string // everything that it keeps

	// Starter, if any, is Python that starts the emulator: it imports emulator and
	// calls emulator.app.main(). A test that holds calls back puts itself in between.
	Starter []byte

	state state
}

// state is what outlives the command that started the machine.
type state struct {
	PID       int       `json:"pid"`
	Port      int       `json:"port"`
	Secret    string    `json:"secret"`    // of AccessKeyID
	StartedAt time.Time `json:"startedAt"` // with PID, tells our process from a later one of the same number
	Ticks     string    `json:"ticks"`     // when the kernel started it
}

// Open returns the machine that is kept in home.
func Open(checkout, home string) (*Machine, error) {
	m := &Machine{Checkout: checkout, Home: home}
	content, err := os.ReadFile(m.path("machine.json"))
	switch {
	case errors.Is(err, os.ErrNotExist):
		m.state.Secret = rand.Text()
		return m, nil
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(content, &m.state); err != nil {
		return nil, &Fault{Says: "The notes about the one-machine run cannot be read.", Try: "rm -rf " + home, Cause: err}
	}
	return m, nil
}

// OpenNew returns a machine of a run alone, which meets neither the developer's nor
// another run's: in a folder below .local that begins with the name, on a port of
// its own. Whoever opens it removes it.
func OpenNew(checkout, name string) (*Machine, error) {
	m, err := Open(checkout, filepath.Join(checkout, ".local", name+"-"+strings.ToLower(rand.Text()[:8])))
	if err == nil {
		m.state.Port, err = freePort()
	}
	return m, err
}

// Endpoint is the address of every AWS service. It is a number and no name, so
// that SDKs put a bucket into the path by themselves: names of buckets under
// localhost do not resolve everywhere.
func (m *Machine) Endpoint() string { return "https://127.0.0.1:" + strconv.Itoa(m.state.Port) }

// InboxURL shows every mail that was sent, as JSON.
func (m *Machine) InboxURL() string { return m.Endpoint() + "/_ministack/ses/messages" }

// APIURL is the address of an HTTP API; curl resolves the name, and so does
// the client of HTTPClient.
func (m *Machine) APIURL(apiID string) string {
	return fmt.Sprintf("https://%s.execute-api.localhost:%d", apiID, m.state.Port)
}

// CABundle is a file of all whom a client may trust: the system's roots and
// this machine.
func (m *Machine) CABundle() string { return m.path("tls", bundleFile) }

// Log is the emulator's own log.
func (m *Machine) Log() string { return m.path("ministack.log") }

// Environment is what an AWS tool needs to speak to this machine.
func (m *Machine) Environment() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL":      m.Endpoint(),
		"AWS_ACCESS_KEY_ID":     AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": m.state.Secret,
		"AWS_REGION":            Region,
		"AWS_DEFAULT_REGION":    Region,
		"AWS_CA_BUNDLE":         m.CABundle(),
		"CURL_CA_BUNDLE":        m.CABundle(),
		"NODE_EXTRA_CA_CERTS":   m.path("tls", caFile),
	}
}

// Config is Environment for the Go SDK, as the account's root.
func (m *Machine) Config() (aws.Config, error) {
	client, err := m.HTTPClient()
	if err != nil {
		return aws.Config{}, err
	}
	return aws.Config{
		Region:       Region,
		BaseEndpoint: aws.String(m.Endpoint()),
		Credentials:  credentials.NewStaticCredentialsProvider(AccessKeyID, m.state.Secret, ""),
		HTTPClient:   client,
	}, nil
}

// HTTPClient trusts this machine and nobody else, and finds *.localhost.
func (m *Machine) HTTPClient() (*http.Client, error) {
	roots, err := trust(m.path("tls"))
	if err != nil {
		return nil, err
	}
	return &http.Client{Timeout: time.Minute, Transport: Transport(&tls.Config{RootCAs: roots})}, nil
}

// Transport connects to this machine for every name under localhost, as the
// RFC 6761 wants it and glibc does not do it.
func Transport(config *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Transport{
		TLSClientConfig:     config,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     30 * time.Second,
		Proxy:               nil,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err == nil && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
				address = net.JoinHostPort("127.0.0.1", port)
			}
			return dialer.DialContext(ctx, network, address)
		},
	}
}

func (m *Machine) path(parts ...string) string {
	return filepath.Join(append([]string{m.Home}, parts...)...)
}

func (m *Machine) save() error {
	content, err := json.MarshalIndent(m.state, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(m.path("machine.json"), content, 0o600)
}

// Fault is what a person at the terminal gets to read: one sentence, and one
// command that mends it or tells more.
type Fault struct {
	Says  string
	Try   string
	Cause error
}

func (f *Fault) Error() string {
	if f.Cause != nil {
		return fmt.Sprintf("%s (%v)", f.Says, f.Cause)
	}
	return f.Says
}

func (f *Fault) Unwrap() error { return f.Cause }
