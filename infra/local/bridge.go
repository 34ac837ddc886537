package main

import (
	"context"
	"fmt"

	"keypool/infra/local/machine"
)

// bridge lets Docker's containers reach the one-machine run, until it is interrupted.
// A function that SAM runs in a container needs it.
func bridge(ctx context.Context, c *call) error {
	if !c.machine.Running() {
		return &machine.Fault{Says: "The one-machine run is not up.", Try: "make up"}
	}
	return c.machine.Bridge(ctx, func() {
		fmt.Printf("Containers reach the one-machine run at %s, until you press Ctrl-C.\n", c.machine.ContainersEndpoint())
	})
}
