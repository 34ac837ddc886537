package canary

import (
	"fmt"
	"strconv"
	"strings"
)

// Figure prints how many of something a test went through, in a line that Figures
// reads: "figure: roles = 7". go test shows it with -v.
func Figure(what string, n int) { fmt.Printf("%s%s = %d\n", figure, what, n) }

const figure = "figure: "

// Figures adds up the figures in the output of tests, by name.
func Figures(output string) map[string]int {
	figures := map[string]int{}
	for line := range strings.Lines(output) {
		_, rest, ok := strings.Cut(line, figure) // the test runner may write before it
		what, count, ok2 := strings.Cut(strings.TrimSpace(rest), " = ")
		if n, err := strconv.Atoi(count); ok && ok2 && err == nil {
			figures[what] += n
		}
	}
	return figures
}
