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

// document is an OpenAPI document that was described before the program was built. To
// describe it for a request would take a stranger's request as long as a cold start.
type document struct {
	content []byte
	etag    string // weak: the compressed bytes have it too
	zipped  func() []byte
}

func newDocument(content []byte) *document {
	sum := sha256.Sum256(content)
	return &document{
		content: content, etag: `W/"` + hex.EncodeToString(sum[:8]) + `"`,
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
	header.Set("Content-Type", "application/json")
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
