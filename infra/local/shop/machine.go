package shop

import (
	"context"
	"fmt"
	"io"
	"time"

	"keypool/infra/local/machine"
)

// Of returns the shop of a machine's deployment, from the deployment's outputs.
func Of(m *machine.Machine, outputs map[string]string) (*Shop, error) {
	cfg, err := m.Config()
	if err != nil {
		return nil, err
	}
	client, err := m.HTTPClient()
	if err != nil {
		return nil, err
	}
	return &Shop{
		AWS: cfg, HTTP: client, URL: outputs["ApiUrl"], ClientURL: m.ClientURL(outputs["ApiId"]), Bucket: outputs["UploadsBucket"], Inbox: m.InboxURL(),
	}, nil
}

// Environment returns the environment variables by which the lines of README use the
// machine, for a merchant's account, pool and product.
func (s *Shop) Environment(m *machine.Machine, a Account, token, pool, product string) map[string]string {
	env := m.Environment()
	env["KEYPOOL_URL"] = s.ClientURL
	env["KEYPOOL_PUBLIC_URL"] = s.URL
	env["KEYPOOL_BUCKET"] = s.Bucket
	env["KEYPOOL_MERCHANT"] = a.Merchant
	env["KEYPOOL_PRODUCT"] = product
	env["KEYPOOL_POOL"] = pool
	env["KEYPOOL_TOKEN"] = token
	env["KEYPOOL_SECRET"] = a.Secret
	env["KEYPOOL_INBOX"] = s.Inbox
	return env
}

// Open brings a machine up, printing each step, and returns the shop of its deployment
// and the deployment's outputs.
func Open(ctx context.Context, m *machine.Machine, tell io.Writer) (*Shop, map[string]string, error) {
	for _, step := range m.Up(0) {
		start := time.Now()
		if err := step.Do(ctx); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", step.Says, err)
		}
		fmt.Fprintf(tell, "%s: %.1f s\n", step.Says, time.Since(start).Seconds())
	}
	outputs, err := m.Outputs(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := Of(m, outputs)
	return s, outputs, err
}
