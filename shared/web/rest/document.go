package rest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
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
	if has(r.Header.Get("If-None-Match"), d.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", "application/json")
	if !takesGzip(r.Header.Get("Accept-Encoding")) {
		w.Write(d.content)
		return
	}
	header.Set("Content-Encoding", "gzip")
	w.Write(d.zipped())
}

// has reports whether an If-None-Match header names a tag. Weak tags match the strong
// ones of the same text (RFC 9110, 13.1.2).
func has(condition, etag string) bool {
	opaque := strings.TrimPrefix(etag, "W/")
	return slices.ContainsFunc(strings.Split(condition, ","), func(tag string) bool {
		tag = strings.TrimSpace(tag)
		return tag == "*" || strings.TrimPrefix(tag, "W/") == opaque
	})
}

// takesGzip reports whether an Accept-Encoding header allows gzip: "gzip, br",
// "gzip;q=0.5", but not "gzip;q=0".
func takesGzip(accepted string) bool {
	for one := range strings.SplitSeq(accepted, ",") {
		name, quality, _ := strings.Cut(strings.ReplaceAll(one, " ", ""), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(strings.TrimPrefix(strings.ToLower(quality), "q="), "0.") != "" || quality == ""
		}
	}
	return false
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
