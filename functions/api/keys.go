package main

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/inventory"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// FindKeys names the keys to find by their texts.
type FindKeys struct {
	Keys []string `json:"keys" nullable:"false" minItems:"1" maxItems:"20" doc:"The texts of keys, as customers have them. White space around a text does not matter. No text is logged, stored or answered."`
}

// KeyList holds the keys that were found.
type KeyList struct {
	Items   []Key `json:"items" nullable:"false"`
	Unknown []int `json:"unknown,omitempty" nullable:"false" doc:"Which of the texts are of no key, counted from 1."`
}

// Key is what became of a key.
type Key struct {
	Key       int        `json:"key" doc:"Which of the texts it is, counted from 1. The live and the test side may each have a key of one text."`
	KeyID     string     `json:"key_id" doc:"The key's name, which tells nothing of its text. replace-key takes it."`
	Side      string     `json:"side" enum:"live,test"`
	Pool      string     `json:"pool,omitempty"`
	State     string     `json:"state" enum:"available,claimed,revoked,kept,shared,withdrawn" doc:"available: for sale. claimed: an order line holds it. revoked: a line gave it back, and nobody may use it. kept: a line gave it back, and its customer may go on using it. shared: it is the code of a product for all its orders, or was; see code_of. withdrawn: taken out of sale before it was sold, or blocked before it was ever uploaded."`
	BlockedAt time.Time  `json:"blocked_at,omitzero" doc:"When it was blocked. It is not sold from then on; an order line that had it by then keeps it."`
	CodeOf    string     `json:"code_of,omitempty" doc:"The product that it is the code of, or was last: every order of that may have it, and none is named here. list-orders lists them, by product."`
	Current   bool       `json:"current,omitempty" doc:"It is that product's code now."`
	Upload    *KeySource `json:"upload,omitempty" doc:"The key file that brought it."`
	Sold      *KeySale   `json:"sold,omitempty" doc:"The order line that holds it, or held it last before it was revoked or kept. Not there while it is for sale."`
	History   []KeyEvent `json:"history" nullable:"false" doc:"What happened to it, oldest first."`
}

// KeySource is where a key came from.
type KeySource struct {
	ID   string `json:"id"`
	File string `json:"file,omitempty" doc:"The file's name."`
	Line int    `json:"line,omitempty" doc:"Its line in the file, counted from 1; of a .csv file its row. Not there while the part of the file before it is still being read."`
}

// KeySale is the order line that a key was sold to.
type KeySale struct {
	Order   string    `json:"order" doc:"As the platform names it."`
	Account string    `json:"account" doc:"The account with a payment platform that it was paid through; by-hand if somebody fulfilled it by hand."`
	Line    string    `json:"line" doc:"As the platform names it; the product where it names none."`
	LineID  string    `json:"line_id" doc:"Keypool's name for the line."`
	Product string    `json:"product"`
	SoldAt  time.Time `json:"sold_at" doc:"When the order came in."`
}

// KeyEvent is one thing that happened to a key.
type KeyEvent struct {
	At     time.Time `json:"at"`
	What   string    `json:"what" doc:"uploaded, sold, revoked, kept, restocked, withdrawn, moved, blocked, shared (it became the code of a product) or unshared (it is that no more)."`
	LineID string    `json:"line_id,omitempty" doc:"Keypool's name for the order line that it is about. get-order shows it as id of a line."`
	Job    string    `json:"job,omitempty" doc:"The job that did it: see get-job."`
	By     string    `json:"by,omitempty" doc:"Who did it, or asked for the job."`
}

var sampleFindKeys = FindKeys{Keys: []string{"ELDN-7K2M-4QXT"}}

var sampleKeys = KeyList{Items: []Key{{
	Key: 1, KeyID: sampleReplace.KeyID, Side: "live", Pool: "elden", State: string(pool.KeyClaimed),
	Upload: &KeySource{ID: sampleUpload.ID, File: sampleUpload.File, Line: 412},
	Sold: &KeySale{
		Order: "A-1001", Account: "shop-eu", Line: "1", LineID: sampleOrders.Items[0].Lines[0].ID, Product: "4711",
		SoldAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC),
	},
	History: []KeyEvent{
		{At: sampleUpload.ReceivedAt, What: string(pool.KeyUploaded)},
		{At: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC), What: string(pool.KeySold), LineID: sampleOrders.Items[0].Lines[0].ID},
	},
}}}

