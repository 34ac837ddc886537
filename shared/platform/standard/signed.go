package standard

import "net/http"

// HasSignature implements platform.Adapter.
func (Adapter) HasSignature(h http.Header) bool {
	given := headersOf(h)
	return given.id != "" && given.timestamp != "" && given.signature != ""
}
