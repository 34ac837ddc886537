package simulate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamosim"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

// setCode sets the code that orders of the product demo get, as its merchant does by the API, or
// takes it off sale.
type setCode struct {
	side   pool.Side
	number int // of the code; 0: none
	serial int
}

func (s setCode) String() string {
	if s.number == 0 {
		return fmt.Sprintf("the %s code of demo is taken off sale", s.side)
	}
	return fmt.Sprintf("the %s code of demo is %s", s.side, s.text())
}

// text is in the form of keys, so that it is found in mails. No file has that number.
func (s setCode) text() string {
	if s.side == pool.Test {
		return keyText(9002, s.number)
	}
	return keyText(9001, s.number)
}

func (s setCode) do(w *world) {
	w.spawn(func() {
		w.untilDone(fmt.Sprintf("code %d", s.serial), func(ctx context.Context, now time.Time) error {
			codes := &settings.Codes{Store: w.store, Refill: &settings.Refill{Products: noProducts{}}, Now: func() time.Time { return now }}
			by, anyVersion := access.Principal{Merchant: merchant, Name: "a token"}, settings.Condition{Version: func(int) bool { return true }}
			if s.number == 0 {
				return codes.Remove(ctx, by, "demo", []pool.Side{s.side}, anyVersion)
			}
			_, err := codes.Set(ctx, by, "demo", map[pool.Side]string{s.side: s.text()}, anyVersion)
			if errors.As(err, new(*settings.CodeTakenError)) {
				w.count("code refused: it is blocked")
				return nil
			}
			if err == nil {
				w.fillProducts(ctx, "demo")
			}
			return err
		})
	})
}

// noProducts has no product to send fill requests for: the action sends them one by one.
type noProducts struct{}

func (noProducts) Products(context.Context, string) ([]catalog.Product, error) {
	return nil, nil
}

// period is a time in which a code was given; zero until: it still is.
type period struct{ from, until time.Time }

// codeChanged records whether a key is given to orders as the code of a product.
func (l *ledger) codeChanged(k *key, after map[string]types.AttributeValue) {
	k.codeOf = str(after, "codeOf")
	given := str(after, "state") == "shared" && after["current"] != nil && after["blockedAt"] == nil
	last := len(k.current) - 1
	switch was := last >= 0 && k.current[last].until.IsZero(); {
	case given && !was:
		l.w.count("code set")
		k.current = append(k.current, period{from: time.Now()})
	case was && !given:
		l.w.count("code changed, taken off or blocked")
		k.current[last].until = time.Now()
	}
}

// code returns the key that is given to orders of demo of that side, nil if there is none.
func (l *ledger) code(side string) *key {
	for _, k := range l.keys {
		if last := len(k.current) - 1; last >= 0 && k.current[last].until.IsZero() && strings.HasSuffix(k.side, "#"+side) {
			return k
		}
	}
	return nil
}

// checkCodeHeld checks that what a line of a code holds is one of its product and side.
func (l *ledger) checkCodeHeld(now *line, id, text string) {
	switch k := l.keys[id]; {
	case now.product != "demo":
		l.problem("%s of %s, whose keys come from a pool, holds a code", l.name(now.id), now.product)
	case k == nil || k.state != "shared" || k.codeOf != now.product || k.text != text:
		l.problem("%s holds key %s, which is no code of its product", l.name(now.id), l.text(id))
	case k.side != merchant+"##"+now.side:
		l.problem("%s of the %s side holds a code of %s", l.name(now.id), now.side, k.side)
	}
}

// checkCode checks that a line that gets a code gets one that was given to orders at some time
// since its caller began, and that a rule does not hold it.
func (l *ledger) checkCode(c dynamosim.Commit, now *line, gained []string) {
	l.w.count("code given")
	if len(gained) != 1 || now.onHold {
		l.problem("%s gets %d codes; it is on hold: %v", l.name(now.id), len(gained), now.onHold)
	}
	began := l.beganAt(c)
	for _, p := range l.keys[gained[0]].current {
		if p.until.IsZero() || !p.until.Before(began) {
			return
		}
	}
	l.problem("%s gets the code %s, which was given to no order since its call began", l.name(now.id), l.text(gained[0]))
}
