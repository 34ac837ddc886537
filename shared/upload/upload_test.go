package upload_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/pool"
	"keypool/shared/upload"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestLocate(t *testing.T) {
	for _, test := range []struct {
		name string
		want upload.Place
		ok   bool
	}{
		{"uploads/nova/elden/a.txt", upload.Place{Merchant: "nova", Pool: "elden", Side: pool.Live, File: "a.txt"}, true},
		{"uploads/nova/elden/test/a.txt", upload.Place{Merchant: "nova", Pool: "elden", Side: pool.Test, File: "a.txt"}, true},
		{"uploads/nova/elden/Ключи №1 (новые).txt", upload.Place{Merchant: "nova", Pool: "elden", Side: pool.Live, File: "Ключи №1 (новые).txt"}, true},
		{"uploads/nova/elden/ticket-0123456789abcdef/a.txt", upload.Place{Merchant: "nova", Pool: "elden", Side: pool.Live, File: "a.txt", Ticket: "0123456789abcdef"}, true},
		{"uploads/nova/elden/test/ticket-0123456789abcdef/a.txt", upload.Place{Merchant: "nova", Pool: "elden", Side: pool.Test, File: "a.txt", Ticket: "0123456789abcdef"}, true},
		{"uploads/nova/elden/ticket-0123456789abcdef/test/a.txt", upload.Place{Merchant: "nova", File: "uploads/nova/elden/ticket-0123456789abcdef/test/a.txt"}, false},
		{"uploads/nova/elden/ticket-01/a.txt", upload.Place{Merchant: "nova", File: "uploads/nova/elden/ticket-01/a.txt"}, false},
		{"uploads/nova/test/a.txt", upload.Place{Merchant: "nova", Pool: "test", Side: pool.Live, File: "a.txt"}, true},
		{"uploads/nova/elden/live/a.txt", upload.Place{Merchant: "nova", File: "uploads/nova/elden/live/a.txt"}, false},
		{"uploads/nova/elden/test", upload.Place{Merchant: "nova", File: "uploads/nova/elden/test"}, false},
		{"uploads/nova/elden/", upload.Place{Merchant: "nova", File: "uploads/nova/elden/"}, false},
		{"uploads/nova/elden/test/", upload.Place{Merchant: "nova", File: "uploads/nova/elden/test/"}, false},
		{"uploads/nova/Elden Ring/a.txt", upload.Place{Merchant: "nova", File: "uploads/nova/Elden Ring/a.txt"}, false},
		{"uploads/nova/a.txt", upload.Place{Merchant: "nova", File: "uploads/nova/a.txt"}, false},
		{"uploads/NOVA/elden/a.txt", upload.Place{File: "uploads/NOVA/elden/a.txt"}, false},
		{"upload/nova/elden/a.txt", upload.Place{File: "upload/nova/elden/a.txt"}, false},
		{"/uploads/nova/elden/a.txt", upload.Place{File: "/uploads/nova/elden/a.txt"}, false},
		{"a.txt", upload.Place{File: "a.txt"}, false},
	} {
		got, ok := upload.Locate(test.name)
		if diff := cmp.Diff(test.want, got); diff != "" || ok != test.ok {
			t.Errorf("%s: %t, want %t (-want +got):\n%s", test.name, ok, test.ok, diff)
		}
		if ok && got.Name() != test.name {
			t.Errorf("%s is the place of %s", test.name, got.Name())
		}
	}
}

func TestNewID_isThatOfOneVersionAndListsByTime(t *testing.T) {
	a := upload.Object{Bucket: "b", Name: "uploads/nova/elden/a.txt", Version: "1"}
	first, again := upload.NewID(a, noon), upload.NewID(a, noon)
	if first != again {
		t.Errorf("one version is %s and %s", first, again)
	}
	others := []upload.Object{
		{Bucket: "b", Name: "uploads/nova/elden/a.txt", Version: "2"},
		{Bucket: "b", Name: "uploads/nova/elden/a.txt1"},
		{Bucket: "c", Name: "uploads/nova/elden/a.txt", Version: "1"},
	}
	for _, o := range others {
		if upload.NewID(o, noon) == first {
			t.Errorf("%+v and %+v are the same upload", a, o)
		}
		if later := upload.NewID(o, noon.Add(time.Second)); later <= first {
			t.Errorf("%s is later than %s and lists before it", later, first)
		}
	}
}

func TestMessage_asItStandsOnTheQueue(t *testing.T) {
	for want, m := range map[string]upload.Message{
		`{"v":1,"merchant":"nova","upload":"u"}`:               upload.LoadRange("nova", "u", 0),
		`{"v":1,"merchant":"nova","upload":"u","range":7}`:     upload.LoadRange("nova", "u", 7),
		`{"v":1,"merchant":"nova","upload":"u","resume":true}`: upload.Resume("nova", "u"),
	} {
		got, err := json.Marshal(m)
		if err != nil || string(got) != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
}
