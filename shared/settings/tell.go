package settings

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/pool"
)

// What decides who gets keys, and what customers read, is told to the merchant when it
// changes: whoever got hold of a token must not change it in silence. A notice is stored
// in the transaction of its change. The first change of an hour and kind is told at once,
// others together when the hour ends, so that neither a stranger nor a bulk edit floods
// the merchant.

// changed returns the notice of one change.
func changed(kind notice.Kind, merchant string, c notice.Changed, by access.Principal, now time.Time) notice.Notice {
	c.By, c.At = by.Name, now
	return notice.Gather(merchant, kind, notice.Facts{Count: 1, Changed: []notice.Changed{c}}, now)
}

func tokenMade(t access.Token, by access.Principal, now time.Time) notice.Notice {
	c := notice.Changed{Name: t.Name, ID: t.ID(), Parts: access.Names(t.Scopes), Until: t.ExpiresAt}
	if t.Person != "" {
		c.Parts = []string{notice.OfPerson + t.Person}
	}
	return changed(notice.NewToken, t.Merchant, c, by, now)
}

// remindBefore is how long before its end a token is told of, if it was made for longer
// than that twice over.
const remindBefore = 7 * 24 * time.Hour

// tokenExpires returns the notice that a token is about to expire, to be mailed then, none
// if the token is too short-lived for it. Whoever uses it would else hear of it by a 401.
func tokenExpires(t access.Token, now time.Time) []notice.Notice {
	if t.ExpiresAt.IsZero() || t.ExpiresAt.Sub(t.CreatedAt) < 2*remindBefore {
		return nil
	}
	facts := notice.Facts{Changed: []notice.Changed{{Name: t.Name, ID: t.ID(), Until: t.ExpiresAt}}}
	return []notice.Notice{notice.New(t.Merchant, notice.ExpiringToken, t.ID(), facts, now).At(t.ExpiresAt.Add(-remindBefore))}
}

// accountChanged returns the notices of an account: of its signing secrets, and of what
// else of it changed, none of what is the same. A new account has its secrets told.
func accountChanged(before, next catalog.Account, by access.Principal, now time.Time) []notice.Notice {
	var all []notice.Notice
	if c, is := secretsChanged(before, next, now); is {
		all = append(all, changed(notice.NewSecret, next.Merchant, c, by, now))
	}
	c := notice.Changed{Name: next.Name}
	for _, credential := range next.Credentials {
		same := func(b catalog.SealedCredential) bool {
			return b.Name == credential.Name && bytes.Equal(b.Blob, credential.Blob)
		}
		if !slices.ContainsFunc(before.Credentials, same) {
			c.Parts = append(c.Parts, "credential "+credential.Name)
		}
	}
	for _, credential := range before.Credentials {
		if !slices.ContainsFunc(next.Credentials, func(n catalog.SealedCredential) bool { return n.Name == credential.Name }) {
			c.Parts = append(c.Parts, "credential "+credential.Name)
		}
	}
	if before.Version > 0 {
		for _, part := range []struct {
			name string
			is   bool
		}{
			{"delivers_from", !before.DeliversFrom.Equal(next.DeliversFrom)},
			{"other_products", before.OtherProducts != next.OtherProducts},
			{"settings", !bytes.Equal(before.Settings, next.Settings)},
		} {
			if part.is {
				c.Parts = append(c.Parts, part.name)
			}
		}
	}
	if len(c.Parts) > 0 {
		all = append(all, changed(notice.ChangedAccount, next.Merchant, c, by, now))
	}
	return all
}

// secretsChanged tells which secrets an account has that it did not have, how many
// ended, and how long those that were replaced stay good. It is false if nothing
// changed.
func secretsChanged(before, next catalog.Account, now time.Time) (notice.Changed, bool) {
	c := notice.Changed{Name: next.Name}
	added := 0
	for _, secret := range next.Secrets {
		old := slices.ContainsFunc(before.Secrets, func(b catalog.SealedSecret) bool {
			return bytes.Equal(b.Blob, secret.Blob) && b.Test == secret.Test
		})
		if !old {
			added++
			if secret.Name != "" {
				c.Parts = append(c.Parts, secret.Name)
			}
		} else if secret.ExpiresAt.After(c.Until) {
			c.Until = secret.ExpiresAt
		}
	}
	for _, secret := range validSecrets(before.Secrets, now) {
		if !slices.ContainsFunc(next.Secrets, func(n catalog.SealedSecret) bool { return bytes.Equal(n.Blob, secret.Blob) }) {
			c.Ended++
		}
	}
	return c, added > 0 || c.Ended > 0
}

