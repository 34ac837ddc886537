// Package look holds the style that the pages for people share: the portal and the order
// page. The colors are those of the mails.
package look

import _ "embed"

// Tokens are the colors and fonts, Base the components made of them. Tokens comes first.
var (
	//go:embed tokens.css
	Tokens string
	//go:embed base.css
	Base string
)
