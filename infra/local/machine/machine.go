// Package machine runs Keypool's whole deployment on one Linux computer without an AWS
// account. MiniStack emulates AWS, the stock CDK command line deploys the unchanged CDK
// app to it, and the functions are the same binaries as on AWS, each with the
// credentials of its own IAM role.
//
// The machine listens on loopback only and speaks TLS only, since the policies of the
// buckets refuse anything else. It checks every signature and every right. It keeps all
// its data in one folder; a machine in another folder is another AWS account, so that a
// test never touches the developer's data.
package machine

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	_ "embed"
	"encoding/hex"
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

// Domain is the API's own domain. Browsers and curl take every name below localhost for this
// computer, and so does the client that HTTPClient returns; few other programs do.
const Domain = "keypool.localhost"

// Region is the AWS region that the machine claims to be.
const Region = "us-east-1"

// AccessKeyID names the account's root user.
const AccessKeyID = "onemachine"

// Machine is a one-machine deployment, running or not.
type Machine struct {
	Checkout string // the folder with go.mod
	Home     string // everything that it keeps

	// Starter is a Python program that imports emulator and calls emulator.app.main(),
	// empty for the usual one. A test uses it to hold back calls.
	Starter []byte

	state state
}

// state is kept in a file, for the commands that follow the one that started the machine.
type state struct {
	PID       int       `json:"pid"`
	Port      int       `json:"port"`
	Outside   int       `json:"outside"`   // the port of the proxy to platforms' APIs
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

// OpenNew returns a new machine for one test run, in a folder of its own below .local
// whose name begins with name, on a port of its own. The caller removes it.
func OpenNew(checkout, name string) (*Machine, error) {
	m, err := Open(checkout, filepath.Join(checkout, ".local", name+"-"+strings.ToLower(rand.Text()[:8])))
	if err == nil {
		m.state.Port, err = freePort()
	}
	return m, err
}

// Endpoint is the address of every AWS service. It is an IP address rather than a name,
// so that SDKs put a bucket's name into the path: bucket.localhost does not resolve
// everywhere.
func (m *Machine) Endpoint() string { return "https://127.0.0.1:" + strconv.Itoa(m.state.Port) }

// InboxURL is the address of all mails that were sent, as JSON.
func (m *Machine) InboxURL() string { return m.Endpoint() + "/_ministack/ses/messages" }

// PublicURL is the address of the API at its domain, which links in mails have.
func (m *Machine) PublicURL() string {
	return "https://" + net.JoinHostPort(Domain, strconv.Itoa(m.state.Port))
}

// ClientURL is an address of an HTTP API for programs that do not find Domain. AWS
// has none beside a domain. The operator's routes do not answer there, since a signature of IAM names the path.
func (m *Machine) ClientURL(apiID string) string {
	return m.Endpoint() + "/_aws/execute-api/" + apiID + "/%24default"
}

// CABundle is a file with the certificates of the system's authorities and of this machine.
func (m *Machine) CABundle() string { return m.path("tls", bundleFile) }

// Log is the emulator's log file.
func (m *Machine) Log() string { return m.path("ministack.log") }

// Environment returns the environment variables by which an AWS tool uses this machine.
func (m *Machine) Environment() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL":      m.Endpoint(),
		"AWS_ACCESS_KEY_ID":     AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": m.state.Secret,
		"AWS_REGION":            Region,
		"AWS_DEFAULT_REGION":    Region,
		"AWS_CA_BUNDLE":         m.CABundle(),
		"CURL_CA_BUNDLE":        m.CABundle(),
		"SSL_CERT_FILE":         m.CABundle(), // Python's own client, Ruby, Go
		"REQUESTS_CA_BUNDLE":    m.CABundle(), // Python's requests
		"NODE_EXTRA_CA_CERTS":   m.path("tls", caFile),
	}
}

// Derive returns a secret of this machine for a purpose: 32 hexadecimal digits, the same
// each time.
func (m *Machine) Derive(purpose string) string {
	mac := hmac.New(sha256.New, []byte(m.state.Secret))
	mac.Write([]byte(purpose))
	return hex.EncodeToString(mac.Sum(nil))[:32]
}

// Config returns the configuration by which the Go SDK uses this machine, as the
// account's root user.
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

// HTTPClient returns a client that trusts this machine alone and resolves *.localhost.
func (m *Machine) HTTPClient() (*http.Client, error) {
	roots, err := trust(m.path("tls"))
	if err != nil {
		return nil, err
	}
	return &http.Client{Timeout: time.Minute, Transport: Transport(&tls.Config{RootCAs: roots})}, nil
}

// Transport connects every name under localhost to this computer, as RFC 6761 says;
// glibc does not.
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

// Fault is an error for a person at the terminal: a sentence, and a command that mends
// it or tells more.
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
