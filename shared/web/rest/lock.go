package rest

import (
	"net/http"

	"keypool/shared/settings"
	"keypool/shared/web"
)

// Settings change under optimistic locks. Every response that shows a setting
// carries its version as an ETag.
//
// A request that changes or deletes a setting names the version it was made from
// by If-Match: 428 without it, 412 if the version is another by now. "*" stands for
// any version. A request that creates a setting needs no condition, and
// If-None-Match: * makes sure that it only creates. A repeat of a change that has
// been made already needs none either, so a caller who lost the response can send
// the same request again.

// Precondition is the condition of a change.
type Precondition struct {
	IfMatch     string `header:"If-Match" doc:"The ETag of the version that the change was made from, or * for any. Needed to change what exists." example:"\"3\""`
	IfNoneMatch string `header:"If-None-Match" doc:"* to create only, never change." enum:"*" example:"*"`
}

// Condition returns the condition as the use cases take it.
func (p Precondition) Condition() settings.Condition {
	c := settings.Condition{New: p.IfNoneMatch != ""}
	if p.IfMatch != "" {
		c.Version = func(v int) bool { return web.Matches(p.IfMatch, v) }
	}
	return c
}

// Versioned is a response that shows a setting and its version.
type Versioned[T any] struct {
	Status int
	ETag   string `header:"ETag" doc:"The version, for If-Match."`
	Body   T
}

// Found shows a setting that was read.
func Found[T any](version int, body T) *Versioned[T] { return Stored(version, false, body) }

// Stored shows a setting after a change: 201 if the change created it.
func Stored[T any](version int, created bool, body T) *Versioned[T] {
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return &Versioned[T]{status, web.ETag(version), body}
}
