// Template writes template.yaml, which describes the functions for SAM's command
// line, from the tables of package infra/deployment:
//
//	make template
package main

import (
	"fmt"
	"os"
)

func main() {
	content, err := write()
	if err == nil {
		err = os.WriteFile("template.yaml", content, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
