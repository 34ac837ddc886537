package settings_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/platform"
	"keypool/shared/settings"
)

// located is a platform whose accounts name their shop.
type located struct{ paper }

func (located) Shop(raw json.RawMessage) string {
	var s struct{ Shop string }
	_ = json.Unmarshal(raw, &s)
	return strings.ToLower(s.Shop)
}

// An account's origin is the shop that it is made for, and it is never another's: shops
// number their orders alike.
func TestAccounts_keepTheirShop(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.Adapters = map[string]platform.Adapter{"located": located{}}
	made := d.mustPut(settings.AccountChange{Platform: "located", Settings: json.RawMessage(`{"Shop":"Acme.example"}`)})
	if made.Origin != "acme.example" {
		t.Errorf("its origin is %q", made.Origin)
	}
	for _, same := range []settings.AccountChange{
		{DeliversFrom: noon.Add(time.Hour)},
		{Settings: json.RawMessage(`{"Shop":"acme.example","Count":2}`)},
	} {
		if got := d.mustPut(same); got.Origin != made.Origin {
			t.Errorf("after a change its origin is %q", got.Origin)
		}
	}
	var wrong *settings.InvalidError
	_, err := d.put(settings.AccountChange{Settings: json.RawMessage(`{"Shop":"other.example"}`)})
	if !errors.As(err, &wrong) || wrong.Problems[0].Path != "settings" || !strings.Contains(wrong.Problems[0].Message, "acme.example") {
		t.Errorf("another shop: %v", err)
	}
}

// A shop has one active account a side. Accounts that platforms name no shop of are many.
func TestAccounts_oneOfAShopAndSide(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.Adapters = map[string]platform.Adapter{"located": located{}, "paper": paper{}}
	change := func(name, platform, shop string, secrets ...settings.SecretChange) settings.AccountChange {
		c := settings.AccountChange{Merchant: "acme", Name: name, Platform: platform, Secrets: secrets}
		if shop != "" {
			c.Settings = json.RawMessage(`{"Shop":"` + shop + `"}`)
		}
		return c
	}
	put := func(c settings.AccountChange) error {
		_, err := d.put(c)
		return err
	}
	taken := func(err error, by string) {
		t.Helper()
		var used *settings.InUseError
		if !errors.As(err, &used) || !strings.Contains(err.Error(), "the account "+by+" ") || !strings.Contains(err.Error(), "acme.example") {
			t.Errorf("%v, want that %s has the shop", err, by)
		}
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	live := func(text string) settings.SecretChange { return settings.SecretChange{Name: "live", Text: text} }
	test := func(text string) settings.SecretChange {
		return settings.SecretChange{Name: "test", Test: true, Text: text}
	}
	ok(put(change("first", "located", "acme.example", live("paper_1"))))
	taken(put(change("second", "located", "Acme.example", live("paper_2"))), "first")
	taken(put(change("second", "located", "acme.example", live("paper_2"), test("paper_3"))), "first")
	ok(put(change("second", "located", "acme.example", test("paper_2"))))
	taken(put(change("third", "located", "acme.example", test("paper_3"))), "second")
	taken(put(change("first", "", "", live("paper_1"), test("paper_3"))), "second")
	ok(put(change("first", "", "", live("paper_4")))) // a new secret of its own
	ok(put(change("nova", "located", "nova.example", live("paper_5"))))
	for _, name := range []string{"paper-1", "paper-2"} {
		ok(put(change(name, "paper", "acme.example", live("paper_of_"+name))))
	}

	// One without secrets and credentials is not active.
	ok(put(change("third", "located", "acme.example")))
	taken(put(change("third", "", "", live("paper_6"))), "first")
	fetching := change("third", "", "")
	fetching.Credentials = []settings.CredentialChange{{Name: "api_key", Text: "key_1"}}
	taken(put(fetching), "first")
	stopped := change("first", "", "")
	stopped.Secrets = []settings.SecretChange{}
	ok(put(stopped))
	ok(put(change("third", "", "", live("paper_6"))))
	taken(put(change("first", "", "", live("paper_4"))), "third")
}

// together is a store that lets nobody store an account before all have read the roster.
type together struct {
	settings.AccountStore
	first sync.Once
	all   *sync.WaitGroup
}

func (s *together) Roster(ctx context.Context, merchant string) (catalog.Roster, error) {
	roster, err := s.AccountStore.Roster(ctx, merchant)
	s.first.Do(func() {
		s.all.Done()
		s.all.Wait()
	})
	return roster, err
}

// Of accounts that are made at once with the same shop, or the same secret, one is made.
func TestAccounts_atOnce(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(n int) settings.AccountChange{
		"shop": func(n int) settings.AccountChange {
			return settings.AccountChange{
				Platform: "located", Settings: json.RawMessage(`{"Shop":"acme.example"}`),
				Secrets: []settings.SecretChange{{Name: "live", Text: fmt.Sprintf("paper_%d", n)}},
			}
		},
		"secret": func(int) settings.AccountChange {
			return settings.AccountChange{Platform: "paper", Settings: forShop, Secrets: []settings.SecretChange{{Name: "live", Text: "paper_1"}}}
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			store, _ := dynamotest.Open(t)
			const tries = 4
			var all sync.WaitGroup
			all.Add(tries)
			made, refused := 0, 0
			outcomes := make(chan error, tries)
			for n := range tries {
				accounts := &settings.Accounts{
					Store: &together{AccountStore: store, all: &all}, Sealer: &seals{}, Heard: store, Catchup: &desk{T: t}, Now: func() time.Time { return noon },
					Adapters: map[string]platform.Adapter{"located": located{}, "paper": paper{}},
				}
				c := change(n)
				c.Merchant, c.Name = "acme", fmt.Sprintf("shop-%d", n)
				go func() {
					_, _, _, err := accounts.Put(t.Context(), c, settings.Condition{})
					outcomes <- err
				}()
			}
			for range tries {
				err := <-outcomes
				var used *settings.InUseError
				var wrong *settings.InvalidError
				switch {
				case err == nil:
					made++
				case errors.As(err, &used) && what == "shop", errors.As(err, &wrong) && what == "secret":
					refused++
				default:
					t.Error(err)
				}
			}
			if made != 1 || refused != tries-1 {
				t.Errorf("%d accounts were made, %d refused", made, refused)
			}
		})
	}
}

// Accounts that have nothing in common are made at once.
func TestAccounts_atOnceWithoutConflict(t *testing.T) {
	t.Parallel()
	store, _ := dynamotest.Open(t)
	outcomes := make(chan error)
	var all sync.WaitGroup
	all.Add(3)
	for n := range 3 {
		accounts := &settings.Accounts{
			Store: &together{AccountStore: store, all: &all}, Sealer: &seals{}, Heard: store, Catchup: &desk{T: t}, Now: func() time.Time { return noon },
			Adapters: map[string]platform.Adapter{"paper": paper{}},
		}
		go func() {
			_, _, _, err := accounts.Put(t.Context(), settings.AccountChange{
				Merchant: "acme", Name: fmt.Sprintf("shop-%d", n), Platform: "paper", Settings: forShop,
				Secrets: []settings.SecretChange{{Name: "live", Text: fmt.Sprintf("paper_%d", n)}},
			}, settings.Condition{})
			outcomes <- err
		}()
	}
	for range 3 {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
}
