package inventory_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/ingesttest"
	"keypool/shared/idempotency"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/upload"
)

// onlyNew stores a file of a name once.
type onlyNew struct {
	*ingesttest.Uploads
	there map[string]upload.Object
}

func (b onlyNew) PutNew(_ context.Context, name string, content []byte, digest string) (upload.Object, upload.Stat, string, error) {
	if _, ok := b.there[name]; !ok {
		b.there[name] = b.Put(name, content)
	}
	return b.there[name], upload.Stat{LastModified: noon}, digest, nil
}

// Keys that a program sends are loaded as the lines of a file are, unasked, whatever they
// look like, and reported under the id that the program was told.
func TestAddedKeys_areLoadedAsAFile(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/first.txt", "KNOWN-1\n")
	bucket := onlyNew{w.bucket, map[string]upload.Object{}}
	keys := &settings.Keys{Pools: w.store, Files: bucket}
	texts := []string{"License Key", " PLAIN-1\t", `"QUOTED-1"`, "1. NUMBERED", `{"json":1}`, "<b>", "ÄÖÜ-1", "a,b", "KNOWN-1", "PLAIN-1", "soft\u00adhyphen"}
	ctx := idempotency.With(t.Context(), idempotency.NewCall("a token", "a word"))
	id, err := keys.Add(ctx, elden, texts)
	w.must(err)
	if again, err := keys.Add(ctx, elden, texts); again != id || err != nil {
		t.Errorf("again it is upload %s, %v", again, err)
	}
	for _, o := range bucket.there {
		w.must(w.loader.Receive(t.Context(), o))
		w.must(w.loader.Receive(t.Context(), o))
	}
	u := w.upload(id)
	if diff := cmp.Diff(upload.Counts{upload.Accepted: 8, upload.ThisPool: 1, upload.SameFile: 1, upload.InvisibleCharacter: 1}, u.Counts); diff != "" || u.State != upload.Finished {
		t.Errorf("the upload is %s, counts (-want +got):\n%s", u.State, diff)
	}
	if k := w.find("PLAIN-1")[0]; k.FileLine != 2 || k.State != pool.KeyAvailable {
		t.Errorf("key 2 is %s, of line %d", k.State, k.FileLine)
	}
}
