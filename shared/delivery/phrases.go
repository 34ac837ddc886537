package delivery

import (
	"time"

	"keypool/shared/catalog"
)

// phrases is the fixed part of a customer's mail in one language.
type phrases struct {
	greeting     string
	greetingName string // with the name
	closing      string
	questions    string
	testOrder    string
	attached     string // with the number of keys
	preview      string // with tags

	order, orderNumber, ordered, product, quantity, price     string
	contact, name, company, email, phone, address, licenseFor string

	patienceSubject, patiencePreview, patience string // with tags

	// keys is the text for a merchant who set none, with tags.
	keys func(n int, instructions, download bool) catalog.Text
	date func(time.Time) string
}

// phrasebook holds the languages that the fixed part of a mail speaks.
var phrasebook = map[string]phrases{"en": english}

var english = phrases{
	greeting:     "Hello,",
	greetingName: "Hello %s,",
	closing:      "Kind regards,",
	questions:    "Any questions about your order? Just reply to this mail.",
	testOrder:    "Test order",
	attached:     "All %d keys are attached as a text file too, one to a line.",
	preview:      "Order {ORDER_ID}: {PROGRAM_NAME}. Please keep this mail.",

	order: "Your order", orderNumber: "Order", ordered: "Date", product: "Product", quantity: "Quantity", price: "Price",
	contact: "Your details", name: "Name", company: "Company", email: "Email", phone: "Phone", address: "Address", licenseFor: "License for",

	patienceSubject: "Your order {ORDER_ID} is safe, the license key follows",
	patiencePreview: "We send it to you as soon as it is available. There is nothing you need to do.",
	patience: "Thank you for your order. We have received it, and it is safe with us.\n\n" +
		"The license key for {PROGRAM_NAME} is not available at this moment. As soon as it is, " +
		"we send it to this address. There is nothing you need to do.\n\n" +
		"We are sorry to keep you waiting.",

	keys: func(n int, instructions, download bool) catalog.Text {
		t := catalog.Text{
			Subject: "Your license key for {PROGRAM_NAME}",
			Body:    "Thank you for your order. Here is your license key for {PROGRAM_NAME}:\n\n{KEY}\n\n",
		}
		if n > 1 {
			t = catalog.Text{
				Subject: "Your license keys for {PROGRAM_NAME}",
				Body:    "Thank you for your order. Here are your license keys for {PROGRAM_NAME}:\n\n{KEY}\n\n",
			}
		}
		if download {
			t.Body += "Download: {URL_FULL}\n"
		}
		if instructions {
			t.Body += "How to install and activate it: {URL}\n"
		}
		t.Body += "\nPlease keep this mail in a safe place: you will need it again when you move to another device."
		return t
	},
	date: func(t time.Time) string { return t.Format("2 January 2006") },
}
