package platform

import (
	"context"

	"keypool/shared/catalog"
)

// CredentialOpener opens the credentials of platforms' APIs, and nothing else.
type CredentialOpener interface {
	UnsealCredential(ctx context.Context, merchant, account, name string, sealed []byte) ([]byte, error)
}

// OpenCredentials returns an account with its credentials opened, and without signing
// secrets: for who calls the platform's API, and takes no webhooks.
func OpenCredentials(ctx context.Context, opener CredentialOpener, a catalog.Account) (Account, error) {
	opened := AccountOf(a)
	opened.Credentials = map[string]Secret{}
	for _, sealed := range a.Credentials {
		text, err := opener.UnsealCredential(ctx, a.Merchant, a.Name, sealed.Name, sealed.Blob)
		if err != nil {
			return Account{}, err
		}
		opened.Credentials[sealed.Name] = Conceal(text)
	}
	return opened, nil
}

// AccountOf returns what adapters see of an account, with nothing opened.
func AccountOf(a catalog.Account) Account {
	return Account{
		Merchant: a.Merchant, Name: a.Name, Platform: a.Platform, Origin: a.Origin, Settings: a.Settings,
		DeliversFrom: a.DeliversFrom, OtherProducts: a.OtherProducts,
	}
}
