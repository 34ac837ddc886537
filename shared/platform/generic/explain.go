package generic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"keypool/shared/platform"
)

// Explain implements platform.Explainer. Of a signature that no secret made it says which
// other reading of the secret, the body or the settings would fit.
func (Adapter) Explain(r platform.Request, a platform.Account, now time.Time) ([]platform.Step, int) {
	s, err := parse(a.Settings)
	if err != nil {
		return []platform.Step{{Name: "settings", Says: "They cannot be read: " + err.Error() + "."}}, -1
	}
	given, err := s.signatures(r.Header)
	steps := []platform.Step{step("signature", err, fmt.Sprintf("The header %s holds %s in %s.", s.Signature.Header, count(len(given), "signature"), s.Signature.Encoding))}
	if err != nil {
		steps[0].Says += s.whereElse(r.Header)
	}
	at, timeErr := s.stamp(r.Header)
	steps = append(steps, s.explainTime(at, timeErr, now))
	id, idErr := s.id(r.Header)
	if strings.Contains(s.Signature.Signed, "{id}") {
		steps = append(steps, step("id", idErr, fmt.Sprintf("The header %s holds it.", s.IDHeader)))
	}
	found := platform.Step{Name: "secret"}
	signer, ok := s.signer(given, s.message(at.text, id, r.Body), a.Secrets)
	switch {
	case len(a.Secrets) == 0:
		found.Says = "The account has no secret that is valid: give it the one that the sender shows."
	case ok:
		found.OK, found.Says = true, "It was signed by "+a.SecretName(signer)+"."
	case len(given) == 0:
		found.Says = "There is no signature to compare with."
	default:
		found.Says = "None of the account's secrets made the signature." + s.explainSecrets(a) + s.otherReadings(given, r, a)
	}
	if steps = append(steps, found); !ok {
		signer = -1
	}
	return steps, signer
}

// step is a step that an error fails.
func step(name string, err error, says string) platform.Step {
	if err == nil {
		return platform.Step{Name: name, OK: true, Says: says}
	}
	problem := err.Error()
	return platform.Step{Name: name, Says: strings.ToUpper(problem[:1]) + problem[1:] + "."}
}

