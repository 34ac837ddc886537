package standard

import (
	"cmp"
	"net/http"
	"slices"

	"keypool/shared/platform"
	"keypool/shared/problem"
)

// documentation is where the event is described: a member of the API's document. It is
// the type of a problem (RFC 9457, 3.1.1), so that a refused sender finds the way.
const documentation = "/openapi.json#/webhooks"

// Answer implements platform.Adapter. The worst result decides: a sender that is
// answered 503 sends the order again, and the lines that are stored already stay as
// they are.
func (Adapter) Answer(results []platform.Result) platform.Response {
	worst := slices.MaxFunc(results, func(a, b platform.Result) int { return cmp.Compare(a.Outcome, b.Outcome) })
	switch worst.Outcome {
	case platform.Failed:
		return refuse(http.StatusServiceUnavailable, "Not stored, or not all of it: send the same again.")
	case platform.Rejected:
		refusal := problem.New(http.StatusBadRequest, worst.Field.Error()+".", placeOf(worst.Field))
		refusal.Type = documentation
		return platform.Respond(refusal.Status, problem.ContentType, refusal)
	case platform.Changed:
		return refuse(http.StatusConflict, "The line was paid before with another product or quantity, or by another customer; nothing was changed.", placeOf(worst.Field))
	case platform.Skipped, platform.Accepted, platform.Left: // the last has no API that a webhook is read by
	}
	var body platform.Reply
	for _, result := range results {
		body.Add(result)
	}
	return platform.Respond(http.StatusOK, "application/json", body)
}

// placeOf returns the place of a mistake in the body.
func placeOf(e *platform.FieldError) problem.Place {
	place := problem.Place{Message: e.Problem, Location: "body"}
	if e.Field != "" {
		place.Location += "." + e.Field
	}
	return place
}

func refuse(status int, detail string, places ...problem.Place) platform.Response {
	return platform.Respond(status, problem.ContentType, problem.New(status, detail, places...))
}