type findKeys struct{ Body FindKeys }

// AddKeys brings keys.
type AddKeys struct {
	Keys []string `json:"keys" nullable:"false" minItems:"1" maxItems:"1000" doc:"The texts of keys, each one line of up to 2,048 bytes. White space around a text is no part of it."`
	Side string   `json:"side,omitempty" enum:"live,test" default:"live" doc:"test: keys for orders marked as a test."`
}

// AddedKeys is the upload that keys became.
type AddedKeys struct {
	Upload string `json:"upload" doc:"The upload that they became. get-upload reports what became of each line, a moment later: line 1 is the first key."`
	Keys   int    `json:"keys" doc:"How many keys were received."`
}

var (
	sampleAddKeys = AddKeys{Keys: []string{"ELDN-0F3A-77QX", "ELDN-9C1D-20PL"}, Side: "live"}
	sampleAdded   = AddedKeys{Upload: "20261123T094512-7c6d5e4f3a2b1908", Keys: 2}
)

type addKeys struct {
	PoolPath
	Body AddKeys
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *addKeys) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckKeys(in.Body.Keys), nil)
}

// addPoolKeys is beside create-upload, among the operations of pools.
func (a *api) addPoolKeys(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "add-keys", Method: http.MethodPost, Path: "/v1/pools/{pool}/keys", Tags: []string{"Uploads"},
		Summary:     "Add up to 1,000 keys",
		Description: "They are loaded and reported as a key file is, seconds later, and count as one in the day's limits: bring many together, or as a file. A key that is known already is not added a second time, and the report says so.",
		Errors:      []int{404}, DefaultStatus: http.StatusAccepted,
		RequestBody: rest.Request(sampleAddKeys), Responses: to.Responses(sampleAdded, 202),
	}, a.addKeysTo)
}

func (a *api) addKeysTo(ctx context.Context, in *addKeys) (*rest.Body[AddedKeys], error) {
	into := pool.ID{Merchant: caller(ctx), Pool: in.Pool, Side: pool.SideOf(in.Body.Side == string(pool.Test))}
	id, err := a.keys.Add(ctx, into, in.Body.Keys)
	return &rest.Body[AddedKeys]{Body: AddedKeys{Upload: id, Keys: len(in.Body.Keys)}}, err
}

func (a *api) addKeys(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "find-keys", Method: http.MethodPost, Path: "/v1/keys/find", Tags: []string{"Keys"},
		Summary:     "Find out what became of keys",
		Description: "For a customer who writes in with a key, or a key that turns up where it should not: the pool and the file that it came from, the order that it was sold to, and what happened to it since. It is 404 if none of the texts is of a key. A text of another merchant's is as unknown as any.",
		Errors:      []int{404}, RequestBody: rest.Request(sampleFindKeys), Responses: to.Responses(sampleKeys, 200),
	}, a.findKeys)
	rest.Register(to, huma.Operation{
		OperationID: "block-keys", Method: http.MethodPost, Path: "/v1/keys/block", Tags: []string{"Keys"},
		Summary:     "Block up to 1,000 keys",
		Description: "For keys that leaked, or that were sold elsewhere: when this is answered, no order gets one any more, of any pool and on either side. A key that is for sale is taken out of sale, or sold to an order of the same moment, and then that is answered. One that an order has stays with it, and is not sold again if it is given back. A text that nobody has uploaded yet is remembered, as a hash: a file, or add-keys, that brings it later is told that the line is blocked. It is done in the call and takes seconds. Called again, also after an error, it goes on where it was; nothing takes a block off again.",
		RequestBody: rest.Request(sampleBlockKeys), Responses: to.Responses(sampleBlocked, 200),
	}, a.blockKeys)
}

