package main

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // merchants' zones: a Lambda has none

	"keypool/shared/phrase"
	"keypool/shared/pool"
)

//go:embed pages/*.html platforms/*.html
var pageFiles embed.FS

// sharedFiles are the files that every page is made with.
var sharedFiles = []string{"pages/frame.html", "pages/parts.html"}

var (
	parsing sync.Mutex
	parsed  = map[string]*template.Template{}
)

// pageOf returns a page, parsed when it is first shown. With is a further file that it is made
// with, such as platforms/stripe: "" for none.
func pageOf(page, with string) (*template.Template, error) {
	name := page + " " + with
	parsing.Lock()
	defer parsing.Unlock()
	if t := parsed[name]; t != nil {
		return t, nil
	}
	files := append(slices.Clone(sharedFiles), "pages/"+page+".html")
	if with != "" {
		files = append(files, with+".html")
	}
	t, err := template.New("frame.html").Option("missingkey=error").Funcs(functions).ParseFS(pageFiles, files...)
	if err == nil {
		parsed[name] = t
	}
	return t, err
}

// functions are what pages may call.
var functions = template.FuncMap{
	"asset":   assetPath,
	"field":   newField,
	"number":  phrase.Number,
	"count":   phrase.Count,
	"dict":    dict,
	"options": options,
	"plus":    func(a, b int) int { return a + b },
	"attr":    func(s string) template.HTMLAttr { return template.HTMLAttr(s) },
	// The attributes of a field that takes a name: see pool.CheckName.
	"named": func() template.HTMLAttr {
		return template.HTMLAttr(fmt.Sprintf(`maxlength="%d" autocomplete="off" autocapitalize="none" spellcheck="false"`, pool.MaxName))
	},
}

// dict makes a map of names and values, so that a part of a page can be given several things.
func dict(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

// options makes a choice of values and their texts.
func options(pairs ...string) []option {
	var all []option
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, option{pairs[i], pairs[i+1]})
	}
	return all
}

// frame is what a page is shown in.
type frame struct {
	Title    string
	Merchant string // its title; empty: nobody is signed in
	Called   string // who is signed in
	Helped   bool   // by the operator
	Nav      []place
	Band     *band
	Data     any

	v   *visit
	now time.Time
}

// place is an entry of the navigation.
type place struct {
	Name, Path string
	Here       bool
}

// places are the parts of the portal, each with the operation that it begins with: who may not
// do that, is not shown it.
var places = []struct{ name, path, does string }{
	{"Home", homePath, ""},
	{"Orders", ordersPath, "list-orders"},
	{"Products", productsPath, "list-products"},
	{"Pools", poolsPath, "list-pools"},
	{"Platforms", platformsPath, "get-account"},
	{"Notices", noticesPath, "list-notices"},
	{"Settings", settingsPath, ""},
}

const homePath = "/portal"

// nav returns the navigation as a visitor sees it.
func nav(v *visit) []place {
	var out []place
	for _, p := range places {
		if p.does == "" && (p.path != settingsPath || settingsNav(v) != nil) || p.does != "" && v.may(p.does) {
			here := v.URL.Path == p.path || p.path != homePath && strings.HasPrefix(v.URL.Path, p.path+"/") || p.path == poolsPath && ofPools(v.URL.Path)
			out = append(out, place{p.name, p.path, here})
		}
	}
	return out
}

// ofPools reports whether an address is of what pools lead to.
func ofPools(path string) bool {
	return slices.ContainsFunc([]string{uploadsPath, jobsPath, blockPath}, func(of string) bool { return strings.HasPrefix(path, of) })
}

// May reports whether the visitor may do an operation.
func (f frame) May(operation string) bool { return f.v != nil && f.v.may(operation) }

// Once is the id of a form: however often its button is pressed, it is done once.
func (frame) Once() template.HTML {
	return template.HTML(`<input type="hidden" name="once" value="` + rand.Text() + `">`)
}

