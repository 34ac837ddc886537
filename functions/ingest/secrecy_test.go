package main

import (
	"fmt"
	"strings"
	"testing"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/lambdatest"
)

// Whatever goes wrong with a key file, no line of it stands in what the function
// answers, returns or logs, nor in its report.
func TestSecrecy(t *testing.T) {
	s := lambdatest.Open(t, wire)
	files, kind := 0, "txt"
	dropped := func(folder string, lines ...string) []byte {
		files++
		name := fmt.Sprintf("uploads/%s/%d.%s", folder, files, kind)
		s.Files["/uploads/"+name] = []byte(strings.Join(lines, "\n"))
		return fmt.Appendf(nil, `{"Records":[{"eventSource":"aws:s3","s3":{"bucket":{"name":"uploads"},"object":{"key":%q,"versionId":"1"}}}]}`, name)
	}
	home := lambdatest.Merchant + "/" + lambdatest.Pool
	s.RefuseEachCall("a key file", func() []byte { return dropped(home, s.Keys(3)...) })
	s.RefuseEachCall("a file of test keys", func() []byte { return dropped(home+"/test", s.Keys(2)...) })
	s.RefuseEachCall("a file of lines that are refused", func() []byte {
		k := s.Keys(5)
		return dropped(home, k[0], k[0], k[1]+"\x1b", k[2]+strings.Repeat("x", 2100), k[3]+"\u202e", "\xff"+k[4])
	})
	s.RefuseEachCall("a file with a heading", func() []byte { return dropped(home, append([]string{"License Key"}, s.Keys(3)...)...) })
	s.RefuseEachCall("a file of JSON", func() []byte { return dropped(home, `["`+s.Keys(1)[0]+`",`, `"`+s.Keys(1)[0]+`"]`) })
	s.RefuseEachCall("a file of keys with dashes of print", func() []byte { return dropped(home, s.Keys(1)[0]+"–", s.Keys(1)[0]+",1") })
	s.RefuseEachCall("a file at an upload address", func() []byte { return dropped(fmt.Sprintf("%s/ticket-%016x", home, files), s.Keys(1)...) })
	s.RefuseEachCall("a file of the test side", func() []byte { return dropped(home+"/test", s.Keys(3)...) })
	s.RefuseEachCall("a file for no pool", func() []byte { return dropped(lambdatest.Merchant+"/nowhere", s.Keys(1)...) })
	s.RefuseEachCall("a file of no merchant", func() []byte { return dropped("nobody/"+lambdatest.Pool, s.Keys(1)...) })
	s.RefuseEachCall("a file that is no text", func() []byte { return dropped(home, "PK\x03\x04\x00\x00"+s.Keys(1)[0]) })
	kind = "csv"
	s.RefuseEachCall("a table", func() []byte {
		return dropped(home, "id,key", "1,"+s.Keys(1)[0], "2,\""+s.Keys(1)[0], s.Keys(1)[0]+",,")
	})
	s.RefuseEachCall("a table without a column of keys", func() []byte { return dropped(home, "id,"+s.Keys(1)[0], "1,"+s.Keys(1)[0]) })

	key := s.Canaries.New(canary.Key)
	for _, event := range []string{
		`"` + key + `"`, `{"Records":"` + key + `"}`, `{"Records":[{"eventSource":"aws:s3","eventTime":"` + key + `"}]}`,
		`{"Records":[{"eventSource":"aws:s3","s3":{"object":{"key":"` + key + `%zz"}}}]}`,
		`{"Records":[{"eventSource":"` + key + `"}]}`, `{"Records":[{"eventSource":"aws:s3","s3":{"bucket":{"name":"` + key + `"},"object":{"key":"` + key + `"}}}]}`,
		`{"Records":[{"eventSource":"aws:sqs","body":"{\"v\":1,\"merchant\":7,\"upload\":\"` + key + `\"}"}]}`,
		`{"Records":[{"eventSource":"aws:sqs","body":"` + key + `"}]}`, `{"Records":[{"eventSource":"aws:sqs","body":"{\"v\":\"` + key + `\"}"}]}`,
		`{"Records":[{"eventSource":"aws:sqs","body":7,"messageId":"` + key + `"}]}`,
	} {
		s.Invoke("an event that cannot be read", []byte(event))
	}
	reports := 0
	for name, content := range s.Files {
		if strings.HasPrefix(name, "/reports/") {
			reports++
			if found := s.Canaries.Find(string(content)); found != nil {
				t.Errorf("the report %s holds %v: %s", name, found, content)
			}
		}
	}
	if reports == 0 {
		t.Error("no report was written")
	}
}
