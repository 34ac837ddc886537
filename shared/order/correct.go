package order

import (
	"errors"
	"slices"
	"time"
)

// MaxCorrections is how often the address of a line can be corrected.
const MaxCorrections = 10

// The limits of corrections in an hour. A shop mends more typing errors in no hour, and
// whoever has stolen its token gets the keys of no more orders than that before its owner
// has read the notice.
const (
	CorrectionsOfOrder    = 3
	CorrectionsOfMerchant = 30
)

// ErrCorrections means that the address of a line was corrected MaxCorrections times.
var ErrCorrections = errors.New("the address was corrected too often")

// CorrectionLimitError means that no further address may be corrected in this hour.
type CorrectionLimitError struct {
	OfOrder bool          // else the merchant's
	In      time.Duration // until the hour ends
}

func (e *CorrectionLimitError) Error() string {
	if e.OfOrder {
		return "the addresses of the order were corrected too often in this hour"
	}
	return "too many addresses were corrected in this hour"
}

// CorrectAddress has the line's mails go to another address from now on. Hash is that of the
// new one. The former one is kept: a repeat of the order's webhook brings it again.
func (f *Fulfillment) CorrectAddress(email, hash string) error {
	if len(f.Former) >= MaxCorrections {
		return ErrCorrections
	}
	f.Former = append(f.Former[:len(f.Former):len(f.Former)], f.Customer.Email)
	f.FormerHashes = append(slices.Clone(f.FormerHashes), f.CustomerHash)
	if n := slices.Index(f.FormerHashes, hash); n >= 0 {
		f.FormerHashes[n] = ""
	}
	f.Customer.Email, f.CustomerHash = email, hash
	return nil
}

// Correction names one correction of an order's address: those of its lines that are made by
// one act are one.
type Correction struct {
	Merchant string
	OrderID  string // the first half of its lines' names
	Number   int    // of the line's corrections
	Hash     string // of the new address
	At       time.Time
}

// CorrectionOf returns the correction of a line whose address was corrected now.
func CorrectionOf(f Fulfillment, now time.Time) Correction {
	return Correction{Merchant: f.Merchant, OrderID: f.ID.OrderHalf(), Number: len(f.Former), Hash: f.CustomerHash, At: now}
}