// textsChanged returns the notice of a product whose mails say something else than
// before, none if they say the same. A product that is new says nothing else by its
// titles alone.
func textsChanged(before, next catalog.Product, by access.Principal, now time.Time) []notice.Notice {
	c := notice.Changed{Name: next.ID, Parts: differing("text ", before.Texts, next.Texts)}
	for _, part := range []struct {
		name string
		is   bool
	}{
		{"instructions", before.Instructions != next.Instructions},
		{"download", before.Download != next.Download},
		{"redeem", before.Redeem != next.Redeem},
		{"original", before.Original != next.Original},
		{"code", before.Codes[pool.Live] != next.Codes[pool.Live]},
		{"test_code", before.Codes[pool.Test] != next.Codes[pool.Test]},
		{"title", before.Version > 0 && (before.Title != next.Title || before.ShortTitle != next.ShortTitle)},
	} {
		if part.is {
			c.Parts = append(c.Parts, part.name)
		}
	}
	if len(c.Parts) == 0 {
		return nil
	}
	return []notice.Notice{changed(notice.ChangedText, next.Merchant, c, by, now)}
}

// framesChanged returns the notice of a merchant whose mails of all products have something
// else around their texts than before, such as another name or address that answers go to, none
// if they have the same.
func framesChanged(before, next catalog.Merchant, by access.Principal, now time.Time) []notice.Notice {
	parts := differing("frame ", before.Frames, next.Frames)
	for _, part := range []struct {
		name string
		is   bool
	}{
		{"shop_title", before.Title != next.Title},
		{"sender_name", before.SenderName != next.SenderName},
		{"reply_to", before.ReplyTo != next.ReplyTo},
		{"logo", before.Logo != next.Logo},
	} {
		if part.is && before.Version > 0 {
			parts = append(parts, part.name)
		}
	}
	return allProductsChanged(next.Name, parts, by, now)
}

// commonChanged returns the notice of a merchant's texts that are others than before, none if
// they are the same.
func commonChanged(before, next catalog.Texts, by access.Principal, now time.Time) []notice.Notice {
	return allProductsChanged(next.Merchant, differing("text ", before.Texts, next.Texts), by, now)
}

func allProductsChanged(merchant string, parts []string, by access.Principal, now time.Time) []notice.Notice {
	if len(parts) == 0 {
		return nil
	}
	return []notice.Notice{changed(notice.ChangedText, merchant, notice.Changed{Name: notice.AllProducts, Parts: parts}, by, now)}
}

// warningsChanged returns the notice of a pool whose warnings go to other addresses than
// before, none if they go to the same.
func warningsChanged(before, next catalog.Pool, by access.Principal, now time.Time) []notice.Notice {
	c := notice.Changed{Name: next.Name}
	note := func(what string, addresses, others []string) {
		for _, address := range addresses {
			if !slices.Contains(others, address) {
				c.Parts = append(c.Parts, what+address)
			}
		}
	}
	note(notice.AddressAdded, next.NoticeAddresses, before.NoticeAddresses)
	note(notice.AddressRemoved, before.NoticeAddresses, next.NoticeAddresses)
	if len(c.Parts) == 0 {
		return nil
	}
	return []notice.Notice{changed(notice.ChangedWarnings, next.Merchant, c, by, now)}
}

// differing returns the languages in which two maps differ, each after a word that says of
// what they are.
func differing[T comparable](of string, before, next map[string]T) (parts []string) {
	languages := slices.Concat(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(next)))
	slices.Sort(languages)
	for _, language := range slices.Compact(languages) {
		if before[language] != next[language] {
			parts = append(parts, of+language)
		}
	}
	return parts
}

// addressChanged returns the notices of another notice address, one to the former address
// and one to the new, none if it is the same. Both addresses stand in the notices: by the
// time they are mailed, the settings may have yet another.
func addressChanged(before, next catalog.Merchant, by access.Principal, now time.Time) []notice.Notice {
	if before.Version == 0 || before.NoticeAddress == next.NoticeAddress {
		return nil
	}
	facts := notice.Facts{Changed: []notice.Changed{{Name: next.Name, By: by.Name, At: now}}}
	tell := func(side, to string, facts notice.Facts) notice.Notice {
		n := notice.New(next.Name, notice.ChangedAddress, fmt.Sprintf("%d#%s", next.Version, side), facts, now)
		n.To = to
		return n
	}
	former := facts
	former.Address = next.NoticeAddress
	return []notice.Notice{tell("former", before.NoticeAddress, former), tell("new", next.NoticeAddress, facts)}
}
