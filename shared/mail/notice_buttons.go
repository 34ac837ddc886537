package mail

import (
	"encoding/base64"
	"net/url"
	"slices"

	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Paths of the Merchant Portal, below its address. A test of the portal follows the button of
// each kind of notice.
const (
	toHome         = ""
	toOrders       = "/orders"
	toHeld         = "/orders?show=on_hold"
	toAttention    = "/orders?show=attention"
	toBrake        = "/orders/brake"
	toRefused      = "/orders/refused"
	toPools        = "/pools"
	toUploads      = "/uploads"
	toJobs         = "/jobs"
	toProducts     = "/products"
	toNewProduct   = "/products/new?id="
	toTexts        = "/texts"
	toPlatforms    = "/platforms"
	toPeople       = "/settings/people"
	toTokens       = "/settings/tokens"
	toMailSettings = "/settings/mail"
	toShop         = "/settings/shop"
)

// button leads to the page of the portal where what the notice tells is mended. What is told to
// the operator has none: the portal is a merchant's. An address in it holds no order's number, no
// mail address and no key, and is of no use to who may not sign in.
func (w noticeWriter) button() button {
	says, path := w.leads()
	if says == "" || w.n.Merchant == "" || w.n.Facts.Portal == "" {
		return button{}
	}
	return button{says, w.n.Facts.Portal + path}
}

// leads returns the words of the button and the path below the portal's address.
func (w noticeWriter) leads() (says, path string) {
	f := w.n.Facts
	switch w.n.Kind {
	case notice.LowStock, notice.Empty:
		return "Add keys now", w.poolPath("/add")
	case notice.UnreadWarning:
		return "Correct the address", w.poolPath("/settings")
	case notice.ChangedWarnings:
		if len(f.Changed) == 1 && f.Count == 1 {
			return "See the pool", toPools + "/" + url.PathEscape(f.Changed[0].Name) + "/settings"
		}
		return "See the pools", toPools
	case notice.Unconnected:
		return w.leadsToProduct()
	case notice.UploadReport, notice.LargeUpload, notice.UploadReminder, notice.UploadLimit:
		return w.leadsToUpload()
	case notice.JobEnded:
		if f.Job.Kind == job.Export && !f.Job.Cut {
			return "Get the file", toJobs + "/" + url.PathEscape(f.Job.ID)
		}
		return "See what it did", toJobs + "/" + url.PathEscape(f.Job.ID)
	case notice.MailLimit:
		return "See what needs you", toHome
	case notice.CallLimit, notice.NewToken, notice.ExpiringToken:
		return "See your tokens", toTokens
	case notice.MailFailed, notice.Bounced:
		return w.leadsToOrder("Correct the address", "See the orders", toAttention)
	case notice.Complained:
		return w.leadsToOrder("See the order", "See the orders", toOrders)
	case notice.HeldForReview:
		return "Release or reject", w.heldPath()
	case notice.PaidBefore, notice.NoAddress:
		return w.leadsToOrder("See the order", "See the orders on hold", toHeld)
	case notice.BigDay:
		if f.Cause == notice.BrakeSet {
			return "Take the brake off", toHeld
		}
		return "Set the brake", toBrake
	case notice.ChangedRepeat, notice.RefundFailed, notice.RefundUnclear, notice.RefundMatched, notice.PaidAfterReturn, notice.PaidAgain,
		notice.RiskAfterKeys, notice.RenewalWaits, notice.AddressMended:
		return w.leadsToOrder("See the order", "See the orders", toAttention)
	case notice.OrderRefused, notice.PaymentIgnored:
		return "See what was wrong", toRefused
	case notice.UnknownEvent:
		return "See what came in", w.accountPath()
	case notice.NotSigned, notice.CatchupFailed, notice.WebhookInactive:
		return "Mend the connection", w.accountPath()
	case notice.NewSecret, notice.ChangedAccount:
		return "See the account", w.accountPath()
	case notice.ChangedText:
		if len(f.Changed) == 1 && f.Count == 1 && f.Changed[0].Name != notice.AllProducts {
			return "See the product", productPath(f.Changed[0].Name)
		}
		return "See the texts", toTexts
	case notice.ChangedPerson:
		return "See the people", toPeople
	case notice.LostInvitation:
		return "Correct the address", toPeople
	case notice.OperatorHelp:
		return "See or end it", toPeople
	case notice.Invitation:
		return "Open the Merchant Portal", toHome
	case notice.SenderState:
		return "See the sender", toMailSettings
	case notice.ChangedAddress:
		if f.Address == "" {
			return "See where notices go", toShop
		}
	case notice.SignIn, notice.SampleMail, notice.KeysElsewhere, notice.Misplaced: // none, or one of its own
	}
	return "", ""
}

func (w noticeWriter) poolPath(page string) string {
	return toPools + "/" + url.PathEscape(w.n.Facts.Pool) + page
}

func productPath(id string) string {
	return toProducts + "/" + base64.RawURLEncoding.EncodeToString([]byte(id))
}

// leadsToOrder leads to the order that the notice is about, else to a list.
func (w noticeWriter) leadsToOrder(says, saysMany, many string) (string, string) {
	if w.n.Facts.OrderID == "" {
		return saysMany, many
	}
	return says, toOrders + "/" + w.n.Facts.OrderID
}

// heldPath leads to the one order on hold, else to all of its side.
func (w noticeWriter) heldPath() string {
	f := w.n.Facts
	switch {
	case f.OrderID != "":
		return toOrders + "/" + f.OrderID
	case f.Side == pool.Test:
		return toHeld + "&side=test"
	}
	return toHeld
}

// leadsToProduct leads to the form that connects the one product, or to the settings of the one
// that ships, else to where each of them has a button.
func (w noticeWriter) leadsToProduct() (says, path string) {
	products := w.n.Facts.Products
	switch {
	case len(products) != 1:
		return "See what needs you", toHome
	case products[0].Ships:
		return "See the product", productPath(products[0].ID)
	}
	return "Choose its pool", toNewProduct + url.QueryEscape(products[0].ID)
}

// leadsToUpload leads to the report of the one file, else to the list.
func (w noticeWriter) leadsToUpload() (says, path string) {
	f := w.n.Facts
	if len(f.Uploads) != 1 || f.Count > 1 {
		return "See the files", toUploads
	}
	if w.cause() == upload.Unclear {
		return "Say how to read it", toUploads + "/" + url.PathEscape(f.Uploads[0])
	}
	return "See the report", toUploads + "/" + url.PathEscape(f.Uploads[0])
}

// accountPath leads to the one account that the notice is about, else to all.
func (w noticeWriter) accountPath() string {
	f := w.n.Facts
	var names []string
	if f.Account != "" {
		names = append(names, f.Account)
	}
	if w.n.Kind == notice.NewSecret || w.n.Kind == notice.ChangedAccount {
		for _, c := range f.Changed {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) != 1 || f.Count > 1 {
		return toPlatforms
	}
	return toPlatforms + "/" + url.PathEscape(names[0])
}
