package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTemplate_isWrittenFromTheTables(t *testing.T) {
	want, err := write()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("template.yaml is stale; run: make template\n%s", diff)
	}
}
