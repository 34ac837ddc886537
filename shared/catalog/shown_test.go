package catalog

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A field that is added to a setting is shown, or stands here: else no difference and no
// record of a change would tell of it.
func TestShown_hasEveryField(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		of   any
		show func(any) Shown
		not  string // "": the name of the thing, and what is not set by a change of it
	}{
		{Merchant{}, func(v any) Shown { return v.(Merchant).Shown() }, "Name Version Salt LinkKey"},
		{Pool{}, func(v any) Shown { return v.(Pool).Shown() }, "Merchant Name Version"},
		{Product{}, func(v any) Shown { return v.(Product).Shown() }, "Merchant ID Version Codes"},
		{Texts{}, func(v any) Shown { return v.(Texts).Shown() }, "Merchant Version"},
		{Review{}, func(v any) Shown { return v.(Review).Shown() }, "Merchant Version Brake"},
		{OrderPages{}, func(v any) Shown { return v.(OrderPages).Shown() }, "Merchant Version"},
		{Retention{}, func(v any) Shown { return v.(Retention).Shown() }, "Merchant Version"},
		{Account{}, func(v any) Shown { return v.(Account).Shown() }, "Merchant Name Version Origin"},
	} {
		kind := reflect.TypeOf(c.of)
		for i := range kind.NumField() {
			name := kind.Field(i).Name
			changed := reflect.New(kind).Elem()
			fill(t, changed.Field(i))
			is := len(c.show(c.of).Differences(c.show(changed.Interface()))) > 0
			if left := strings.Contains(" "+c.not+" ", " "+name+" "); is == left {
				t.Errorf("%s.%s: shown %t, left out %t", kind.Name(), name, is, left)
			}
		}
	}
}

// So is each part of a text, of what stands around it, of a day to redeem by, and of a rule.
func TestShown_hasEveryPart(t *testing.T) {
	t.Parallel()
	for name, show := range map[string]func(v any) Shown{
		"text": func(v any) Shown {
			p := Product{Texts: map[string]Text{"en": v.(Text)}}
			return p.Shown()
		},
		"redeem": func(v any) Shown {
			p := Product{Redeem: v.(Redeem)}
			return p.Shown()
		},
		"frame": func(v any) Shown {
			m := Merchant{Frames: map[string]Frame{"en": v.(Frame)}}
			return m.Shown()
		},
		"rules": func(v any) Shown {
			r := Review{Rules: v.(Rules)}
			return r.Shown()
		},
	} {
		of := map[string]any{"text": Text{}, "frame": Frame{}, "redeem": Redeem{}, "rules": Rules{}}[name]
		kind := reflect.TypeOf(of)
		for i := range kind.NumField() {
			changed := reflect.New(kind).Elem()
			fill(t, changed.Field(i))
			if len(show(of).Differences(show(changed.Interface()))) == 0 {
				t.Errorf("%s.%s is not shown", name, kind.Field(i).Name)
			}
		}
	}
}

// fill gives a field a value that is not its zero value.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
		return
	case *json.RawMessage:
		*x = json.RawMessage(`{"a":1}`)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(3 * time.Hour))
	case reflect.Uint8:
		v.SetUint(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	default:
		t.Fatalf("a field of the kind %s", v.Kind())
	}
}

func TestShown_ofAnAccount(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	a := Account{
		Platform: "noventiq", DeliversFrom: at,
		Secrets:     []SealedSecret{{Name: "paid", Test: true, Blob: []byte("sealed"), Fingerprint: []byte("print"), CreatedAt: at, ExpiresAt: at.Add(time.Hour)}},
		Credentials: []SealedCredential{{Name: "api", Blob: []byte("sealed"), CreatedAt: at}},
		Settings:    json.RawMessage(`{"products":{"EL-1":"4711"},"empty":{},"list":["a",1.50],"none":[],"no":null}`),
	}
	want := Shown{
		"platform": "noventiq", "delivers_from": "2026-11-23T09:30:00Z",
		"secrets[0].name": "paid", "secrets[0].test": true, "secrets[0].created_at": "2026-11-23T09:30:00Z", "secrets[0].expires_at": "2026-11-23T10:30:00Z",
		"credentials[0].name": "api", "credentials[0].created_at": "2026-11-23T09:30:00Z",
		"settings.products.EL-1": "4711", "settings.empty": "{}", "settings.list[0]": "a", "settings.list[1]": json.Number("1.50"), "settings.none": "[]", "settings.no": "null",
	}
	if diff := cmp.Diff(want, a.Shown()); diff != "" {
		t.Error(diff)
	}
	if all := fmt.Sprint(a.Shown()); strings.Contains(all, "sealed") || strings.Contains(all, "print") {
		t.Errorf("it shows what is sealed: %s", all)
	}
}
