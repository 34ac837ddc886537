// Package kms is the only package that speaks KMS. It seals the signing secrets of
// accounts with payment platforms, and their credentials of the platforms' APIs, so that
// the catalog never holds one that can be read without the deployment's key.
//
// The encryption context of a signing secret is merchant and account; that of a
// credential has its name beside them. A role may open the ones without the others: see
// the rights in package deployment.
package kms

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// ErrNotOurs says that a sealed secret is damaged, or was sealed for another
// merchant, account or key. Trying again will not open it.
var ErrNotOurs = errors.New("the sealed secret cannot be opened")

// Sealer seals and opens secrets. It is safe for concurrent use.
type Sealer struct {
	client operations
	key    string
}

// operations are the operations of KMS that a sealer calls: see package boot.
type operations struct {
	Encrypt operation[kms.EncryptInput, kms.EncryptOutput]
	Decrypt operation[kms.DecryptInput, kms.DecryptOutput]
}

type operation[In, Out any] func(context.Context, *In, ...func(*kms.Options)) (*Out, error)

// Open returns a sealer under the named key. A sealer that only opens needs no
// name: what is sealed says by which key.
func Open(client *kms.Client, key string) *Sealer {
	return &Sealer{client: operations{client.Encrypt, client.Decrypt}, key: key}
}

// Seal encrypts a signing secret, so that it can only be opened for the same merchant
// and account: a blob copied to another's item opens for nobody.
func (s *Sealer) Seal(ctx context.Context, merchant, account string, secret []byte) ([]byte, error) {
	return s.seal(ctx, binding(merchant, account), secret)
}

// Unseal decrypts what Seal made for the same merchant and account. It fails
// with ErrNotOurs if that is not what it is.
func (s *Sealer) Unseal(ctx context.Context, merchant, account string, sealed []byte) ([]byte, error) {
	return s.unseal(ctx, binding(merchant, account), sealed)
}

// SealCredential encrypts a credential of the platform's API, so that it can only be
// opened under the same name for the same merchant and account.
func (s *Sealer) SealCredential(ctx context.Context, merchant, account, name string, credential []byte) ([]byte, error) {
	return s.seal(ctx, credentialBinding(merchant, account, name), credential)
}

// UnsealCredential decrypts what SealCredential made for the same merchant, account and
// name. It fails with ErrNotOurs if that is not what it is.
func (s *Sealer) UnsealCredential(ctx context.Context, merchant, account, name string, sealed []byte) ([]byte, error) {
	return s.unseal(ctx, credentialBinding(merchant, account, name), sealed)
}

func (s *Sealer) seal(ctx context.Context, binding map[string]string, secret []byte) ([]byte, error) {
	out, err := s.client.Encrypt(ctx, &kms.EncryptInput{
		KeyId:             aws.String(s.key),
		Plaintext:         secret,
		EncryptionContext: binding,
	})
	if err != nil {
		return nil, fmt.Errorf("seal a secret of %s at %s: %w", binding["merchant"], binding["account"], err)
	}
	return out.CiphertextBlob, nil
}

func (s *Sealer) unseal(ctx context.Context, binding map[string]string, sealed []byte) ([]byte, error) {
	in := &kms.DecryptInput{CiphertextBlob: sealed, EncryptionContext: binding}
	if s.key != "" {
		in.KeyId = aws.String(s.key)
	}
	out, err := s.client.Decrypt(ctx, in)
	var damaged *types.InvalidCiphertextException
	var otherKey *types.IncorrectKeyException
	if errors.As(err, &damaged) || errors.As(err, &otherKey) {
		err = ErrNotOurs
	}
	if err != nil {
		return nil, fmt.Errorf("open a secret of %s at %s: %w", binding["merchant"], binding["account"], err)
	}
	return out.Plaintext, nil
}

// binding is the encryption context of a signing secret, which shows in CloudTrail and
// in grants.
func binding(merchant, account string) map[string]string {
	return map[string]string{"merchant": merchant, "account": account}
}

// credentialBinding is the encryption context of a credential.
func credentialBinding(merchant, account, name string) map[string]string {
	return map[string]string{"merchant": merchant, "account": account, "credential": name}
}
