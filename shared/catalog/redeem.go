package catalog

import "time"

// Redeem says until which day, that day included, the keys of a product are to be redeemed. One
// of its fields is set, or none: then customers are told no day.
type Redeem struct {
	WithinDays int    // counted from the day of the payment
	By         string // a day: "2026-12-23"
}

// Until returns the day for an order that was paid at that time, in the merchant's time zone.
// It is false if there is none. A day is the UTC midnight that it begins with.
func (r Redeem) Until(paid time.Time, m Merchant) (time.Time, bool) {
	if r.WithinDays > 0 {
		return m.Day(paid).AddDate(0, 0, r.WithinDays), true
	}
	day, err := time.Parse(time.DateOnly, r.By)
	return day, err == nil
}

// Zone is the merchant's time zone, UTC where it is not known.
func (m Merchant) Zone() *time.Location {
	zone, err := time.LoadLocation(m.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Day returns the merchant's day of a time, as Until does.
func (m Merchant) Day(t time.Time) time.Time {
	year, month, day := t.In(m.Zone()).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}
