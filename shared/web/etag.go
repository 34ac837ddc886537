package web

import (
	"strconv"
	"strings"
)

// ETag returns the strong entity tag of a version: one version has one
// representation.
func ETag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// Matches says whether an If-Match or If-None-Match header, a list of tags or
// "*", names a version that exists. Weak tags match nothing.
func Matches(condition string, version int) bool {
	return version > 0 && MatchesTag(condition, ETag(version))
}

// MatchesTag says whether such a header names a tag, which is a strong one.
func MatchesTag(condition, of string) bool {
	for tag := range strings.SplitSeq(condition, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == of {
			return true
		}
	}
	return false
}
