package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"keypool/infra/local/machine"
	"keypool/infra/local/sample"
)

// sign copies a webhook from events/, about the product of this machine, signed for the
// demo merchant's account at this moment, and prints the name of the copy. For an event of
// another kind, or with a signature that is wrong on purpose, it prints the event's own
// name.
func sign(ctx context.Context, c *call) error {
	source := c.setting("FILE", "events/good_order_paid.json")
	w, err := sample.Open(os.DirFS("."), filepath.ToSlash(source))
	switch {
	case errors.Is(err, sample.ErrNoWebhook), err == nil && w.IsUnsigned():
		fmt.Println(source)
		return nil
	case err != nil:
		return &machine.Fault{Says: "There is no such event.", Try: "ls events", Cause: err}
	}
	s, env, err := running(ctx, c)
	if err != nil {
		return err
	}
	a, err := accountOf(ctx, c, s, env, w.Platform)
	if err != nil {
		return err
	}
	at := now()
	w.Be(sample.Order{Product: env["KEYPOOL_PRODUCT"], PaidAt: at})
	if err := w.Sign(a.secrets.Of(w), at); err != nil {
		return err
	}
	signed, err := json.MarshalIndent(w.Gateway(env["KEYPOOL_MERCHANT"], a.name), "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(".local", "events", filepath.Base(source))
	if err := os.MkdirAll(filepath.Dir(filepath.Join(c.checkout, name)), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.checkout, name), signed, 0o600); err != nil {
		return err
	}
	fmt.Println(name)
	return nil
}
