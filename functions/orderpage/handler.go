package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"keypool/shared/catalog"
	"keypool/shared/link"
	"keypool/shared/orderpage"
	"keypool/shared/retry"
	"keypool/shared/web"
)

// site serves the pages of orders.
type site struct{ pages *orderpage.Pages }

func (s *site) serve() http.Handler {
	t := &web.Router{}
	t.HandleFunc("GET "+link.PagePath+"{token}", s.open)
	t.HandleFunc("POST "+link.PagePath+"{token}/keys", s.keys)
	t.HandleFunc("POST "+link.PagePath+"{token}/send", s.send)
	t.HandleFunc("GET "+link.LostPath+"{merchant}", s.lostForm)
	t.HandleFunc("POST "+link.LostPath+"{merchant}", s.lost)
	// What a page may load stands in a policy of its own.
	return web.Guard(t, "default-src 'none'; frame-ancestors 'none'", "no-referrer")
}

// open shows the page without its keys.
func (s *site) open(w http.ResponseWriter, r *http.Request) {
	view, err := s.pages.Open(r.Context(), r.PathValue("token"), web.CallerAddress(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := newPage(r, view)
	p.Sent = r.URL.Query().Has("sent")
	write(w, http.StatusOK, p)
}

// keys shows the page with its keys, or gives them as a text.
func (s *site) keys(w http.ResponseWriter, r *http.Request) {
	form, err := web.Form(r, maxForm)
	var view orderpage.View
	if err == nil {
		view, err = s.pages.Show(r.Context(), r.PathValue("token"), web.CallerAddress(r))
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := newPage(r, view)
	p.Opened = true
	if form.Get("as") == "text" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="keys.txt"`)
		io.WriteString(w, p.text())
		return
	}
	write(w, http.StatusOK, p)
}

// send has the mail sent again, and leads back to the page.
func (s *site) send(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	if _, err := s.pages.Send(r.Context(), token, web.CallerAddress(r)); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, link.PagePath+token+"?sent", http.StatusSeeOther)
}

// lostForm asks for the address and the number of an order.
func (s *site) lostForm(w http.ResponseWriter, r *http.Request) {
	m, err := s.pages.Shop(r.Context(), r.PathValue("merchant"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := shopPage(r, m)
	p.Lost, p.Done = true, r.URL.Query().Has("done")
	write(w, http.StatusOK, p)
}

// lost has the mail sent again. Its answer is the same whether there is such an order.
func (s *site) lost(w http.ResponseWriter, r *http.Request) {
	form, err := web.Form(r, maxForm)
	var m catalog.Merchant
	if err == nil {
		m, err = s.pages.Shop(r.Context(), r.PathValue("merchant"))
	}
	if err == nil {
		number, address := strings.TrimSpace(form.Get("order")), strings.TrimSpace(form.Get("email"))
		err = s.pages.Lost(r.Context(), m, number, strings.ToLower(address), web.CallerAddress(r))
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, link.LostPath+m.Name+"?done", http.StatusSeeOther)
}

// fail answers by a page. What is ours to mend is in the log alone.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	p, status := page{say: wordsFor(r), words: wordsFor(r).Page}, http.StatusInternalServerError
	switch {
	case errors.Is(err, link.ErrInvalid):
		status, p.Title, p.Says = http.StatusNotFound, p.words.WrongTitle, p.words.Wrong
	case errors.Is(err, web.ErrForm), errors.Is(err, web.ErrFormLarge):
		status, p.Title, p.Says = http.StatusBadRequest, p.words.FaultTitle, p.words.Fault
	case errors.Is(err, orderpage.ErrTooOften):
		w.Header().Set("Retry-After", "3600")
		status, p.Title, p.Says = http.StatusTooManyRequests, p.words.OftenTitle, p.words.Often
	case isBusy(err):
		w.Header().Set("Retry-After", "2")
		slog.WarnContext(r.Context(), "request.deferred", "route", r.Pattern, "error", err)
		status, p.Title, p.Says = http.StatusServiceUnavailable, p.words.FaultTitle, p.words.Fault
	default:
		slog.ErrorContext(r.Context(), "request.failed", "route", r.Pattern, "error", err)
		p.Title, p.Says = p.words.FaultTitle, p.words.Fault
	}
	write(w, status, p)
}

// isBusy reports whether the same will do in a moment.
func isBusy(err error) bool {
	for _, busy := range []error{retry.ErrThrottled, retry.ErrChanged, context.DeadlineExceeded} {
		if errors.Is(err, busy) {
			return true
		}
	}
	return false
}

func write(w http.ResponseWriter, status int, p page) {
	body, policy := p.html()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// maxForm is more than the page's forms have.
const maxForm = 4 << 10

// languagesOf returns what languages a browser wants, the one that it wants most first.
func languagesOf(r *http.Request) []string {
	type wish struct{ tag, weight string }
	var wishes []wish
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, parameters, _ := strings.Cut(strings.TrimSpace(part), ";")
		_, weight, given := strings.Cut(strings.ReplaceAll(parameters, " ", ""), "q=")
		if !given {
			weight = "1"
		}
		if len(wishes) < maxWishes && tag != "" && tag != "*" && strings.Trim(weight, "0.") != "" {
			wishes = append(wishes, wish{strings.TrimSpace(tag), weight})
		}
	}
	// Weights are 0.9, 0.85 or 1: their texts sort as their numbers do.
	slices.SortStableFunc(wishes, func(a, b wish) int { return strings.Compare(b.weight, a.weight) })
	tags := make([]string, len(wishes))
	for i, w := range wishes {
		tags[i] = w.tag
	}
	return tags
}

const maxWishes = 10
