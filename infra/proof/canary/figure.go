package canary

import (
	"fmt"
	"strconv"
	"strings"
)

// Figure says how many of something a test went through, in a line that
// Figures reads. It is seen where the output of a test that passes is: by go test -v.
func Figure(what string, n int) { fmt.Printf("%s%s = %d\n", figure, what, n) }

const figure = "figure: "

// Figures adds up the figures in the output of tests.
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
