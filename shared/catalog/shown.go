package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"keypool/shared/pool"
)

// Shown are the fields of a setting as people see them, by their names in the API:
// "low_stock", "texts.de.body". Fields that say nothing are left out. No secret is in it,
// and nothing that is sealed.
type Shown map[string]any

// Differences returns the names of the fields that are not the same, in order.
func (s Shown) Differences(other Shown) []string {
	names := slices.Concat(slices.Collect(maps.Keys(s)), slices.Collect(maps.Keys(other)))
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return s[name] == other[name] })
}

// set notes a field, unless it says nothing.
func (s Shown) set(name string, value any) {
	if v := reflect.ValueOf(value); v.IsValid() && !v.IsZero() {
		s[name] = value
	}
}

// Shown returns the fields of a pool.
func (p Pool) Shown() Shown {
	s := Shown{"low_stock": p.LowStock, "reminder_hours": p.Reminder.Hours(), "shards": p.Shards}
	s.set("title", p.Title)
	for i, address := range p.NoticeAddresses {
		s[fmt.Sprintf("notice_addresses[%d]", i)] = address
	}
	return s
}

// Shown returns the fields of a merchant.
func (m Merchant) Shown() Shown {
	s := Shown{}
	s.set("title", m.Title)
	s.set("notice_address", m.NoticeAddress)
	s.set("sender_name", m.SenderName)
	s.set("reply_to", m.ReplyTo)
	s.set("logo", m.Logo)
	for i, language := range m.Languages {
		s[fmt.Sprintf("languages[%d]", i)] = language
	}
	s.set("time_zone", m.TimeZone)
	s.set("color", m.Color)
	for language, f := range m.Frames {
		s["frames."+language+".greeting"] = f.Greeting
		s.set("frames."+language+".signature", f.Signature)
		s.set("frames."+language+".footer", f.Footer)
	}
	s.set("default_pool", m.DefaultPool)
	s.set("returned_keys", string(m.ReturnedKeys))
	s.set("uploads.files", m.Uploads.Files)
	s.set("uploads.bytes", m.Uploads.Bytes)
	s.set("uploads.keys", m.Uploads.Keys)
	s.set("calls_per_day", m.Calls)
	s.set("mails_per_day", m.Mails)
	return s
}

// Shown returns the fields of a product.
func (p Product) Shown() Shown {
	s := Shown{}
	for i, alias := range p.Aliases {
		s[fmt.Sprintf("aliases[%d]", i)] = alias
	}
	s.set("title", p.Title)
	s.set("short_title", p.ShortTitle)
	s.set("pool", p.Pool)
	for code, name := range p.PoolsByCurrency {
		s["pools_by_currency."+code] = name
	}
	s.set("keys.mode", string(p.Keys.Mode))
	s.set("keys.count", p.Keys.Count)
	s.texts(p.Texts)
	s.set("instructions", p.Instructions)
	s.set("download", p.Download)
	s.set("redeem_within_days", p.Redeem.WithinDays)
	s.set("redeem_by", p.Redeem.By)
	s.set("original", p.Original)
	s.set("returned_keys", string(p.ReturnedKeys))
	s.set("renewal", string(p.Renewal))
	s.set("order_page", string(p.OrderPage))
	s.set("ignored", p.Ignored)
	if p.Review != nil {
		s["review"] = "of its own"
		s.rules("review", *p.Review)
	}
	return s
}

// ShownCodes returns when the codes of a product were set, by their names in the API. Shown
// leaves them out, since they are no part of the settings that are stored as one.
func (p Product) ShownCodes() Shown {
	s := Shown{}
	s.set("code.set_at", moment(p.Codes[pool.Live].SetAt))
	s.set("test_code.set_at", moment(p.Codes[pool.Test].SetAt))
	return s
}

func (s Shown) texts(texts map[string]Text) {
	for language, t := range texts {
		s.set("texts."+language+".subject", t.Subject)
		s["texts."+language+".body"] = t.Body
		s.set("texts."+language+".format", t.Format)
	}
}

func (s Shown) rules(path string, r Rules) {
	s.set(path+".always", r.Always)
	s.set(path+".risk", r.Risk)
	for code, sum := range r.Above {
		s[path+".above."+code] = sum
	}
	s.set(path+".max_keys", r.MaxKeys)
	s.set(path+".max_orders", r.MaxOrders)
}

// Shown returns the fields of rules of review.
func (r Review) Shown() Shown {
	s := Shown{}
	s.rules("rules", r.Rules)
	s.set("brakes_itself", r.BrakesItself)
	return s
}

// Shown returns the fields of an account. Of secrets and credentials it says when they
// were made, and when they end.
func (a Account) Shown() Shown {
	s := Shown{}
	s.set("platform", a.Platform)
	s.set("other_products", string(a.OtherProducts))
	s.set("delivers_from", moment(a.DeliversFrom))
	for i, secret := range a.Secrets {
		path := fmt.Sprintf("secrets[%d].", i)
		s.set(path+"name", secret.Name)
		s.set(path+"test", secret.Test)
		s[path+"created_at"] = moment(secret.CreatedAt)
		s.set(path+"expires_at", moment(secret.ExpiresAt))
	}
	for i, credential := range a.Credentials {
		path := fmt.Sprintf("credentials[%d].", i)
		s[path+"name"] = credential.Name
		s[path+"created_at"] = moment(credential.CreatedAt)
	}
	if len(a.Settings) > 0 {
		d := json.NewDecoder(bytes.NewReader(a.Settings))
		d.UseNumber()
		var value any
		if d.Decode(&value) == nil { // it was checked when it was stored
			s.leaves("settings", value)
		}
	}
	return s
}

// moment returns a time as the API writes it, "" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// leaves notes the single values in a value of JSON.
func (s Shown) leaves(path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 && path != "settings" {
			s[path] = "{}"
		}
		for name, part := range v {
			s.leaves(path+"."+name, part)
		}
	case []any:
		if len(v) == 0 {
			s[path] = "[]"
		}
		for i, part := range v {
			s.leaves(fmt.Sprintf("%s[%d]", path, i), part)
		}
	case nil:
		s[path] = "null"
	default:
		s[path] = v
	}
}
