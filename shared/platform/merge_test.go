package platform_test

import (
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/platform"
)

// What is yielded after the test side has failed for now is marked: a watermark that moved there
// would miss what that side did not tell. One that has to be mended is not waited for.
func TestMerge_aTestSideThatFails(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	list := func(err error, hours ...int) iter.Seq2[platform.Purchase, error] {
		return func(yield func(platform.Purchase, error) bool) {
			for _, hour := range hours {
				if !yield(platform.Purchase{ChangedAt: began.Add(time.Duration(hour) * time.Hour)}, nil) {
					return
				}
			}
			if err != nil {
				yield(platform.Purchase{}, err)
			}
		}
	}
	away := fmt.Errorf("the sandbox: %w", platform.ErrTryAgain)
	for _, test := range []struct {
		live, test error
		want       []string
	}{
		{nil, nil, []string{"1 false", "2 false", "3 false", "4 false"}},
		{nil, away, []string{"1 false", "2 false", "3 true", "4 true"}},
		{nil, &platform.SetupError{}, []string{"1 false", "2 false", "3 false", "4 false"}},
		{away, nil, []string{"1 false", "2 false", "3 false", "4 false"}},
	} {
		var got []string
		var last error
		for p, err := range platform.Merge(
			platform.List{Purchases: list(test.live, 1, 3, 4)},
			platform.List{Purchases: list(test.test, 2), ErrorLast: true},
		) {
			if last = err; err == nil {
				got = append(got, fmt.Sprint(p.ChangedAt.Sub(began).Hours(), " ", p.Behind))
			}
		}
		want := test.live
		if want == nil {
			want = test.test
		}
		if diff := cmp.Diff(test.want, got); diff != "" || !errors.Is(last, want) {
			t.Errorf("%v, %v: %v (-want +got):\n%s", test.live, test.test, last, diff)
		}
	}
}