func count(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (s Settings) explainTime(at stamp, err error, now time.Time) platform.Step {
	age := now.Sub(at.at).Round(time.Second)
	switch {
	case !s.isTimeSigned():
		return platform.Step{Name: "time", OK: true, Says: "The settings sign none: a webhook that was recorded is good for ever."}
	case err != nil:
		return step("time", err, "")
	case !s.isTimely(at, now):
		when := fmt.Sprintf("%s before", age)
		if age < 0 {
			when = fmt.Sprintf("%s after", -age)
		}
		return platform.Step{Name: "time", Says: fmt.Sprintf(
			"It was signed %s %s, and the settings allow %d seconds. Say by received_at when a captured webhook came; else compare the sender's clock, and the unit of the time.",
			when, now.UTC().Format(time.RFC3339), s.Time.ToleranceSeconds)}
	}
	return platform.Step{Name: "time", OK: true, Says: fmt.Sprintf("It was signed at %s.", at.at.UTC().Format(time.RFC3339))}
}

// whereElse says where a signature may stand that is not where the settings say, and in
// which encoding.
func (s Settings) whereElse(h http.Header) string {
	if len(h.Values(s.Signature.Header)) == 0 {
		var names []string
		for _, name := range slices.Sorted(maps.Keys(h)) {
			if slices.ContainsFunc(h[name], mayHoldSignature) && len(names) < 5 {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			return " One may stand in: " + strings.Join(names, ", ") + "."
		}
		return " Copy all headers of the webhook, with their names."
	}
	for _, encoding := range encodings {
		for _, algorithm := range algorithms {
			other := s
			other.Signature.Encoding, other.Signature.Algorithm = encoding, algorithm
			if _, err := other.signatures(h); err == nil {
				return fmt.Sprintf(" It has the form of a signature by %s in %s.", algorithm, encoding)
			}
		}
	}
	return ""
}

// explainSecrets says which secrets are no key of the form that the settings name.
func (s Settings) explainSecrets(a platform.Account) string {
	says := ""
	for i, secret := range a.Secrets {
		if _, err := keyOf(s.Signature.Key, string(secret.Secret.Reveal())); err != nil {
			name := a.SecretName(i)
			says += fmt.Sprintf(" %s%s %s.", strings.ToUpper(name[:1]), name[1:], err)
		}
	}
	return says
}

// reading is a way to reckon a signature that differs from the settings in one thing or
// two.
type reading struct {
	key    func(secret string) []byte
	signed string
	body   func(body []byte) []byte
	says   string // "" of the settings themselves
}

// maxReadings is how many readings that fit are told.
const maxReadings = 3

// otherReadings says which other readings of secrets and body fit a signature.
func (s Settings) otherReadings(given [][]byte, r platform.Request, a platform.Account) string {
	stamp, id := s.likelyTime(r.Header), s.likelyID(r.Header)
	var fits []string
	for _, other := range s.readings() {
		if strings.Contains(other.signed, "{time}") && stamp == "" || strings.Contains(other.signed, "{id}") && id == "" {
			continue
		}
		read := s
		read.Signature.Signed = other.signed
		message := read.message(stamp, id, other.body(r.Body))
		for i, secret := range a.Secrets {
			key := other.key(string(secret.Secret.Reveal()))
			if len(key) == 0 || len(fits) >= maxReadings {
				continue
			}
			tried := []platform.SigningSecret{{Secret: platform.Conceal(key)}}
			made := func(key []byte) []byte { return digest(s.Signature.Algorithm, key, message) }
			if _, is := platform.Signer(tried, given, made); is {
				fits = append(fits, fmt.Sprintf(" It fits %s %s.", a.SecretName(i), other.says))
			}
		}
	}
	if len(fits) == 0 {
		return " No other reading of them fits either: compare the secret with the sender's, and see that the body is what came, byte by byte, and not formatted anew."
	}
	return strings.Join(fits, "")
}

// likelyTime returns the time of a request: where the settings say that it stands, else
// the first header, or part of the signature's, that reads as seconds or milliseconds.
func (s Settings) likelyTime(h http.Header) string {
	if s.Time.isThere() {
		if values, _ := s.times(h); len(values) > 0 {
			return values[0]
		}
	}
	isTime := func(text string) bool {
		return (len(text) == 10 || len(text) == 13) && strings.Trim(text, "0123456789") == ""
	}
	for _, part := range strings.FieldsFunc(strings.Join(h.Values(s.Signature.Header), ","), func(r rune) bool { return strings.ContainsRune(",; =", r) }) {
		if isTime(part) {
			return part
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if value := h.Get(name); isTime(value) {
			return value
		}
	}
	return ""
}

// likelyID returns the id of a request: that of the header that the settings name, else of
// the first whose name ends as that of an id.
func (s Settings) likelyID(h http.Header) string {
	if s.IDHeader != "" {
		return h.Get(s.IDHeader)
	}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if strings.HasSuffix(strings.ToLower(name), "-id") {
			return h.Get(name)
		}
	}
	return ""
}

// readings are what a merchant may have mistaken: the form of the key, blanks around the
// secret, what is signed, the end of a captured body; and form and text together.
func (s Settings) readings() []reading {
	as := func(form string) func(string) []byte {
		return func(secret string) []byte {
			key, err := keyOf(form, secret)
			if err != nil {
				return nil
			}
			return key
		}
	}
	same := func(body []byte) []byte { return body }
	type keyed struct {
		key  func(string) []byte
		says string
	}
	keys := []keyed{
		{func(secret string) []byte { return []byte(strings.TrimSpace(secret)) }, "without the blanks or the line break around it: set the secret anew without them"},
		{func(secret string) []byte { return []byte(strings.TrimSpace(secret) + "\n") }, "with a line break after it: the sender's secret was set with one"},
		{func(secret string) []byte { return []byte(strings.TrimPrefix(strings.TrimSpace(secret), "whsec_")) }, "without whsec_ in front: set the secret anew without it, with text as signature.key"},
	}
	for _, form := range keyForms {
		if form != s.Signature.Key {
			keys = append(keys, keyed{as(form), "read as " + form + ": set signature.key to " + form})
		}
	}
	var templates []string
	for _, template := range []string{"{body}", "{time}.{body}", "{time}{body}", "{body}{time}", "{body}.{time}", "{id}.{time}.{body}", "{id}.{body}"} {
		if template != s.Signature.Signed {
			templates = append(templates, template)
		}
	}
	own := as(s.Signature.Key)
	var all []reading
	for _, k := range keys {
		all = append(all, reading{k.key, s.Signature.Signed, same, k.says})
	}
	for _, template := range templates {
		all = append(all, reading{own, template, same, "over " + template + ": set signature.signed to it"})
	}
	for _, end := range []struct {
		body func([]byte) []byte
		says string
	}{
		{func(body []byte) []byte { return bytes.TrimRight(body, "\r\n") }, "if the line break at the end of the body is left out: it is not part of what came"},
		{func(body []byte) []byte { return append(slices.Clone(body), '\n') }, "if the body ends with a line break: it got lost when the webhook was captured"},
		{func(body []byte) []byte { return append(slices.Clone(body), "\r\n"...) }, "if the body ends with CR and LF: they got lost when the webhook was captured"},
		{compact, "if the body is JSON without blanks: it was formatted anew when the webhook was captured"},
	} {
		all = append(all, reading{own, s.Signature.Signed, end.body, end.says})
	}
	for _, k := range keys {
		for _, template := range templates {
			all = append(all, reading{k.key, template, same, k.says + ", over " + template + ": set signature.signed to it"})
		}
	}
	return all
}

// compact returns JSON without blanks between its values, and anything else as it is.
func compact(body []byte) []byte {
	var short bytes.Buffer
	if json.Compact(&short, body) != nil {
		return body
	}
	return short.Bytes()
}
