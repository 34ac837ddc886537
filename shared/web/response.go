package web

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// recorder holds a response until it is complete.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// response is the gateway's form of the response. Each Set-Cookie is an entry of
// Cookies; the values of any other header are joined by commas. The body is in
// base64 only if it is not text.
func (w *recorder) response(r *http.Request) events.APIGatewayV2HTTPResponse {
	body := w.body.Bytes()
	if len(body) > 0 && w.header.Get("Content-Type") == "" {
		w.header.Set("Content-Type", http.DetectContentType(body))
	}
	if r.Method == http.MethodHead || w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		body = nil
	}
	response := events.APIGatewayV2HTTPResponse{
		StatusCode:      w.status,
		Headers:         make(map[string]string, len(w.header)),
		Cookies:         w.header.Values("Set-Cookie"),
		IsBase64Encoded: !utf8.Valid(body),
	}
	for name, values := range w.header {
		if name != "Set-Cookie" {
			response.Headers[name] = strings.Join(values, ", ")
		}
	}
	if response.IsBase64Encoded {
		response.Body = base64.StdEncoding.EncodeToString(body)
	} else {
		response.Body = string(body)
	}
	return response
}
