package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
)

//go:embed inbox.html
var inboxPage string

// inbox serves a page with the machine's mails on loopback, until it is interrupted.
func inbox(ctx context.Context, c *call) error {
	s, _, err := running(ctx, c)
	if err != nil {
		return err
	}
	port := c.setting("PORT", "0")
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return &machine.Fault{Says: "Port " + port + " cannot be listened on.", Try: "make inbox   (it picks a free port)"}
	}
	server := &http.Server{Handler: mailbox(s), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	fmt.Printf("The mails are at http://%s  (Ctrl-C ends it)\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// mailbox serves the list of mails, a mail at /<id>, and its HTML at /<id>/html. That
// HTML may run nothing and load nothing but pictures. Its links open in a tab of their own:
// the pages that they lead to stand in no frame.
func mailbox(s *shop.Shop) http.Handler {
	page := template.Must(template.New("inbox").Funcs(template.FuncMap{
		"join": func(list []string) string { return strings.Join(list, ", ") },
	}).Parse(inboxPage))
	// mails responds with an error itself if the mails cannot be read.
	mails := func(w http.ResponseWriter, r *http.Request) ([]shop.Mail, bool) {
		all, err := s.Mails(r.Context())
		if err != nil {
			http.Error(w, "The one-machine run does not answer: make up", http.StatusBadGateway)
			return nil, false
		}
		slices.Reverse(all)
		return all, true
	}
	find := func(all []shop.Mail, id string) *shop.Mail {
		i := slices.IndexFunc(all, func(m shop.Mail) bool { return m.ID == id })
		if i < 0 {
			return nil
		}
		return &all[i]
	}

	mux := http.NewServeMux()
	show := func(w http.ResponseWriter, r *http.Request) {
		all, ok := mails(w, r)
		if !ok {
			return
		}
		shown := find(all, r.PathValue("id"))
		if shown == nil && r.PathValue("id") != "" {
			http.NotFound(w, r)
			return
		}
		if shown == nil && len(all) > 0 {
			shown = &all[0]
		}
		id := ""
		if shown != nil {
			id = shown.ID
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		page.Execute(w, map[string]any{"Mails": all, "Shown": shown, "ID": id})
	}
	mux.HandleFunc("GET /{$}", show)
	mux.HandleFunc("GET /{id}", show)
	mux.HandleFunc("GET /{id}/html", func(w http.ResponseWriter, r *http.Request) {
		all, ok := mails(w, r)
		if !ok {
			return
		}
		m := find(all, r.PathValue("id"))
		if m == nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src https: data:")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, strings.Replace(m.HTML, "<head>", `<head><base target="_blank">`, 1))
	})
	return mux
}
