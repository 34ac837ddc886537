package audit

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
)

func TestNew_keepsWhatChanged(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 1, time.UTC)
	e := New(t.Context(), Entry{
		Merchant: "acme", By: "ada", Thing: Product, Name: "4711",
		Before: catalog.Shown{"title": "A", "pool": "elden", "download": "https://a.example/"},
		After:  catalog.Shown{"title": "B", "pool": "elden", "texts.en.body": strings.Repeat("é", 400)},
	}, now)
	if !strings.HasPrefix(e.ID, "20261123T120000.000Z-") || !e.At.Equal(now.Truncate(time.Millisecond)) {
		t.Errorf("%s at %s", e.ID, e.At)
	}
	if diff := cmp.Diff(catalog.Shown{"title": "A", "download": "https://a.example/"}, e.Before); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(catalog.Shown{"title": "B", "texts.en.body": strings.Repeat("é", 250) + "… (800 bytes)"}, e.After); diff != "" {
		t.Error(diff)
	}
	if got := cut("a" + strings.Repeat("é", 400)); got != "a"+strings.Repeat("é", 249)+"… (801 bytes)" {
		t.Errorf("a letter is cut in two: %q", got)
	}
}

func TestOfBrake(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	set := OfBrake(t.Context(), "acme", catalog.Brake{SetAt: now, By: "ada"})
	if set.By != "ada" || set.Before["set"] != false || set.After["set"] != true {
		t.Errorf("%+v", set)
	}
	off := OfBrake(t.Context(), "acme", catalog.Brake{SetAt: now, By: "ada", ReleasedAt: now, ReleasedBy: "bob", Reason: "sale"})
	if off.By != "bob" || off.Before["set"] != true || off.After["set"] != false || off.After["reason"] != "sale" {
		t.Errorf("%+v", off)
	}
}
