package main

import (
	"fmt"
	"io"
	"time"
)

// progress shows numbered steps, so that nobody stares at a silent terminal.
type progress struct {
	out   io.Writer
	of, n int
}

// step runs a step and prints its name, a dot every two seconds, and its duration.
func (p *progress) step(says string, do func() error) error {
	p.n++
	fmt.Fprintf(p.out, "%d/%d  %s ", p.n, p.of, says)
	start := time.Now()
	done := make(chan error, 1)
	go func() { done <- do() }()
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprint(p.out, ".")
		case err := <-done:
			if err != nil {
				fmt.Fprintln(p.out, " failed")
				return err
			}
			fmt.Fprintf(p.out, " %s\n", took(time.Since(start)))
			return nil
		}
	}
}

// took formats a duration for people: "419 ms", "15.7 s".
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}
