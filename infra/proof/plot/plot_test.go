package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func chart() Chart {
	return Chart{
		Title: "Keys a second & workers",
		X:     Axis{Title: "workers", Log: true},
		Y:     Axis{Title: "keys a second"},
		Series: []Series{
			{Name: "measured <here>", Points: []Point{{1, 2000}, {2, 3900}, {32, 16_100}}},
			{Name: "in proportion", Points: []Point{{1, 2000}, {8, 16_000}}, Dashed: true},
		},
	}
}

func TestChart_isWellFormed(t *testing.T) {
	svg, err := chart().SVG()
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	marks := 0
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.CharData:
			said = append(said, string(token))
		case xml.StartElement:
			if token.Name.Local == "circle" {
				marks++
			}
		}
	}
	for _, want := range []string{"Keys a second & workers", "workers", "keys a second", "measured <here>", "in proportion", "10k", "20"} {
		if !slices.Contains(said, want) {
			t.Errorf("the chart does not say %q", want)
		}
	}
	if marks != 4 {
		t.Errorf("%d marks, want three points' and the legend's", marks)
	}
	if again, _ := chart().SVG(); !bytes.Equal(svg, again) {
		t.Error("the same chart is drawn in two ways")
	}
}

func TestChart_placesPoints(t *testing.T) {
	c := chart()
	c.Series = c.Series[:1]
	c.Series[0].Points = []Point{{1, 0}, {10, 50}, {100, 100}}
	svg, err := c.SVG()
	if err != nil {
		t.Fatal(err)
	}
	if want := `d="M78.0 352.0L338.0 202.0L598.0 52.0"`; !strings.Contains(string(svg), want) {
		t.Errorf("the line is not %s", want)
	}
}

func TestChart_refusesWhatHasNoPlace(t *testing.T) {
	for name, c := range map[string]Chart{
		"no series":  {},
		"no points":  {Series: []Series{{Name: "x"}}},
		"no number":  {Series: []Series{{Points: []Point{{1, math.NaN()}}}}},
		"infinite":   {Series: []Series{{Points: []Point{{math.Inf(1), 1}}}}},
		"log of 0":   {X: Axis{Log: true}, Series: []Series{{Points: []Point{{0, 1}}}}},
		"log from 0": {Y: Axis{Log: true, To: 10}, Series: []Series{{Points: []Point{{1, 1}}}}},
	} {
		if _, err := c.SVG(); err == nil {
			t.Errorf("%s: drawn", name)
		}
	}
}

func TestScale_ticks(t *testing.T) {
	for _, c := range []struct {
		axis   Axis
		values []float64
		want   []float64
	}{
		{Axis{}, []float64{3, 97}, []float64{0, 25, 50, 75, 100}},
		{Axis{}, []float64{0, 31}, []float64{0, 5, 10, 15, 20, 25, 30, 35}},
		{Axis{}, []float64{-1, 1}, []float64{-1, -0.5, 0, 0.5, 1}},
		{Axis{From: 1, To: 5}, []float64{2}, []float64{1, 2, 3, 4, 5}},
		{Axis{Log: true}, []float64{1, 30}, []float64{1, 2, 5, 10, 20}},
		{Axis{Log: true}, []float64{1, 1e5}, []float64{1, 10, 100, 1000, 1e4, 1e5}},
		{Axis{Log: true}, []float64{4}, []float64{2, 5}},
	} {
		s, err := newScale(c.axis, c.values)
		if err != nil {
			t.Fatal(err)
		}
		got := s.ticks()
		if !slices.Equal(got, c.want) {
			t.Errorf("%v over %v: %v, want %v", c.axis, c.values, got, c.want)
		}
		if math.Signbit(got[0]) && got[0] == 0 {
			t.Errorf("%v over %v begins at -0", c.axis, c.values)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.25: "0.25", 5000: "5000", 20_000: "20k", 1_500_000: "1.5M", 2e9: "2G"} {
		if got := number(v); got != want {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
}
