package look

import (
	"math"
	"strconv"
	"strings"
)

// IsColor reports whether a text is a color such as "#0b57c2": of other texts, a style could be
// made that does more.
func IsColor(s string) bool {
	return len(s) == 7 && s[0] == '#' && strings.Trim(s[1:], "0123456789abcdef") == ""
}

// Contrast is that of two colors, each as "#0b57c2": 1 is none, 21 the most there is (WCAG 2.2).
func Contrast(a, b string) float64 {
	more, less := luminance(a), luminance(b)
	if more < less {
		more, less = less, more
	}
	return (more + 0.05) / (less + 0.05)
}

// luminance is that of a color, from 0 to 1 (WCAG 2.2).
func luminance(color string) float64 {
	luminance := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8) // checked by its form
		part := float64(n) / 255
		if part <= 0.04045 {
			part /= 12.92
		} else {
			part = math.Pow((part+0.055)/1.055, 2.4)
		}
		luminance += weight * part
	}
	return luminance
}
