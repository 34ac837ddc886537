package main

import "testing"

func TestDocument(t *testing.T) {
	t.Parallel()
	document.IsComplete(t, 14)
	document.ExamplesCanBeSent(t)
	document.ReferencesResolve(t)
}
