package bodies

import (
	"time"

	"keypool/shared/catalog"
	"keypool/shared/settings"
)

// Pool is a pool's settings and stock.
type Pool struct {
	Name            string   `json:"name,omitempty" readOnly:"true" doc:"In addresses and bucket paths."`
	Title           string   `json:"title,omitempty" doc:"For the merchant's own eyes."`
	LowStock        *int     `json:"low_stock,omitempty" minimum:"0" maximum:"10000" doc:"Be told when fewer live keys are left; 0 for never. 10 where left out."`
	ReminderHours   *int     `json:"reminder_hours,omitempty" minimum:"0" maximum:"8760" doc:"Be told again after so many hours while stock is still low; 0 for never. 24 where left out."`
	Shards          *int     `json:"shards,omitempty" minimum:"1" maximum:"64" doc:"How many parts the keys for sale are spread over: 4 carry some 3,000 orders a second. It only ever grows. As it is, or 4, where left out."`
	NoticeAddresses []string `json:"notice_addresses,omitempty" maxItems:"5" doc:"Further mail addresses that are warned when keys run low or are gone, besides your notice address: each by a mail of its own, in which no other address stands. Your notice address is told of a change. None where left out."`
	Live            *Stock   `json:"live,omitempty" readOnly:"true" doc:"Keys for paid orders."`
	Test            *Stock   `json:"test,omitempty" readOnly:"true" doc:"Keys for orders marked as a test."`
}

// Stock is the number of keys in one side of a pool.
type Stock struct {
	Available int        `json:"available" doc:"Keys that can be sold. Exact up to 1,000; beyond it uploads less sales that were mailed since as_of."`
	Claimed   int        `json:"claimed" doc:"Keys that orders hold, or held and let their customers keep."`
	Revoked   int        `json:"revoked" doc:"Keys that orders gave back and that nobody may use."`
	Withdrawn int        `json:"withdrawn" doc:"Keys that were taken out of sale: withdrawn, or blocked. Available, claimed, revoked and withdrawn are all keys that uploads added."`
	Waiting   int        `json:"waiting" doc:"Order lines that wait for keys; counted to 1,000."`
	Sold7     int        `json:"sold_7_days" doc:"Keys that orders took in the last seven days by UTC, today among them. Keys that came back since count all the same. A key is counted once its mail has left."`
	Sold30    int        `json:"sold_30_days" doc:"The same in the last 30 days."`
	SoldByDay []SoldDay  `json:"sold_by_day,omitempty" nullable:"false" doc:"Days of the last 30 on which keys were sold, the first of them first. Not in lists of pools."`
	RunsDry   *RunsDry   `json:"runs_dry,omitempty" doc:"When no key is left if it goes on selling as it did. Not there where none were sold in the last 30 days, or the first of them less than three days ago, or they last for years. What is uploaded meanwhile is not foreseen."`
	AsOf      *time.Time `json:"as_of,omitempty" doc:"When available was last counted key by key. Not there for a pool of more than 1,000 keys that never was: keys are counted once a day, when none are sold for some minutes."`
}

// SoldDay is what a pool sold on a day.
type SoldDay struct {
	Day  string `json:"day" format:"date"`
	Keys int    `json:"keys"`
}

// RunsDry is a range of days.
type RunsDry struct {
	From string `json:"from" format:"date" doc:"By the higher of the rates of the last week and of the last 30 days, each up to yesterday."`
	To   string `json:"to" format:"date" doc:"By the lower one; in five years at the latest."`
}

var SamplePool = Pool{
	Name: "elden", Title: "Elden, Steam keys", LowStock: new(25), ReminderHours: new(24), Shards: new(4), NoticeAddresses: []string{"stock@acme.example"},
	Live: &Stock{Available: 842, Claimed: 1158, Sold7: 21, Sold30: 65, SoldByDay: []SoldDay{{"2026-11-09", 44}, {"2026-11-22", 21}}, RunsDry: &RunsDry{"2027-05-23", "2027-08-30"}, AsOf: new(time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC))},
	Test: &Stock{Available: 5, AsOf: new(time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC))},
}

// Settable returns the part of a pool that a request can set.
func (p Pool) Settable() Pool { p.Name, p.Live, p.Test = "", nil, nil; return p }

func NewPool(p settings.PoolStock) Pool {
	return Pool{
		Name: p.Name, Title: p.Title, LowStock: new(p.LowStock),
		ReminderHours: new(int(p.Reminder / time.Hour)), Shards: new(p.Shards), NoticeAddresses: p.NoticeAddresses,
		Live: newStock(p.Live, p.At), Test: newStock(p.Test, p.At),
	}
}

func newStock(s catalog.Stock, now time.Time) *Stock {
	shown := Stock{
		Available: s.Available, Claimed: s.Claimed, Revoked: s.Revoked, Withdrawn: s.Withdrawn, Waiting: s.Waiting,
		Sold7: s.Sold.In(7, now), Sold30: s.Sold.In(catalog.SoldDays, now),
	}
	for i := catalog.SoldDays - 1; i >= 0; i-- {
		if day := catalog.Day(now, -i); s.Sold[day] > 0 {
			shown.SoldByDay = append(shown.SoldByDay, SoldDay{day, s.Sold[day]})
		}
	}
	if dry, ok := s.RunsDry(now); ok {
		shown.RunsDry = &RunsDry{catalog.Day(dry.From, 0), catalog.Day(dry.To, 0)}
	}
	if !s.AsOf.IsZero() {
		shown.AsOf = new(s.AsOf.UTC().Truncate(time.Millisecond))
	}
	return &shown
}

// Settings returns the pool that a body describes.
func (p Pool) Settings(merchant, name string) catalog.Pool {
	out := catalog.Pool{
		Merchant: merchant, Name: name, Title: p.Title,
		LowStock: or(p.LowStock, catalog.DefaultLowStock),
		Reminder: time.Duration(or(p.ReminderHours, int(catalog.DefaultReminder/time.Hour))) * time.Hour,
		Shards:   or(p.Shards, 0),
	}
	if len(p.NoticeAddresses) > 0 {
		out.NoticeAddresses = p.NoticeAddresses
	}
	return out
}

func or(given *int, otherwise int) int {
	if given == nil {
		return otherwise
	}
	return *given
}
