package review_test

import (
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/notice"
	"keypool/shared/review"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// counter is a merchant whose sales are watched.
type counter struct {
	*testing.T
	store *dynamo.Store
	sales *review.Sales
	now   time.Time
	told  func() int // notices of days that have sold far more than others
}

func open(t *testing.T, rules catalog.Review) *counter {
	t.Helper()
	t.Parallel()
	store, tables := dynamotest.Open(t)
	c := &counter{T: t, store: store, now: noon}
	c.sales = &review.Sales{Store: store, Brakes: store, Notices: store, Now: func() time.Time { return c.now }}
	c.told = func() int {
		return len(dynamotest.Partitions(t, tables.Orders, "notice#nova#"+string(notice.BigDay)+"#"))
	}
	rules.Merchant = "nova"
	if err := store.PutReview(t.Context(), rules); err != nil {
		t.Fatal(err)
	}
	return c
}

// sell sells keys so many days before today.
func (c *counter) sell(daysAgo, keys int) {
	c.Helper()
	c.now = noon.AddDate(0, 0, -daysAgo)
	if err := c.sales.Sold(c.Context(), "nova", keys); err != nil {
		c.Fatal(err)
	}
}

func (c *counter) brake() catalog.Brake {
	c.Helper()
	now, err := c.store.Review(c.Context(), "nova")
	if err != nil {
		c.Fatal(err)
	}
	return now.Brake
}

// A day is out of the ordinary beyond five times the best of the fourteen days before it,
// and 100 keys.
func TestSales_aDayLikeOthersIsNotTold(t *testing.T) {
	c := open(t, catalog.Review{})
	c.sell(15, 1000) // too long ago to count
	told := c.told()
	c.sell(14, 30)
	c.sell(1, 100)
	c.sell(0, 500)
	if c.told() != told {
		t.Error("five times the best day before is told")
	}
	c.sell(0, 1)
	c.sell(0, 1000)
	if c.told() != told+1 {
		t.Errorf("a day beyond that is told %d times", c.told()-told)
	}
	if c.brake().Set() {
		t.Error("the brake set itself")
	}
}

func TestSales_brakesItselfIfChosen(t *testing.T) {
	for _, chosen := range []bool{false, true} {
		t.Run(map[bool]string{true: "chosen", false: "not chosen"}[chosen], func(t *testing.T) {
			c := open(t, catalog.Review{BrakesItself: chosen})
			c.sell(0, 100)
			if c.brake().Set() || c.told() > 0 {
				t.Error("100 keys are out of the ordinary")
			}
			c.sell(0, 1)
			if c.brake().Set() != chosen || c.told() != 1 {
				t.Errorf("after 101 keys the brake is %+v, told %d times", c.brake(), c.told())
			}
			off := c.brake()
			off.ReleasedAt, off.ReleasedBy = noon, "ada"
			if err := c.store.ReleaseBrake(t.Context(), "nova", off); err != nil {
				t.Fatal(err)
			}
			c.sell(0, 100)
			if c.brake().Set() {
				t.Error("it was taken off, and set itself again on the same day")
			}
		})
	}
}
