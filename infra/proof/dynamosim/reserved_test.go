package dynamosim

import "testing"

func TestReserved_hasAsManyWordsAsAWSLists(t *testing.T) {
	if n := len(reservedWords); n != 573 {
		t.Errorf("%d words", n)
	}
	for word, is := range map[string]bool{"abort": true, "Convert": true, "SIZE": true, "zone": true, "remove": false} {
		if reserved(word) != is {
			t.Errorf("%s is reserved: %v", word, !is)
		}
	}
}
