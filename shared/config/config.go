// Package config reads a function's settings from the environment, once, before
// the first event, and reports everything that is wrong with them in one error.
package config

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"os"
	"strconv"
	"time"

	"keypool/shared/mailaddress"
)

// Env reads settings and gathers what is wrong with them.
type Env struct {
	lookup   func(string) (string, bool)
	problems []error
}

// FromEnvironment reads the process's environment.
func FromEnvironment() *Env { return &Env{lookup: os.LookupEnv} }

// From reads settings by lookup, as os.LookupEnv does.
func From(lookup func(string) (string, bool)) *Env { return &Env{lookup: lookup} }

// Err returns every problem met so far as one error, one line each.
func (e *Env) Err() error {
	if len(e.problems) == 0 {
		return nil
	}
	return fmt.Errorf("wrong settings in the environment:\n%w", errors.Join(e.problems...))
}

// Required returns a setting that must be there and not empty.
func (e *Env) Required(name string) string {
	value, ok := e.lookup(name)
	if !ok || value == "" {
		e.problem("%s is not set", name)
	}
	return value
}

// Address returns a required setting that is a mail address, with or without a name.
func (e *Env) Address(name string) mail.Address {
	value := e.Required(name)
	if value == "" {
		return mail.Address{}
	}
	parsed, err := mail.ParseAddress(value)
	if err != nil || !mailaddress.Valid(parsed.Address) {
		e.problem("%s is not a mail address", name)
		return mail.Address{}
	}
	return *parsed
}

// URL returns a required setting that is an https address without a path, such as
// "https://keys.example.com".
func (e *Env) URL(name string) string {
	value := e.Required(name)
	if value == "" {
		return ""
	}
	if parsed, err := url.Parse(value); err != nil || parsed.Host == "" || value != "https://"+parsed.Host {
		e.problem("%s is not an https address alone, such as \"https://keys.example.com\"", name)
	}
	return value
}

// Int returns a required setting that is a whole number from low to high.
func (e *Env) Int(name string, low, high int) int {
	value := e.Required(name)
	if value == "" {
		return low
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		e.problem("%s is not a whole number from %d to %d", name, low, high)
		return low
	}
	return n
}

// Duration returns a required setting that is a duration of at least low, such as "5m".
func (e *Env) Duration(name string, low time.Duration) time.Duration {
	value := e.Required(name)
	if value == "" {
		return low
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < low {
		e.problem("%s is not a duration of at least %s, such as \"5m\"", name, low)
		return low
	}
	return d
}

func (e *Env) problem(format string, args ...any) {
	e.problems = append(e.problems, fmt.Errorf(format, args...))
}
