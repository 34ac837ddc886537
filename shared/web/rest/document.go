package rest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/problem"
	"keypool/shared/settings"
)

// document is a description of the operations that was made before the program was built. To
// describe them for a request would take a stranger's request as long as a cold start.
type document struct {
	content []byte
	media   string
	etag    func() string // weak: the compressed bytes have it too
	zipped  func() []byte
}

func newDocument(content []byte, media string) *document {
	return &document{
		content: content, media: media,
		etag: sync.OnceValue(func() string {
			sum := sha256.Sum256(content)
			return `W/"` + hex.EncodeToString(sum[:8]) + `"`
		}),
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
	header.Set("ETag", d.etag())
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
	a.shareProblems()
	document, err := json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
	return append(document, '\n'), err
}

// problems describes the statuses that are no success, each with the problem that it is most
// often. What an operation answers of its own, its description says.
func (a *API) problems() map[int]sharedProblem {
	of := func(name, says string, err error, places ...problem.Place) sharedProblem {
		p, _ := problemOf(context.Background(), "", err)
		p.Errors = append(p.Errors, places...)
		return sharedProblem{name, says, p}
	}
	forbidden := ErrForbidden
	if a.config.Scoped {
		forbidden = &access.DeniedError{Needs: access.Settings}
	}
	mistake := &settings.InvalidError{Problems: []settings.Problem{{Path: "texts.de.body", Message: "it has no {KEY}"}}}
	return map[int]sharedProblem{
		http.StatusBadRequest: {
			"BadRequest", "The request cannot be read, such as a body that is no JSON, and nothing was changed.",
			problem.New(http.StatusBadRequest, illegible, problem.Place{Message: "unexpected end of JSON input", Location: "body"}),
		},
		http.StatusUnauthorized:          of("Unauthorized", "The request has no token that is valid.", ErrUnauthorized),
		http.StatusForbidden:             of("Forbidden", "The caller may not do this.", forbidden),
		http.StatusNotFound:              of("NotFound", "It is not there, or it is another merchant's.", settings.ErrNotFound),
		http.StatusConflict:              of("Conflict", "How things are does not allow it: detail says what is in the way, and what to do.", order.ErrNoKeys),
		http.StatusPreconditionFailed:    of("PreconditionFailed", "If-Match names another version than there is, or If-None-Match found one.", catalog.ErrConflict),
		http.StatusRequestEntityTooLarge: {"TooLarge", "The body is larger than what is read.", problem.New(http.StatusRequestEntityTooLarge, tooLarge)},
		http.StatusUnsupportedMediaType:  {"UnsupportedMediaType", "The body is in no form that is read.", problem.New(http.StatusUnsupportedMediaType, notJSON)},
		http.StatusUnprocessableEntity:   of("Invalid", "Values are not as they have to be, and nothing was changed. All mistakes are told at once, each with its place.", mistake),
		http.StatusPreconditionRequired:  of("PreconditionRequired", "It exists, and the request does not say by If-Match which version it changes.", settings.ErrUnconditional),
		http.StatusTooManyRequests:       of("TooManyRequests", "Too many of these in a short time: Retry-After says in how many seconds to try again.", settings.ErrSampleSent),
		http.StatusInternalServerError:   {"Failed", "A mistake on this side. It is safe to try again.", problem.Internal},
		http.StatusServiceUnavailable:    {"Unavailable", "Not at this moment: Retry-After says in how many seconds to try again.", problem.New(http.StatusServiceUnavailable, busy)},
	}
}

// sharedProblem is the description of a status that operations share.
type sharedProblem struct {
	name, says string
	example    *problem.Problem
}

// shareProblems describes each problem once, and has the operations refer to it.
func (a *API) shareProblems() {
	d, problems := a.huma.OpenAPI(), a.problems()
	d.Components.Responses = map[string]*huma.Response{}
	for _, path := range d.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Put, path.Post, path.Delete} {
			if op == nil {
				continue
			}
			for code := range op.Responses {
				status, _ := strconv.Atoi(code)
				if p, ok := problems[status]; ok {
					d.Components.Responses[p.name] = p.response(a.schema(huma.ErrorModel{}), status)
					op.Responses[code] = &huma.Response{Ref: "#/components/responses/" + p.name}
				}
			}
		}
	}
}

func (p sharedProblem) response(schema *huma.Schema, status int) *huma.Response {
	r := &huma.Response{Description: p.says, Content: map[string]*huma.MediaType{
		problem.ContentType: {Schema: schema, Example: model(p.example)},
	}}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		r.Headers = map[string]*huma.Header{"Retry-After": {Description: "Seconds.", Schema: &huma.Schema{Type: huma.TypeInteger}}}
	}
	return r
}
