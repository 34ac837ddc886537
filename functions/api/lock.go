package main

import (
	"net/http"
	"strconv"
	"strings"
)

// Settings change under optimistic locks. Every answer that shows a setting
// carries its version as an ETag.
//
// What exists is changed or deleted only by a request that says, by If-Match,
// which version it was made from: 428 without it, 412 if it is another by now.
// "*" stands for whichever is there. What does not exist yet needs no condition,
// and If-None-Match: * insists on it. A repeat that asks for what is already so
// needs none either: a caller who lost the answer can simply send it again.
// Precondition is the condition of a change. (huma sees exported fields only.)
type Precondition struct {
	IfMatch     string `header:"If-Match" doc:"The ETag of the version that the change was made from, or * for any. Needed to change what exists." example:"\"3\""`
	IfNoneMatch string `header:"If-None-Match" doc:"* to create only, never change." enum:"*" example:"*"`
}

// check returns a refusal unless the condition holds for a thing of that
// version; version 0 does not exist. Same says that nothing would change.
func (p Precondition) check(version int, same bool) error {
	switch exists := version > 0; {
	case p.IfNoneMatch != "" && exists:
		return refusal(http.StatusPreconditionFailed, "It exists already.")
	case p.IfMatch != "" && !exists:
		return refusal(http.StatusPreconditionFailed, "It does not exist.")
	case p.IfMatch != "" && !matches(p.IfMatch, version):
		return refusal(http.StatusPreconditionFailed, "It has been changed since. Read it again and repeat your change on what you find.")
	case p.IfMatch == "" && exists && !same:
		return refusal(http.StatusPreconditionRequired, "It exists already. Say by If-Match which version your change was made from: the ETag that reading it gives you, or * for any.")
	}
	return nil
}

// etag is how a version is told. It is strong: one version is one representation.
func etag(version int) string { return `"` + strconv.Itoa(version) + `"` }

func matches(condition string, version int) bool {
	for tag := range strings.SplitSeq(condition, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == etag(version) {
			return true
		}
	}
	return false
}

// created is the status of a change that made a thing which was not there.
func created(versionBefore int) int {
	if versionBefore == 0 {
		return http.StatusCreated
	}
	return http.StatusOK
}
