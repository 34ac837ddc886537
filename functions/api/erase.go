package main

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/web/rest"
)

// EraseCustomer says which customer is erased.
type EraseCustomer struct {
	Email string `json:"email" minLength:"1" maxLength:"320" doc:"The customer's mail address, in any letter case. It is not kept." example:"ada@example.com"`
	Force bool   `json:"force,omitempty" doc:"true: erase lines too that still owe the customer something. Nothing is given back: they stay on hold with the keys that they have, since there is nobody to send them to, until you return them."`
}

// EraseAct says which lines of an order are erased.
type EraseAct struct {
	Seen
	Force bool `json:"force,omitempty" doc:"As of erase-customer."`
}

var sampleErased = Job{
	ID: "20261123T101500-1b5c9d8e7f60a243", Kind: "erase", State: "running", Force: true, Lines: 3,
	By: "the token support", CreatedAt: sampleJob.CreatedAt, SavedAt: sampleJob.SavedAt,
}

// What erasing does, and leaves.
const (
	erases = "Name, addresses, phone, company and whatever else is known of the customer is taken away, and so are reasons that people wrote about the order, which may name anybody. What was sold stays: order numbers, products, units, keys, states, times, prices. A repeat of the order by its platform is known by product and units, and brings nothing back. Keys are not mailed again, since there is nobody to mail them to. "
	leaves = "A line that owes the customer something is left as it is: it waits or is on hold, its mail is due, or its last mail reached nobody. Deliver or return it first, or say force. "
)

func (a *api) addCustomers(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "erase-customer", Method: http.MethodPost, Path: "/v1/customers/erase", Tags: []string{"Orders"},
		Summary:       "Erase what is kept of a customer",
		Description:   erases + "It is done by the job that is answered, to all orders of the address until now, live and test, and to those whose address was corrected since: list-orders with email shows them before. An order that comes later is another. " + leaves + "When the job has ended, left says how many, and list-orders with email shows them. Called again, it erases what is left by then. Mails that were sent, the platform's own records, backups of the tables and what was exported are not Keypool's to change.",
		DefaultStatus: http.StatusAccepted,
		RequestBody:   rest.Request(EraseCustomer{Email: "ada@example.com"}), Responses: to.Responses(sampleErased, 202),
	}, a.eraseCustomer)
}

type eraseCustomer struct{ Body EraseCustomer }

func (a *api) eraseCustomer(ctx context.Context, in *eraseCustomer) (*rest.Body[Job], error) {
	j, err := a.jobs.Erase(ctx, caller(ctx), in.Body.Email, in.Body.Force, access.From(ctx).Name)
	return &rest.Body[Job]{Body: newJob(j)}, err
}

func (a *api) eraseOrder(ctx context.Context, in act[EraseAct]) (*rest.Body[Acted], error) {
	left := map[string]string{} // by line, why
	out, err := a.actOn(ctx, in.number, in.which, aboutLines{Reason{}, in.body.Seen, nil}, func(line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		got, err := a.eraser.Erase(ctx, line.ID, lifecycle.Erasure{Act: act, Force: in.body.Force})
		left[string(line.ID)] = whyNotErased(got)
		return got, err
	})
	if out != nil {
		for i, line := range out.Body.Lines {
			if !line.Done {
				out.Body.Lines[i].Detail = left[line.ID]
			}
		}
	}
	return out, err
}

// whyNotErased says what a line owes its customer.
func whyNotErased(line order.Fulfillment) string {
	if line.Mail.State == outbox.Sending {
		return "A mail of it is being sent. Try again in ten minutes."
	}
	return "It still owes its customer something: keys, or a mail that reaches them. Deliver it or return it first; or say force, and it stays on hold with what it has."
}
