package kms_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"

	"keypool/shared/kms"
)

// fakeKMS answers as KMS does, as far as a sealer can tell: what it encrypts it
// decrypts with the same context and key only. No engine that runs here checks
// the context, so this stands in for it, at the wire.
type fakeKMS struct{ broken bool }

type message struct {
	KeyID             string            `json:"KeyId"`
	Plaintext         []byte            `json:",omitempty"`
	CiphertextBlob    []byte            `json:",omitempty"`
	EncryptionContext map[string]string `json:",omitempty"`
}

func (k fakeKMS) RoundTrip(r *http.Request) (*http.Response, error) {
	var in, out message
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	binding := fmt.Sprint(in.KeyID, in.EncryptionContext)
	status, body := http.StatusOK, any(&out)
	refuse := func(code string) {
		status, body = http.StatusBadRequest, map[string]string{"__type": code, "message": "no secret of ours"}
	}
	switch r.Header.Get("X-Amz-Target") {
	case "TrentService.Encrypt":
		nonce := []byte(rand.Text()) // letters and digits: no separator is in it
		out.CiphertextBlob = bytes.Join([][]byte{nonce, []byte(binding), in.Plaintext}, []byte("|"))
	case "TrentService.Decrypt":
		parts := bytes.SplitN(in.CiphertextBlob, []byte("|"), 3)
		switch {
		case k.broken:
			refuse("AccessDeniedException")
		case len(parts) != 3 || string(parts[1]) != binding:
			refuse("InvalidCiphertextException")
		default:
			out.Plaintext = parts[2]
		}
	}
	raw, err := json.Marshal(body)
	return &http.Response{
		StatusCode: status, Request: r, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body: io.NopCloser(bytes.NewReader(raw)),
	}, err
}

func sealer(k fakeKMS, key string) *kms.Sealer {
	return kms.Open(awskms.New(awskms.Options{
		Region:      "eu-central-1",
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:  &http.Client{Transport: k},
		Retryer:     aws.NopRetryer{},
	}), key)
}

func TestSealer_opensForTheSameMerchantAndAccountOnly(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := sealer(fakeKMS{}, "alias/keypool")
	secret := []byte("a signing secret that nobody sees")
	sealed, err := s.Seal(ctx, "acme", "standard", secret)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := s.Unseal(ctx, "acme", "standard", sealed)
	if err != nil || !bytes.Equal(opened, secret) {
		t.Errorf("opened %q, %v", opened, err)
	}
	for _, other := range [][2]string{{"mallory", "standard"}, {"acme", "stripe"}, {"acme/standard", ""}} {
		if opened, err := s.Unseal(ctx, other[0], other[1], sealed); !errors.Is(err, kms.ErrNotOurs) || opened != nil {
			t.Errorf("for %v it opened: %q, %v", other, opened, err)
		}
	}
	if _, err := sealer(fakeKMS{}, "alias/other").Unseal(ctx, "acme", "standard", sealed); !errors.Is(err, kms.ErrNotOurs) {
		t.Errorf("under another key: %v", err)
	}
	if _, err := s.Unseal(ctx, "acme", "standard", []byte("damaged")); !errors.Is(err, kms.ErrNotOurs) {
		t.Errorf("damaged: %v", err)
	}
	if again, err := s.Seal(ctx, "acme", "standard", secret); err != nil || bytes.Equal(again, sealed) {
		t.Errorf("sealed twice, it is the same: %v", err)
	}
}

// A missing right is no damaged secret: it may be mended, and tried again.
// A credential is sealed apart from signing secrets: what opens the one opens no other.
func TestSealer_credentialsAreApart(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := sealer(fakeKMS{}, "alias/keypool")
	credential := []byte("a key of a platform's API")
	sealed, err := s.SealCredential(ctx, "acme", "shop-eu", "api_key", credential)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.UnsealCredential(ctx, "acme", "shop-eu", "api_key", sealed); err != nil || !bytes.Equal(got, credential) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := s.Unseal(ctx, "acme", "shop-eu", sealed); !errors.Is(err, kms.ErrNotOurs) || got != nil {
		t.Errorf("opened as a signing secret: %v", err)
	}
	for _, other := range [][3]string{{"nova", "shop-eu", "api_key"}, {"acme", "shop-us", "api_key"}, {"acme", "shop-eu", "client_secret"}} {
		if got, err := s.UnsealCredential(ctx, other[0], other[1], other[2], sealed); !errors.Is(err, kms.ErrNotOurs) || got != nil {
			t.Errorf("opened for %v: %v", other, err)
		}
	}
	secret, err := s.Seal(ctx, "acme", "shop-eu", credential)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.UnsealCredential(ctx, "acme", "shop-eu", "", secret); !errors.Is(err, kms.ErrNotOurs) || got != nil {
		t.Errorf("a signing secret opened as a credential: %v", err)
	}
}

func TestSealer_whatPasses(t *testing.T) {
	t.Parallel()
	_, err := sealer(fakeKMS{broken: true}, "alias/keypool").Unseal(t.Context(), "acme", "standard", []byte("x|y|z"))
	if err == nil || errors.Is(err, kms.ErrNotOurs) || !strings.Contains(err.Error(), "acme at standard") {
		t.Errorf("access denied: %v", err)
	}
}
