package browser

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Pages name the fonts of their reader's system. So that a picture is the same on every machine,
// these stand in for some of them; the last one goes first.
var fonts = []struct{ folder, family, instead string }{
	{"noto-sans-jp", "Noto Sans JP Variable", "Roboto"},
	{"noto-sans-arabic", "Noto Sans Arabic Variable", "Roboto"},
	{"roboto", "Roboto Variable", "Roboto"},
	{"roboto-mono", "Roboto Mono Variable", "Menlo"},
}

// Fonts returns the style that names the fonts, and what serves their files at /fonts/.
func Fonts() (style string, files http.Handler, err error) {
	folder, err := tool("@fontsource-variable")
	if err != nil {
		return "", nil, err
	}
	var all strings.Builder
	for _, f := range fonts {
		style, err := os.ReadFile(filepath.Join(folder, f.folder, "index.css"))
		if err != nil {
			return "", nil, err
		}
		all.WriteString(strings.NewReplacer("'"+f.family+"'", f.instead, "./files/", "/fonts/"+f.folder+"/files/").Replace(string(style)))
	}
	return all.String(), http.StripPrefix("/fonts/", http.FileServer(http.Dir(folder))), nil
}
