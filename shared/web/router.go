package web

import (
	"net/http"
	"slices"
	"strings"

	"keypool/shared/problem"
)

// Router calls the handler whose pattern fits a request. Patterns are those of
// http.ServeMux with a method, and wildcards of one segment:
//
//	PUT /v1/pools/{pool}
//	POST /v1/orders/{order}/resend
//
// It differs from http.ServeMux where the gateway does. Since the gateway decodes
// a slash within a name, the wildcards of the names in Free take one segment or
// more: the order of "/v1/orders/2026/1001/resend" is "2026/1001". Of the patterns
// that fit, the one with the most literal segments is taken, so a name that ends in
// "/resend" cannot be reached by a method for which the longer pattern exists.
// A path is never redirected: "/v1//pools" is unknown.
//
// What no pattern fits is answered by a problem, 404 or 405. HEAD is served by the
// patterns of GET. Patterns must not be added while requests are served.
type Router struct {
	Free   []string
	routes []route
}

type route struct {
	method   string
	pattern  string
	segments []string
	literals int
	handler  http.HandlerFunc
}

// HandleFunc adds a pattern, a method and a path.
func (t *Router) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	method, path, _ := strings.Cut(pattern, " ")
	added := route{method: method, pattern: pattern, segments: split(path), handler: handler}
	for _, segment := range added.segments {
		if _, ok := wildcard(segment); !ok {
			added.literals++
		}
	}
	t.routes = append(t.routes, added)
}

// ServeHTTP calls the handler, with the path's names as path values.
func (t *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var best *route
	var names []string
	var allowed []string
	path := split(r.URL.Path)
	for i := range t.routes {
		this := &t.routes[i]
		if best != nil && this.literals <= best.literals {
			continue
		}
		found, ok := t.match(this.segments, path)
		switch {
		case !ok:
		case this.method == r.Method, this.method == http.MethodGet && r.Method == http.MethodHead:
			best, names = this, found
		case !slices.Contains(allowed, this.method):
			allowed = append(allowed, this.method)
		}
	}
	switch {
	case best != nil:
		for i := 0; i < len(names); i += 2 {
			r.SetPathValue(names[i], names[i+1])
		}
		r.Pattern = best.pattern
		best.handler(w, r)
	case len(allowed) > 0:
		slices.Sort(allowed)
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		problem.New(http.StatusMethodNotAllowed, "This cannot be done here; the Allow header says what can.").Write(w, r)
	default:
		problem.New(http.StatusNotFound, "There is no such address.").Write(w, r)
	}
}

// match returns the names that make a pattern fit a path, in pairs of wildcard and
// value. The first free name takes as many segments as it can.
func (t *Router) match(pattern, path []string) (names []string, ok bool) {
	if len(pattern) == 0 || len(path) < len(pattern) {
		return nil, len(pattern) == len(path)
	}
	name, isWildcard := wildcard(pattern[0])
	if !isWildcard {
		if pattern[0] != path[0] {
			return nil, false
		}
		return t.match(pattern[1:], path[1:])
	}
	most := 1
	if slices.Contains(t.Free, name) {
		most = len(path) - len(pattern) + 1
	}
	for n := most; n > 0; n-- {
		value := strings.Join(path[:n], "/")
		rest, ok := t.match(pattern[1:], path[n:])
		if ok && value != "" && value != "." && value != ".." {
			return append([]string{name, value}, rest...), true
		}
	}
	return nil, false
}

// split returns the segments of a path: ["v1", "pools"] of "/v1/pools". A path
// that does not start with a slash has none that a pattern has.
func split(path string) []string {
	below, ok := strings.CutPrefix(path, "/")
	if !ok {
		return nil
	}
	return strings.Split(below, "/")
}

// wildcard returns the name in a pattern's segment: "order" of "{order}".
func wildcard(segment string) (string, bool) {
	if !strings.HasPrefix(segment, "{") {
		return "", false
	}
	return strings.Trim(segment, "{}"), true
}