// More is the address of the next page of a list, "" if there is none: this page's with another
// place to begin at.
func (f frame) More(next string) string {
	if next == "" {
		return ""
	}
	query := f.v.URL.Query()
	query.Set("after", next)
	return f.v.URL.Path + "?" + query.Encode()
}

// Time shows a time in the merchant's zone.
func (f frame) Time(at time.Time) template.HTML {
	if at.IsZero() {
		return ""
	}
	local := at.In(f.zone())
	shown := local.Format("2 Jan 2006, 15:04")
	if today := f.now.In(f.zone()); local.Year() == today.Year() && local.YearDay() == today.YearDay() {
		shown = "today, " + local.Format("15:04")
	}
	return template.HTML(`<time datetime="` + at.UTC().Format(time.RFC3339) + `" title="` + template.HTMLEscapeString(local.Format("Monday, 2 January 2006, 15:04:05 MST")) + `">` + shown + `</time>`)
}

// Ago says how long ago something was, within a day; else when.
func (f frame) Ago(at time.Time) template.HTML {
	says, passed := "", f.now.Sub(at)
	switch {
	case passed < time.Minute:
		says = "a moment ago"
	case passed < time.Hour:
		says = phrase.Count(int(passed/time.Minute), "minute") + " ago"
	case passed < 24*time.Hour:
		says = phrase.Count(int(passed/time.Hour), "hour") + " ago"
	default:
		return "on " + f.Time(at)
	}
	return template.HTML(`<time datetime="` + at.UTC().Format(time.RFC3339) + `" title="` + template.HTMLEscapeString(at.In(f.zone()).Format("Monday, 2 January 2006, 15:04:05 MST")) + `">` + says + `</time>`)
}

// Moment shows a time to the second, for timelines.
func (f frame) Moment(at time.Time) template.HTML {
	local := at.In(f.zone())
	shown := local.Format("2 Jan, 15:04:05")
	if local.Year() != f.now.In(f.zone()).Year() {
		shown = local.Format("2 Jan 2006, 15:04")
	}
	return template.HTML(`<time datetime="` + at.UTC().Format(time.RFC3339) + `" title="` + template.HTMLEscapeString(local.Format("Monday, 2 January 2006, 15:04:05 MST")) + `">` + shown + `</time>`)
}

func (f frame) zone() *time.Location {
	if f.v == nil {
		return time.UTC
	}
	return f.v.zone()
}

// zone is the merchant's.
func (v *visit) zone() *time.Location {
	zone, err := time.LoadLocation(v.merchant.TimeZone) // "" is UTC
	if err != nil {
		return time.UTC
	}
	return zone
}

// write answers by a page, or by the address of one.
func (p *portal) write(w http.ResponseWriter, r *http.Request, v *visit, a answer) {
	if a.cookies != nil {
		a.cookies(w)
	}
	if a.see != "" {
		http.Redirect(w, r, a.see, http.StatusSeeOther)
		return
	}
	if a.alone != "" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", a.policy)
		io.WriteString(w, a.alone)
		return
	}
	if a.file != nil {
		w.Header().Set("Content-Type", a.file.media)
		w.Header().Set("Content-Disposition", `attachment; filename="`+a.file.name+`"`)
		io.WriteString(w, a.file.content)
		return
	}
	if a.json != nil {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(a.json)
		return
	}
	if a.sends != "" {
		w.Header().Set("Content-Security-Policy", policyFor(a.sends))
	}
	f := frame{Title: a.title, Band: a.band, Data: a.data, v: v, now: p.now()}
	if v != nil {
		f.Merchant, f.Called, f.Helped, f.Nav = v.merchant.Title, v.Called, v.Session.By != "", nav(v)
	}
	var page bytes.Buffer
	t, err := pageOf(a.page, a.with)
	if err == nil {
		err = t.Execute(&page, f)
	}
	if err != nil {
		panic(err) // every page is shown in a test; the server answers, and logs no value
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	w.Write(page.Bytes())
}
