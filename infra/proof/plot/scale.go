package plot

import (
	"fmt"
	"math"
	"slices"
)

// scale maps values to places on an axis.
type scale struct {
	from, to float64
	log      bool
}

func newScale(a Axis, values []float64) (scale, error) {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return scale{}, fmt.Errorf("%v has no place on the axis %q", v, a.Title)
		}
	}
	s := scale{from: a.From, to: a.To, log: a.Log}
	if s.from == 0 && s.to == 0 {
		s.from, s.to = slices.Min(values), slices.Max(values)
		if !s.log {
			s.from = min(s.from, 0)
			if step := stepOf(s.to - s.from); step > 0 {
				s.to = math.Ceil(s.to/step) * step
				s.from = math.Floor(s.from/step) * step
			}
		}
	}
	if s.log && s.from <= 0 {
		return scale{}, fmt.Errorf("%v has no place on the logarithmic axis %q", s.from, a.Title)
	}
	if s.from >= s.to { // a single value: somewhere in the middle
		if s.log {
			s.from, s.to = s.from/2, s.to*2
		} else {
			s.from, s.to = s.from-1, s.to+1
		}
	}
	return s, nil
}

// at returns the place of a value: 0 at the start of the axis, 1 at its end.
func (s scale) at(v float64) float64 {
	if s.log {
		return math.Log(v/s.from) / math.Log(s.to/s.from)
	}
	return (v - s.from) / (s.to - s.from)
}

// ticks returns the round values on the axis, ten or so.
func (s scale) ticks() []float64 {
	var ticks []float64
	if !s.log {
		step := stepOf(s.to - s.from)
		for n := math.Ceil(s.from/step - 1e-9); n*step <= s.to*(1+1e-9); n++ {
			ticks = append(ticks, n*step+0) // no -0
		}
		return ticks
	}
	for _, in := range [][]float64{{1, 2, 5}, {1}} {
		ticks = ticks[:0]
		for decade := math.Floor(math.Log10(s.from)); decade <= math.Log10(s.to); decade++ {
			for _, digit := range in {
				if v := digit * math.Pow(10, decade); v >= s.from*(1-1e-9) && v <= s.to*(1+1e-9) {
					ticks = append(ticks, v)
				}
			}
		}
		if len(ticks) <= 10 {
			break
		}
	}
	return ticks
}

// stepOf returns the largest round distance that cuts a span into at least four
// pieces.
func stepOf(span float64) float64 {
	if span <= 0 {
		return 0
	}
	step := math.Pow(10, math.Floor(math.Log10(span)))
	for _, part := range []float64{1, 0.5} {
		if span >= 4*part*step {
			return part * step
		}
	}
	return step / 4
}
