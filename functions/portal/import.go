package main

import (
	"errors"
	"net/http"
	"strings"

	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/phrase"
	"keypool/shared/settings"
	"keypool/shared/web/bodies"
	"keypool/shared/web/strict"
)

const (
	importPath = settingsPath + "/import"
	applyPath  = importPath + "/apply"
	exportPath = importPath + "/catalog.json"
)

// maxDocument is the most that a form with a catalog may hold, in bytes: the gateway hands a
// function 6 MB, in which a form is written in base64.
const maxDocument = 4 << 20

// The errors of catalogs.
var (
	errDocumentLarge = errors.New("a catalog that is larger than a form can be")
	errExportLarge   = errors.New("a catalog that is larger than an answer can be")
)

// differencesShown is how many differences a page tells, valueShown how many characters of a value.
const differencesShown, valueShown = 100, 300

func (p *portal) importScreens() []screen {
	return []screen{
		// A document can change accounts, and how long customers are kept: what is for who signed in
		// a moment ago elsewhere. The form is, too, so that what was typed there is not lost.
		{pattern: "GET " + importPath, does: "get-catalog", fresh: true, serve: func(v *visit) (answer, error) { return importPage(v, nil) }},
		{pattern: "GET " + exportPath, does: "get-catalog", serve: p.exportCatalog},
		{pattern: "POST " + importPath, does: "put-catalog", fresh: true, reads: true, largest: maxDocument, serve: p.compareCatalog},
		{pattern: "POST " + applyPath, does: "put-catalog", fresh: true, largest: maxDocument, serve: p.applyCatalog},
	}
}

// catalogs reads and replaces all settings as one.
func (p *portal) catalogs() *settings.Catalogs {
	return &settings.Catalogs{
		Merchants: p.own, Pools: p.pools, Products: p.goods, Texts: p.texts, Reviews: p.reviews, OrderPages: p.orderPages, Retentions: p.retention, Accounts: p.accounts,
	}
}

// importData is the form for a document, with what is wrong in the one that was sent.
type importData struct {
	Document string
	Force    bool
	Problems []settings.Problem
	More     int // problems that are not told
}

// importPage is the page of the form; problems are those of the document that was sent.
func importPage(v *visit, problems []settings.Problem) (answer, error) {
	a := answer{page: "import", title: "Import and export", band: done(v, map[string]band{
		"applied": {Says: "Done. All settings are as the document says."},
		"same":    {Says: "Nothing was changed: all settings are as the document says already."},
	})}
	d := importData{Document: v.form.Get("document"), Force: v.form.Get("force") != "", Problems: problems}
	if len(problems) > 0 {
		a.status = http.StatusUnprocessableEntity
	}
	if most := differencesShown; len(problems) > most {
		d.Problems, d.More = problems[:most], len(problems)-most
	}
	a.data = d
	return a, nil
}

// exportCatalog is the document that get-catalog answers.
func (p *portal) exportCatalog(v *visit) (answer, error) {
	c, err := p.catalogs().Get(v.Context(), v.Merchant)
	if err != nil {
		return answer{}, err
	}
	content, err := bodies.Encode(bodies.NewCatalog(c))
	if err == nil && len(content) > bodies.LargestCatalog {
		err = errExportLarge
	}
	return answer{file: &file{"catalog.json", strict.JSON, string(content)}}, err
}

// differenceData is what a document would change.
type differenceData struct {
	importData
	Tag       string // of the settings that it was compared with
	Rows      []entryRow
	Left      int    // differences that are not told
	Sum       string // "1 added, 2 changed"
	Erases    bool   // it changes how long customers are kept
	Stop      bool   // it takes something away
	Meanwhile bool   // the settings have changed since the difference was shown
	Cut       string // how far the change came before it ended; "": it was not begun
}

// readChange returns the change that the form's document describes.
func readChange(v *visit) (settings.CatalogChange, *strict.Document, error) {
	read, document, err := bodies.ReadCatalog(strict.JSON, []byte(strings.ReplaceAll(v.form.Get("document"), "\r\n", "\n")))
	if err != nil {
		return settings.CatalogChange{}, read, err
	}
	change := document.Change()
	change.By, change.Force = v.Principal, v.form.Get("force") != ""
	return change, read, nil
}

