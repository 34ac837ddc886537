package config_test

import (
	"strings"
	"testing"
	"time"

	"keypool/shared/config"
)

func env(settings map[string]string) *config.Env {
	return config.From(func(name string) (string, bool) {
		value, ok := settings[name]
		return value, ok
	})
}

func TestEnv_everyProblemInOneMessage(t *testing.T) {
	e := env(map[string]string{"EMPTY": "", "SENDER": "not an address", "MANY": "101", "LONG": "soon", "PLAIN": "http://example.com", "DEEP": "https://example.com/deep"})
	e.Required("MISSING")
	e.Required("EMPTY")
	e.Address("SENDER")
	e.Int("MANY", 1, 100)
	e.Duration("LONG", time.Second)
	e.URL("PLAIN")
	e.URL("DEEP")

	err := e.Err()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"MISSING is not set",
		"EMPTY is not set",
		"SENDER is not a mail address",
		"MANY is not a whole number from 1 to 100",
		"LONG is not a duration of at least 1s",
		"PLAIN is not an https address",
		"DEEP is not an https address",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "not an address") {
		t.Errorf("the error quotes a value:\n%v", err)
	}
}

func TestEnv_goodSettings(t *testing.T) {
	e := env(map[string]string{"NAME": "n", "SENDER": "Keys <keys@example.com>", "MANY": "100", "LONG": "5m", "HERE": "https://localhost:4566"})
	if got := e.Required("NAME"); got != "n" {
		t.Errorf("Required: %q", got)
	}
	if got := e.Address("SENDER"); got.Name != "Keys" || got.Address != "keys@example.com" {
		t.Errorf("Address: %q", got)
	}
	if got := e.URL("HERE"); got != "https://localhost:4566" {
		t.Errorf("URL: %q", got)
	}
	if got := e.Int("MANY", 1, 100); got != 100 {
		t.Errorf("Int: %d", got)
	}
	if got := e.Duration("LONG", time.Second); got != 5*time.Minute {
		t.Errorf("Duration: %s", got)
	}
	if err := e.Err(); err != nil {
		t.Error(err)
	}
}
