// Package problem has the body of every response that is not a success (RFC 9457).
package problem

import (
	"encoding/json"
	"html"
	"net/http"
	"strconv"
	"strings"
)

// Problem is the body of a response that is not a success. It never quotes the
// request, which may hold a secret.
type Problem struct {
	Type   string  `json:"type,omitempty"` // where the problem is described; empty: nowhere
	Status int     `json:"status"`
	Title  string  `json:"title"`
	Detail string  `json:"detail"` // one or two sentences: the cause, and the way out
	Errors []Place `json:"errors,omitempty"`
}

// Place is one mistake and the part of the request that holds it.
type Place struct {
	Message  string `json:"message"`
	Location string `json:"location"` // "body.texts.de.body", "path.pool", "query.limit"
}

// Most is how many mistakes a response tells: of a body that is wrong all over, more would be
// larger than a response can be.
const Most = 100

// More stands for further mistakes.
func More(n int) Place {
	return Place{"mistakes that are not listed here: " + strconv.Itoa(n) + "; mend these first", "body"}
}

// ContentType is the media type of a Problem in JSON.
const ContentType = "application/problem+json"

// New returns a problem with the title of its status.
func New(status int, detail string, errors ...Place) *Problem {
	return &Problem{Status: status, Title: http.StatusText(status), Detail: detail, Errors: errors}
}

// Internal is the response to every mistake of ours. Its cause is in the log only.
var Internal = New(http.StatusInternalServerError, "Something went wrong on our side. Nothing is lost; please try again.")

// Write answers a request by the problem: as a page if the request prefers HTML,
// as JSON otherwise.
func (p *Problem) Write(w http.ResponseWriter, r *http.Request) {
	if !prefersHTML(r) {
		w.Header().Set("Content-Type", ContentType)
		w.WriteHeader(p.Status)
		json.NewEncoder(w).Encode(p)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.WriteHeader(p.Status)
	var page strings.Builder
	page.WriteString("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n")
	page.WriteString("<title>" + html.EscapeString(p.Title) + "</title>\n<h1>" + html.EscapeString(p.Title) + "</h1>\n<p>" + html.EscapeString(p.Detail) + "</p>\n")
	for _, place := range p.Errors {
		page.WriteString("<p>" + html.EscapeString(place.Location+": "+place.Message) + "</p>\n")
	}
	w.Write([]byte(page.String() + "</html>\n"))
}

// prefersHTML says whether a request wants a page rather than JSON, by its Accept
// header: a browser names text/html, and JSON only by "*/*", if at all.
func prefersHTML(r *http.Request) bool {
	page, data := 0.0, 0.0
	for one := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		media, parameters, _ := strings.Cut(one, ";")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(parameters), "q="); ok {
			if parsed, err := strconv.ParseFloat(q, 64); err == nil {
				weight = parsed
			}
		}
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "text/html", "application/xhtml+xml":
			page = max(page, weight)
		case "application/json", ContentType:
			data = max(data, weight)
		}
	}
	return page > data
}
