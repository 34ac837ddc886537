package main

import (
	"crypto/rand"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/lambdatest"
	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// stockCalls are the calls of pools, key files and keys.
func (s *sandbox) stockCalls() []screenCall {
	brief := func() url.Values {
		err := s.Store.PutPool(s.Context(), catalog.Pool{Merchant: lambdatest.Merchant, Name: "brief", Shards: 1})
		if err != nil && !errors.Is(err, catalog.ErrConflict) {
			s.Fatal(err)
		}
		return s.poolForm("brief", true)
	}
	address := func() string { return s.Canaries.Address(canary.Customer) }
	for _, side := range pool.Sides {
		f := order.Fulfillment{
			Version: 1, Merchant: lambdatest.Merchant, Side: side, Account: lambdatest.Account, Origin: "its own id", Order: "home-" + string(side), Line: "1", Product: lambdatest.Product,
			Pool: lambdatest.Pool, Quantity: 1, KeysPerUnit: 1, Wanted: 1, ReceivedAt: time.Now().Add(-2 * time.Hour), Customer: order.Customer{Email: address()},
		}
		f.ID = f.Identity().ID()
		if err := s.Store.Commit(s.Context(), order.Change{After: f}); err != nil {
			s.Fatal(err)
		}
	}
	return []screenCall{
		{"/portal", nil, []string{setting}},
		{"/portal/first-steps/leave", func() url.Values { return url.Values{} }, nil},
		{"/portal/pools", nil, []string{setting}},
		{"/portal/pools/elden", nil, []string{setting}},
		{"/portal/pools/elden/settings", func() url.Values { return s.poolForm("elden", true) }, []string{setting}},
		{"/portal/pools/-/new", func() url.Values { return s.poolForm(strings.ToLower(rand.Text()), false) }, []string{setting}},
		{"/portal/pools/elden/delete", func() url.Values { return s.poolForm("elden", true) }, nil}, // it is in use
		{"/portal/pools/brief/delete", brief, nil},
		{"/portal/pools/elden/add", nil, []string{setting}},
		{"/portal/pools/elden/form?side=test&name=keys.txt&size=7", nil, nil},
		{"/portal/arrived?key=uploads/" + lambdatest.Merchant + "/elden/ticket-0123456789abcdef/keys.txt", nil, nil},
		{"/portal/pools/elden/paste", func() url.Values { return url.Values{"text": {strings.Join(s.Keys(2), "\n")}} }, nil},
		{"/portal/uploads", nil, nil},
		{"/portal/uploads/" + s.upload(upload.Finished), nil, nil},
		{"/portal/uploads/" + s.upload(upload.Loading), nil, nil},
		{"/portal/uploads/" + s.upload(upload.Finished) + "/left-out", nil, nil},
		{"/portal/uploads/" + s.upload(upload.NeedsConfirmation) + "/load", func() url.Values { return url.Values{"skip_heading": {"yes"}} }, nil},
		{"/portal/uploads/" + s.upload(upload.Finished) + "/withdraw", func() url.Values { return url.Values{} }, nil},
		{"/portal/pools/elden/move", nil, nil},
		{"/portal/pools/elden/move?to=" + lambdatest.DryPool, nil, nil},
		{"/portal/pools/elden/move", func() url.Values { return url.Values{"to": {lambdatest.DryPool}, "count": {"1"}} }, nil},
		{"/portal/pools/elden/export", nil, nil},
		{"/portal/pools/elden/export?which=sold", nil, nil},
		{"/portal/pools/elden/export", func() url.Values { return url.Values{"which": {"unsold"}} }, nil},
		{"/portal/keys/block", nil, nil},
		{"/portal/keys/block", func() url.Values { return url.Values{"keys": {strings.Join(s.Keys(2), "\n")}} }, []string{canary.Key}}, // it asks once more, with what was typed
		{"/portal/keys/block", func() url.Values { return url.Values{"keys": {strings.Join(s.Keys(2), "\n")}, "sure": {"yes"}} }, nil},
		{"/portal/jobs", nil, nil},
		{"/portal/jobs/" + s.exported(), nil, nil},
		{"/portal/jobs/" + s.exported() + "/link", func() url.Values { return url.Values{} }, nil},
		{"/portal/jobs/" + s.exported() + "/cancel", func() url.Values { return url.Values{} }, nil},
		{"/portal/test-data/wipe", func() url.Values { return url.Values{} }, nil},
	}
}

// poolForm is the form of a pool as it stands.
func (s *sandbox) poolForm(name string, known bool) url.Values {
	s.Helper()
	form := url.Values{"name": {name}, "title": {s.Canaries.New(setting)}, "low_stock": {"3"}, "reminder_hours": {"24"}}
	if known {
		is, _, err := s.Store.Pool(s.Context(), lambdatest.Merchant, name)
		if err != nil {
			s.Fatal(err)
		}
		form.Set("version", strconv.Itoa(is.Version))
	}
	return form
}

// upload plants a key file, and returns its id.
func (s *sandbox) upload(state upload.State) string {
	s.Helper()
	u := upload.Upload{
		Merchant: lambdatest.Merchant, ID: "20261123T092955-" + strings.ToLower(rand.Text()[:16]), File: "keys.txt", Pool: lambdatest.Pool, Side: pool.Live,
		State: state, Ranges: 1, ReceivedAt: time.Now(),
	}
	if state == upload.NeedsConfirmation {
		u.Seen.Asked = []upload.Finding{{Trait: upload.Heading, Lines: 1, First: 1}}
	}
	if ok, err := s.Store.MoveUpload(s.Context(), "", u, nil); !ok || err != nil {
		s.Fatal(ok, err)
	}
	return u.ID
}

// exported plants a job whose file can be fetched, and returns its id.
func (s *sandbox) exported() string {
	s.Helper()
	now := time.Now()
	j := job.Job{Merchant: lambdatest.Merchant, ID: job.NewID(s.Context(), now), Kind: job.Export, Pool: lambdatest.Pool, Side: pool.Live, Choice: job.Choice{Which: job.Unsold, Format: job.CSV}, CreatedAt: now}
	err := s.Store.StartJob(s.Context(), j)
	if err == nil {
		j, err = s.Store.TakeJob(s.Context(), j.Merchant, j.ID, now)
	}
	if err == nil {
		j.Done, j.FinishedAt = true, now
		err = s.Store.EndJob(s.Context(), j)
	}
	if err != nil {
		s.Fatal(err)
	}
	return j.ID
}
