package catalog

import (
	"time"

	"keypool/shared/phrase"
)

// Sales is how many keys lines took from a pool side, by day: 2006-01-02 in UTC. Keys that
// are given back later were sold all the same. It is counted as keys are counted as taken.
type Sales map[string]int

// SoldDays is how many days are told of, today among them.
const SoldDays = 30

// In returns the keys that were sold in the last days, today among them.
func (s Sales) In(days int, now time.Time) (keys int) {
	for i := range days {
		keys += max(0, s[Day(now, -i)])
	}
	return keys
}

// Forget returns the days that are too long ago to be told of.
func (s Sales) Forget(now time.Time) (days []string) {
	oldest := Day(now, -SoldDays)
	for day := range s {
		if day < oldest {
			days = append(days, day)
		}
	}
	return days
}

// Day returns the name of a day that is so many days later than a moment's.
func Day(at time.Time, later int) string {
	return at.UTC().AddDate(0, 0, later).Format(time.DateOnly)
}

// fewestDays is how many days there must be since the first sale for a forecast.
const fewestDays = 3

// rate returns the keys that were sold a day in the days before today, up to so many. Days
// before the first sale do not count: a pool that is new has no long past. It is 0 where that
// past is too short to go by.
func (s Sales) rate(days int, now time.Time) float64 {
	keys, first := 0, 0
	for i := 1; i < SoldDays; i++ {
		n := max(0, s[Day(now, -i)])
		if n > 0 {
			first = i
		}
		if i <= days {
			keys += n
		}
	}
	if first < fewestDays {
		return 0
	}
	return float64(keys) / float64(min(days, first))
}

// RunsDry is when a pool side has no key left, if it goes on selling as it did: the day by
// the higher and the day by the lower of the rates of the last week and the last 30 days.
type RunsDry struct{ From, To time.Time }

// longestForecast is how far ahead a forecast says anything.
const longestForecast = 5 * 365

// RunsDry returns when the side has no key left. It returns false if it sold none in the
// last days, or the first of them less than three days ago, or would last for years.
func (s Stock) RunsDry(now time.Time) (RunsDry, bool) {
	week, month := s.Sold.rate(7, now), s.Sold.rate(SoldDays-1, now)
	if month == 0 {
		return RunsDry{}, false
	}
	if week == 0 {
		week = month // nothing sold this week is too little to go by
	}
	today := now.UTC().Truncate(24 * time.Hour)
	ahead := func(rate float64) (time.Time, bool) {
		days := float64(s.Available) / rate
		return today.AddDate(0, 0, int(min(days, longestForecast))), days < longestForecast
	}
	from, near := ahead(max(week, month))
	to, _ := ahead(min(week, month))
	return RunsDry{from, to}, near
}

// Words says when that is, in days, weeks or months from now: "in 2 to 4 days".
func (r RunsDry) Words(now time.Time) string {
	today := now.UTC().Truncate(24 * time.Hour)
	from, to := int(r.From.Sub(today).Hours()/24), int(r.To.Sub(today).Hours()/24)
	if to < 1 {
		return "today"
	}
	unit, size := "day", 1
	switch {
	case to > 120:
		unit, size = "month", 30
	case to > 20:
		unit, size = "week", 7
	}
	low, high := (from+size/2)/size, (to+size/2)/size
	switch {
	case low >= high:
		return "in about " + phrase.Count(high, unit)
	case low == 0:
		return "within " + phrase.Count(high, unit)
	}
	return "in " + phrase.Number(low) + " to " + phrase.Count(high, unit)
}
