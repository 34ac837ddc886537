package boot

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/middleware"
)

// keptOpen is the number of idle connections that are kept for each service. An
// order of 16 lines makes 48 reads at once, and a page of ten pools 101: with the SDK's ten
// connections, most would be opened anew each time, with a TLS handshake each.
const keptOpen = 128

// idleFor is how long an idle connection is kept. Lambda freezes a function between
// its invocations, and its connections die meanwhile without a word: a request on
// one of them fails.
const idleFor = 5 * time.Second

// Config reads the settings that Lambda gives every function: region, credentials
// and, on a machine that is not AWS, an endpoint and the certificates to trust.
//
// The SDK's own loader also looks for profiles, SSO and instance credentials. No
// function has them, and the service clients that it links cost a third of the time
// to the first request.
func Config() (aws.Config, error) {
	cfg := aws.Config{
		Region:     os.Getenv("AWS_REGION"),
		APIOptions: []func(*middleware.Stack) error{quiet},
		Retryer:    newRetryer,
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = keptOpen
		t.IdleConnTimeout = idleFor
	})
	if endpoint := os.Getenv("AWS_ENDPOINT_URL"); endpoint != "" {
		cfg.BaseEndpoint = aws.String(endpoint)
	}
	if bundle := os.Getenv("AWS_CA_BUNDLE"); bundle != "" {
		pem, err := os.ReadFile(bundle)
		if err != nil {
			return aws.Config{}, fmt.Errorf("read AWS_CA_BUNDLE: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return aws.Config{}, fmt.Errorf("AWS_CA_BUNDLE holds no certificate")
		}
		client = client.WithTransportOptions(func(t *http.Transport) {
			t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		})
	}
	cfg.HTTPClient = client
	return cfg, nil
}

// newRetryer returns the SDK's retryer, but the first retry comes after 25 ms at
// most, the second after 50, the third after 100. The SDK's own first pause lasts up
// to two seconds, in which a customer waits because a connection died. A throttle
// means that a service has too much to do: its pauses stay the SDK's.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		throttled, patient := retry.IsErrorThrottles(o.Throttles), retry.NewExponentialJitterBackoff(o.MaxBackoff)
		o.MaxAttempts = 4
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, err error) (time.Duration, error) {
			if throttled.IsErrorThrottle(err) == aws.TrueTernary {
				return patient.BackoffDelay(attempt, err)
			}
			return rand.N(firstPause << (attempt - 1)), nil // attempts count from 1
		})
	})
}

const firstPause = 25 * time.Millisecond

// FreshConnections returns cfg for a service whose requests must not be repeated. Its
// client shares no connection with another, and starts each invocation without
// connections of earlier ones: the request that found such a connection dead could
// have been taken.
func FreshConnections(cfg aws.Config) aws.Config {
	if client, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok { // what Config makes
		cfg.HTTPClient = &freshClient{template: client}
	}
	return cfg
}

// freshClient sends the requests of each invocation by a copy of a client. A copy has
// connections of its own. Those of the copy before are closed once they were idle
// for idleFor.
type freshClient struct {
	template *awshttp.BuildableClient

	mu         sync.Mutex
	invocation string // AWS's ID of the invocation that current belongs to
	current    *awshttp.BuildableClient
}

// Do implements aws.HTTPClient.
func (c *freshClient) Do(r *http.Request) (*http.Response, error) {
	return c.of(r.Context()).Do(r)
}

func (c *freshClient) of(ctx context.Context) *awshttp.BuildableClient {
	invocation := ""
	if called, ok := lambdacontext.FromContext(ctx); ok {
		invocation = called.AwsRequestID
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil || invocation != c.invocation {
		c.invocation, c.current = invocation, c.template.WithTransportOptions()
	}
	return c.current
}
