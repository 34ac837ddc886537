package main

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/platform"
	"keypool/shared/platform/all"
	"keypool/shared/platform/standard"
	"keypool/shared/sender"
	"keypool/shared/settings"
)

// setUp gives the portal what a shop sets up, with fakes of the systems beyond the tables.
func (w *world) setUp() {
	refill := &settings.Refill{Products: w.store, Queue: &w.fills}
	w.portal.own = &settings.Merchants{Store: w.store, Refill: refill, Now: w.now}
	w.portal.goods = &settings.Products{Store: w.store, Related: w.store, Refill: refill, Now: w.now}
	w.portal.accounts = &settings.Accounts{Store: w.store, Sealer: &w.seals, Heard: w.store, Catchup: &queue{}, Adapters: all.Adapters, Now: w.now}
	w.portal.texts = &settings.Texts{Store: w.store, Merchants: w.store, Products: w.store, Now: w.now}
	w.portal.reviews = &settings.Reviews{Store: w.store, Now: w.now}
	w.portal.retention = &settings.Retentions{Store: w.store, Now: w.now}
	w.portal.orderPages = &settings.OrderPages{Store: w.store, Now: w.now}
	w.portal.senders = &settings.Senders{
		Store: w.store, Identities: &w.domains, Looks: &sender.Looks{Store: w.store, Identities: &w.domains, Now: w.now}, Operator: "keys@keypool.example", Region: "eu-central-1", Now: w.now,
	}
	w.portal.previews = &settings.Previews{Store: w.store, Notices: w.store, Public: publicURL, Now: w.now}
	w.portal.testOrders = &settings.TestOrders{Accounts: w.portal.accounts, Opener: &w.seals, Catalog: w.store, Webhook: standard.TestOrder, Front: &w.front, Now: w.now}
	w.portal.refused, w.portal.publicURL = w.store, publicURL
	w.portal.orders = newOrderDesk(w.store, catalog.NewCached(w.store, w.now), &w.fills, &w.jobs, 1000, w.now)
	w.portal.codes = &settings.Codes{Store: w.store, Refill: refill, Now: w.now}
}

// front takes the webhooks of test orders.
type front struct {
	paths  []string
	bodies []string
	answer platform.Response
	err    error
}

func (f *front) Post(_ context.Context, path string, r platform.Request) (platform.Response, error) {
	f.paths, f.bodies = append(f.paths, path), append(f.bodies, string(r.Body))
	if f.answer.Status == 0 {
		f.answer.Status = 200
	}
	return f.answer, f.err
}

// queue counts messages.
type queue struct {
	mu   sync.Mutex
	sent []any
}

func (q *queue) Send(_ context.Context, message any, _ time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent = append(q.sent, message)
	return nil
}

// seals seals nothing: it keeps what it is given, to be looked at.
type seals struct {
	mu     sync.Mutex
	opened map[string][]byte
}

func (s *seals) Seal(_ context.Context, merchant, account string, secret []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened == nil {
		s.opened = map[string][]byte{}
	}
	blob := merchant + "/" + account + "/" + rand.Text()
	s.opened[blob] = secret
	return []byte(blob), nil
}

func (s *seals) SealCredential(ctx context.Context, merchant, account, name string, credential []byte) ([]byte, error) {
	return s.Seal(ctx, merchant, account+" "+name, credential)
}

func (s *seals) Unseal(_ context.Context, merchant, account string, sealed []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	secret, ok := s.opened[string(sealed)]
	if !ok || !strings.HasPrefix(string(sealed), merchant+"/"+account+"/") {
		return nil, errors.New("sealed for another account")
	}
	return secret, nil
}
