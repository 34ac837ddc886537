package main

import "testing"

func TestDocument(t *testing.T) {
	t.Parallel()
	document.IsComplete(t, 18)
	document.ExamplesCanBeSent(t)
	document.ReferencesResolve(t)
}
