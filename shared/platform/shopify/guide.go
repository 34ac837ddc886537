package shopify

import (
	_ "embed"

	"keypool/shared/platform"
)

//go:embed doc.go
var doc string

// Guide implements platform.Guided.
func (Adapter) Guide() string { return platform.GuideOf(doc) }
