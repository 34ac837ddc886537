package web

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
)

// Errors of Form. Neither holds anything of the form.
var (
	ErrForm      = errors.New("a form that cannot be read")
	ErrFormLarge = errors.New("a form that is larger than the page's can be")
)

// Form returns the values of a page's form, which may take up to most bytes. What is sent in
// another encoding is ErrForm and no empty form: a setting would be stored as one that holds
// nothing.
func Form(r *http.Request, most int64) (url.Values, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.ContentLength != 0 && (err != nil || kind != "application/x-www-form-urlencoded") {
		return nil, ErrForm
	}
	r.Body = http.MaxBytesReader(nil, r.Body, most)
	if err := r.ParseForm(); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, ErrFormLarge
		}
		return nil, ErrForm // the error quotes the form
	}
	return r.PostForm, nil
}
