package main

import (
	"keypool/shared/pool"
	"keypool/shared/settings"
)

func (p *portal) addKeyScreens() []screen {
	return []screen{
		{pattern: "GET /portal/pools/{pool}/add", does: "create-upload", serve: p.addKeys},
		{pattern: "POST /portal/pools/{pool}/paste", does: "add-keys", serve: p.pasteKeys},
	}
}

// addData is what the page that adds keys shows.
type addData struct {
	Path   string
	Name   string
	Test   bool
	Form   form
	Most   int // bytes that may be pasted
	MayAsk bool
}

func (p *portal) addPage(v *visit, f form) (answer, error) {
	is, err := p.pools.Get(v.Context(), v.Merchant, v.PathValue("pool"))
	if err != nil {
		return answer{}, err
	}
	data := addData{Path: poolPath(is.Name), Name: is.Name, Test: sideOf(v.URL.Query()) == pool.Test || sideOf(v.form) == pool.Test, Form: f, Most: settings.MaxPasted}
	return answer{page: "add", title: "Add keys", data: data}, nil
}

func (p *portal) addKeys(v *visit) (answer, error) { return p.addPage(v, form{}) }

// pasteKeys takes a text with keys. It becomes a file in the bucket, and is read as any file is.
func (p *portal) pasteKeys(v *visit) (answer, error) {
	to := pool.ID{Merchant: v.Merchant, Pool: v.PathValue("pool"), Side: sideOf(v.form)}
	id, err := p.keys.AddPasted(v.Context(), to, v.form.Get("text"))
	if sent, ok := again(v.form, err); ok {
		a, err := p.addPage(v, sent)
		a.status = 422
		return a, err
	}
	if err != nil {
		return answer{}, err
	}
	return answer{see: uploadPath(id)}, nil
}