func (p *portal) compareCatalog(v *visit) (answer, error) {
	return p.differencePage(v, differenceData{}, 0)
}

// differencePage shows what the form's document would change, from the settings as they are.
func (p *portal) differencePage(v *visit, d differenceData, status int) (answer, error) {
	change, read, err := readChange(v)
	var differences []settings.Difference
	if err == nil {
		differences, err = p.catalogs().Put(v.Context(), change, func(now settings.Catalog) bool {
			d.Tag, _ = bodies.CatalogTag(now)
			return true
		}, true)
		err = bodies.WithLines(err, read)
	}
	if problems := problemsOf(err); problems != nil {
		return importPage(v, problems)
	}
	if err != nil {
		return answer{}, err
	}
	d.importData = importData{Document: v.form.Get("document"), Force: change.Force}
	counts := map[audit.Change]int{}
	for i, one := range differences {
		counts[one.Change]++
		d.Erases = d.Erases || one.Thing == audit.Retention
		if i < differencesShown {
			d.Rows = append(d.Rows, differenceRow(one))
		}
	}
	d.Stop = d.Erases || counts[audit.Removed] > 0
	d.Left = len(differences) - len(d.Rows)
	var sum []string
	for _, kind := range []audit.Change{audit.Added, audit.Changed, audit.Removed} {
		if n := counts[kind]; n > 0 {
			sum = append(sum, phrase.Number(n)+" "+string(kind))
		}
	}
	d.Sum = strings.Join(sum, ", ")
	return answer{page: "difference", title: "What would change", status: status, data: d}, nil
}

// differenceRow shows a difference as the audit trail shows a change.
func differenceRow(d settings.Difference) entryRow {
	e := audit.Entry{Thing: d.Thing, Name: d.Name, Change: d.Change, Before: catalog.Shown{}, After: catalog.Shown{}}
	for _, name := range d.Fields {
		for from, to := range map[*catalog.Shown]catalog.Shown{&d.Before: e.Before, &d.After: e.After} {
			if value, there := (*from)[name]; there {
				to[name] = value
			}
		}
	}
	row := newEntryRow(e)
	for i := range row.Fields {
		f := &row.Fields[i]
		f.Before, f.After = shorten(f.Before), shorten(f.After)
	}
	return row
}

// shorten cuts a long value, such as a text.
func shorten(value string) string {
	if runes := []rune(value); len(runes) > valueShown {
		return string(runes[:valueShown]) + "…"
	}
	return value
}

// problemsOf returns the mistakes in a document; nil: the error is another one.
func problemsOf(err error) []settings.Problem {
	var cut *settings.CutOffError
	var wrong *settings.InvalidError
	if errors.As(err, &cut) || !errors.As(err, &wrong) {
		return nil
	}
	return wrong.Problems
}

// applyCatalog makes the change that was shown, if the settings are still as they were then.
func (p *portal) applyCatalog(v *visit) (answer, error) {
	change, read, err := readChange(v)
	var differences []settings.Difference
	if err == nil {
		differences, err = p.catalogs().Put(v.Context(), change, func(now settings.Catalog) bool {
			tag, err := bodies.CatalogTag(now)
			return err == nil && tag == v.form.Get("tag")
		}, false)
		err = bodies.WithLines(err, read)
	}
	var cut *settings.CutOffError
	var inUse *settings.InUseError
	switch problems := problemsOf(err); {
	case problems != nil:
		return importPage(v, problems)
	case errors.As(err, &cut):
		return p.differencePage(v, differenceData{Cut: phrase.Number(cut.Done) + " of " + phrase.Count(cut.Of, "step")}, http.StatusServiceUnavailable)
	case errors.Is(err, catalog.ErrConflict), errors.As(err, &inUse):
		return p.differencePage(v, differenceData{Meanwhile: true}, http.StatusConflict)
	case err == nil && len(differences) == 0:
		return answer{see: importPath + "?done=same"}, nil
	}
	return answer{see: importPath + "?done=applied"}, err
}
