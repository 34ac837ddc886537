package main

import (
	"testing"

	"keypool/infra/proof/resttest"
)

func TestDocument_isCurrent(t *testing.T) {
	t.Parallel()
	resttest.IsCurrent(t, (&api{}).serve())
}

func TestDocument(t *testing.T) {
	t.Parallel()
	document.IsComplete(t, 60)
	document.ExamplesCanBeSent(t)
	document.ReferencesResolve(t)
}
