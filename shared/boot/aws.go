package boot

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/middleware"
)

// keptOpen is the number of idle connections that are kept for each service. An
// order of 16 lines makes 48 reads at once: with the SDK's ten connections, 38
// would be opened anew each time, with a TLS handshake each.
const keptOpen = 64

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
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = keptOpen })
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