func (a *api) findKeys(ctx context.Context, in *findKeys) (*rest.Body[KeyList], error) {
	found, err := a.finder.Find(ctx, caller(ctx), in.Body.Keys)
	if err != nil {
		return nil, err
	}
	out := KeyList{Items: make([]Key, len(found))}
	for i, key := range found {
		out.Items[i] = newKey(key)
	}
	for i := range in.Body.Keys {
		if !slices.ContainsFunc(found, func(k inventory.Found) bool { return k.Text == i }) {
			out.Unknown = append(out.Unknown, i+1)
		}
	}
	return &rest.Body[KeyList]{Body: out}, nil
}

// BlockKeys names keys to block by their texts.
type BlockKeys struct {
	Keys   []string `json:"keys" nullable:"false" minItems:"1" maxItems:"1000" doc:"The texts of keys. White space around a text does not matter. No text is logged, stored or answered."`
	Reason string   `json:"reason,omitempty" maxLength:"200" doc:"Why, in your own words. The audit trail keeps it."`
}

// BlockedKeys says what became of keys that were blocked.
type BlockedKeys struct {
	Withdrawn int           `json:"withdrawn" doc:"Keys that were for sale until now."`
	Unknown   int           `json:"unknown" doc:"Texts that nobody has uploaded yet, and that are refused from now on."`
	Before    int           `json:"before" doc:"Texts that were blocked before."`
	Sold      int           `json:"sold" doc:"Keys that order lines have, or had last, also of texts that were blocked before."`
	Codes     []BlockedCode `json:"codes,omitempty" nullable:"false" doc:"Codes of products, also of texts that were blocked before. Orders that come wait until another is set: put-code."`
	Orders    []Key         `json:"orders,omitempty" doc:"Those keys with their orders, as find-keys answers them. Only for a token with its scope, keys:read."`
}

// BlockedCode is a code of a product that is blocked.
type BlockedCode struct {
	Key     int    `json:"key" doc:"Which of the texts it is, counted from 1."`
	Product string `json:"product" doc:"Whose code it is, or was last."`
	Side    string `json:"side" enum:"live,test"`
	Current bool   `json:"current,omitempty" doc:"It is that product's code now: set another."`
}

var (
	sampleBlockKeys = BlockKeys{Keys: []string{"ELDN-7K2M-4QXT", "ELDN-0F3A-77QX", "ELDN-9C1D-20PL"}, Reason: "posted in a forum"}
	sampleBlocked   = BlockedKeys{Withdrawn: 1, Unknown: 1, Sold: 1, Orders: sampleKeys.Items}
)

type blockKeys struct{ Body BlockKeys }

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *blockKeys) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckKeys(in.Body.Keys), nil)
}

func (a *api) blockKeys(ctx context.Context, in *blockKeys) (*rest.Body[BlockedKeys], error) {
	by := access.From(ctx)
	blocked, err := a.blocker.Block(ctx, by.Merchant, in.Body.Keys, by.Name, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	out := BlockedKeys{Withdrawn: blocked.Withdrawn, Unknown: blocked.Unknown, Before: blocked.Before, Sold: len(blocked.Sold)}
	for _, key := range blocked.Codes {
		out.Codes = append(out.Codes, BlockedCode{Key: key.Text + 1, Product: key.CodeOf, Side: string(key.Side), Current: key.Current})
	}
	if by.May("find-keys") == nil {
		for _, key := range blocked.Sold {
			out.Orders = append(out.Orders, newKey(key))
		}
	}
	return &rest.Body[BlockedKeys]{Body: out}, nil
}

func newKey(k inventory.Found) Key {
	key := Key{Key: k.Text + 1, KeyID: string(k.ID), Side: string(k.Side), Pool: k.Pool, State: string(k.State), BlockedAt: k.BlockedAt, CodeOf: k.CodeOf, Current: k.Current, History: []KeyEvent{}}
	if k.Upload != "" {
		key.Upload = &KeySource{ID: k.Upload, File: k.File.File, Line: k.FileLine}
	}
	if f := k.Sold; f != nil {
		key.Sold = &KeySale{Order: f.Order, Account: f.Account, Line: f.Line, LineID: string(f.ID), Product: f.Product, SoldAt: k.SoldAt}
	}
	for _, e := range k.History {
		event := KeyEvent{At: e.At, What: string(e.What), By: e.By}
		if e.ByJob() {
			event.Job = e.About
		} else {
			event.LineID = e.About
		}
		key.History = append(key.History, event)
	}
	return key
}
