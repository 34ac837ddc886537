package rest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2/negotiation"
)

// document is a description of the operations that was made before the program was built. To
// describe them for a request would take a stranger's request as long as a cold start.
type document struct {
	content []byte
	media   string
	etag    string // weak: the compressed bytes have it too
	zipped  func() []byte
}

func newDocument(content []byte, media string) *document {
	sum := sha256.Sum256(content)
	return &document{
		content: content, media: media, etag: `W/"` + hex.EncodeToString(sum[:8]) + `"`,
		zipped: sync.OnceValue(func() []byte {
			var out bytes.Buffer
			w := gzip.NewWriter(&out)
			w.Write(content) // to memory: it does not fail
			w.Close()
			return out.Bytes()
		}),
	}
}

// ServeHTTP answers the document, compressed if the caller takes gzip, and 304 to a
// caller who has it.
func (d *document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "public, max-age=3600")
	header.Set("ETag", d.etag)
	header.Set("Vary", "Accept-Encoding")
	header.Set("Content-Type", d.media)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	content := d.content
	if takesGzip(r.Header.Get("Accept-Encoding")) {
		header.Set("Content-Encoding", "gzip")
		content = d.zipped()
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// takesGzip reports whether an Accept-Encoding header allows gzip: "gzip, br",
// "gzip;q=0.5", but not "gzip;q=0".
func takesGzip(accepted string) bool {
	return negotiation.SelectQValue(strings.ToLower(accepted), []string{"identity", "gzip"}) == "gzip"
}

// Describe returns the OpenAPI document of all operations, as the API's folder keeps
// it in a file.
func (a *API) Describe() ([]byte, error) {
	for name := range a.config.Operations {
		a.add(name)
	}
	a.adding.Lock()
	defer a.adding.Unlock()
	if a.config.Webhooks != nil {
		a.huma.OpenAPI().Webhooks = a.config.Webhooks()
	}
	document, err := json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
	return append(document, '\n'), err
}
