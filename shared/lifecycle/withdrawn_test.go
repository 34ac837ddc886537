package lifecycle_test

import (
	"context"
	"testing"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/job"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// withdrawUpload withdraws the upload that all keys of the tests came from.
func (s *shop) withdrawUpload() {
	s.Helper()
	const id = "upload of a test"
	u := upload.Upload{Merchant: "acme", ID: id, Pool: "elden", Side: pool.Live, State: upload.Finished, Ranges: 1}
	_, err := s.store.MoveUpload(s.Context(), "", u, nil)
	s.must(err)
	_, err = s.store.StartWithdrawal(s.Context(), job.Job{Merchant: "acme", ID: "j", Kind: job.Withdraw, Upload: id, CreatedAt: s.at, DueAt: s.at})
	s.must(err)
}

// lateWithdrawal withdraws the upload when a return has looked at it, and before its keys are
// for sale again.
type lateWithdrawal struct {
	lifecycle.Uploads
	withdraw func()
}

func (l *lateWithdrawal) KeySources(ctx context.Context, merchant string, ids []pool.KeyID) (map[pool.KeyID]pool.Source, error) {
	found, err := l.Uploads.KeySources(ctx, merchant, ids)
	if l.withdraw != nil {
		l.withdraw()
		l.withdraw = nil
	}
	return found, err
}

// A key whose upload was withdrawn after it was sold is not for sale again when it comes back.
func TestReturn_keysOfAWithdrawnUpload(t *testing.T) {
	for name, late := range map[string]bool{"withdrawn before": false, "withdrawn in the middle of the return": true} {
		t.Run(name, func(t *testing.T) {
			s := open(t, 60)
			s.restockBy(order.Restock, "")
			s.pay("1", "1", "game", 50)
			if late {
				s.changes.Uploads = &lateWithdrawal{s.store, s.withdrawUpload}
			} else {
				s.withdrawUpload()
			}
			s.returnOrder("1", "R1")
			s.available(10)
			if books := dynamotest.Audit(t, s.tables); books.Revoked != 50 || books.Available != 10 {
				t.Errorf("%d keys are revoked, and %d for sale", books.Revoked, books.Available)
			}
		})
	}
}

// More keys than one transaction may look at the uploads of are for sale again all the same.
func TestReturn_manyKeysForSaleAgain(t *testing.T) {
	s := open(t, 300)
	s.restockBy(order.Restock, "")
	s.pay("1", "1", "game", 250)
	s.returnOrder("1", "R1")
	s.available(300)
}

// A key that was blocked after it was sold is not for sale again when it comes back.
func TestReturn_blockedKeys(t *testing.T) {
	for name, late := range map[string]bool{"blocked before": false, "blocked in the middle of the return": true} {
		t.Run(name, func(t *testing.T) {
			s := open(t, 60)
			s.restockBy(order.Restock, "")
			line := s.pay("1", "1", "game", 5)
			block := func() { s.must(s.store.BlockKey(t.Context(), line.Keys[0].ID, "a token", s.at)) }
			if late {
				s.changes.Uploads = &lateWithdrawal{s.store, block}
			} else {
				block()
			}
			s.returnOrder("1", "R1")
			s.available(59)
			if books := dynamotest.Audit(t, s.tables); books.Revoked != 1 {
				t.Errorf("%d keys are revoked", books.Revoked)
			}
		})
	}
}
