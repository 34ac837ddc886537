package mail

import (
	"fmt"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/mail/text"
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

	delaySubject, delayPreview, delay string // with tags

	// The words of a merchant who has set none, with tags: for one key and for several.
	subject, subjects, body, bodies string
	download, help, keep            string

	date func(time.Time) string
}

// keys returns the words of a merchant who has set none, with tags.
func (p phrases) keys(n int, instructions, download bool) catalog.Text {
	t := catalog.Text{Subject: p.subject, Body: p.body}
	if n > 1 {
		t = catalog.Text{Subject: p.subjects, Body: p.bodies}
	}
	t.Body += "\n\n" + text.Key.String() + "\n\n"
	if download {
		t.Body += p.download + "\n"
	}
	if instructions {
		t.Body += p.help + "\n"
	}
	t.Body += "\n" + p.keep
	return t
}

// phrasebook holds the fixed part of a mail in each language. A customer of another
// language reads it in the merchant's language, or in English. A new language needs its
// greetings in text.Greets.
var phrasebook = map[string]phrases{"en": english, "de": german, "fr": french, "es": spanish}

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

	delaySubject: "Your order {ORDER_ID} is safe, the license key follows",
	delayPreview: "We send it to you as soon as it is available. There is nothing you need to do.",
	delay: "Thank you for your order. We have received it, and it is safe with us.\n\n" +
		"The license key for {PROGRAM_NAME} is not available at this moment. As soon as it is, " +
		"we send it to this address. There is nothing you need to do.\n\n" +
		"We are sorry to keep you waiting.",

	subject:  "Your license key for {PROGRAM_NAME}",
	subjects: "Your license keys for {PROGRAM_NAME}",
	body:     "Thank you for your order. Here is your license key for {PROGRAM_NAME}:",
	bodies:   "Thank you for your order. Here are your license keys for {PROGRAM_NAME}:",
	download: "Download: {URL_FULL}",
	help:     "How to install and activate it: {URL}",
	keep:     "Please keep this mail in a safe place: you will need it again when you move to another device.",
	date:     func(t time.Time) string { return t.Format("2 January 2006") },
}

var german = phrases{
	greeting:     "Guten Tag,",
	greetingName: "Guten Tag %s,",
	closing:      "Freundliche Grüße",
	questions:    "Fragen zu Ihrer Bestellung? Antworten Sie einfach auf diese Mail.",
	testOrder:    "Testbestellung",
	attached:     "Alle %d Schlüssel liegen auch als Textdatei bei, einer je Zeile.",
	preview:      "Bestellung {ORDER_ID}: {PROGRAM_NAME}. Bitte bewahren Sie diese Mail auf.",

	order: "Ihre Bestellung", orderNumber: "Bestellung", ordered: "Datum", product: "Produkt", quantity: "Menge", price: "Preis",
	contact: "Ihre Angaben", name: "Name", company: "Firma", email: "E-Mail", phone: "Telefon", address: "Adresse", licenseFor: "Lizenz für",

	delaySubject: "Ihre Bestellung {ORDER_ID} ist sicher, der Lizenzschlüssel folgt",
	delayPreview: "Wir senden ihn, sobald er verfügbar ist. Sie müssen nichts weiter tun.",
	delay: "Vielen Dank für Ihre Bestellung. Sie ist bei uns eingegangen und sicher.\n\n" +
		"Der Lizenzschlüssel für {PROGRAM_NAME} ist im Augenblick nicht verfügbar. Sobald er es ist, " +
		"senden wir ihn an diese Adresse. Sie müssen nichts weiter tun.\n\n" +
		"Bitte entschuldigen Sie die Wartezeit.",

	subject:  "Ihr Lizenzschlüssel für {PROGRAM_NAME}",
	subjects: "Ihre Lizenzschlüssel für {PROGRAM_NAME}",
	body:     "Vielen Dank für Ihre Bestellung. Hier ist Ihr Lizenzschlüssel für {PROGRAM_NAME}:",
	bodies:   "Vielen Dank für Ihre Bestellung. Hier sind Ihre Lizenzschlüssel für {PROGRAM_NAME}:",
	download: "Download: {URL_FULL}",
	help:     "So wird es installiert und aktiviert: {URL}",
	keep:     "Bitte bewahren Sie diese Mail gut auf: Sie brauchen sie wieder, wenn Sie auf ein anderes Gerät wechseln.",
	date: dates("%d. %s %d", "Januar", "Februar", "März", "April", "Mai", "Juni",
		"Juli", "August", "September", "Oktober", "November", "Dezember"),
}

var french = phrases{
	greeting:     "Bonjour,",
	greetingName: "Bonjour %s,",
	closing:      "Cordialement,",
	questions:    "Une question sur votre commande ? Répondez simplement à ce message.",
	testOrder:    "Commande de test",
	attached:     "Les %d clés sont aussi jointes dans un fichier texte, une par ligne.",
	preview:      "Commande {ORDER_ID} : {PROGRAM_NAME}. Conservez bien ce message.",

	order: "Votre commande", orderNumber: "Commande", ordered: "Date", product: "Produit", quantity: "Quantité", price: "Prix",
	contact: "Vos coordonnées", name: "Nom", company: "Société", email: "E-mail", phone: "Téléphone", address: "Adresse", licenseFor: "Licence pour",

	delaySubject: "Votre commande {ORDER_ID} est bien enregistrée, la clé de licence suivra",
	delayPreview: "Nous vous l'enverrons dès qu'elle sera disponible. Vous n'avez rien à faire.",
	delay: "Merci pour votre commande. Nous l'avons bien reçue et elle est en sécurité.\n\n" +
		"La clé de licence pour {PROGRAM_NAME} n'est pas disponible pour le moment. Dès qu'elle le sera, " +
		"nous l'enverrons à cette adresse. Vous n'avez rien à faire.\n\n" +
		"Veuillez nous excuser pour cette attente.",

	subject:  "Votre clé de licence pour {PROGRAM_NAME}",
	subjects: "Vos clés de licence pour {PROGRAM_NAME}",
	body:     "Merci pour votre commande. Voici votre clé de licence pour {PROGRAM_NAME} :",
	bodies:   "Merci pour votre commande. Voici vos clés de licence pour {PROGRAM_NAME} :",
	download: "Téléchargement : {URL_FULL}",
	help:     "Installation et activation : {URL}",
	keep:     "Conservez bien ce message : vous en aurez de nouveau besoin si vous changez d'appareil.",
	date: dates("%d %s %d", "janvier", "février", "mars", "avril", "mai", "juin",
		"juillet", "août", "septembre", "octobre", "novembre", "décembre"),
}

var spanish = phrases{
	greeting:     "Hola:",
	greetingName: "Hola, %s:",
	closing:      "Un saludo,",
	questions:    "¿Tiene alguna pregunta sobre su pedido? Responda a este mensaje.",
	testOrder:    "Pedido de prueba",
	attached:     "Las %d claves van también adjuntas en un archivo de texto, una por línea.",
	preview:      "Pedido {ORDER_ID}: {PROGRAM_NAME}. Guarde este mensaje.",

	order: "Su pedido", orderNumber: "Pedido", ordered: "Fecha", product: "Producto", quantity: "Cantidad", price: "Precio",
	contact: "Sus datos", name: "Nombre", company: "Empresa", email: "Correo", phone: "Teléfono", address: "Dirección", licenseFor: "Licencia para",

	delaySubject: "Su pedido {ORDER_ID} está a salvo, la clave de licencia le llegará pronto",
	delayPreview: "Se la enviaremos en cuanto esté disponible. No tiene que hacer nada.",
	delay: "Gracias por su pedido. Lo hemos recibido y está a salvo.\n\n" +
		"La clave de licencia para {PROGRAM_NAME} no está disponible en este momento. En cuanto lo esté, " +
		"se la enviaremos a esta dirección. No tiene que hacer nada.\n\n" +
		"Disculpe la espera.",

	subject:  "Su clave de licencia para {PROGRAM_NAME}",
	subjects: "Sus claves de licencia para {PROGRAM_NAME}",
	body:     "Gracias por su pedido. Esta es su clave de licencia para {PROGRAM_NAME}:",
	bodies:   "Gracias por su pedido. Estas son sus claves de licencia para {PROGRAM_NAME}:",
	download: "Descarga: {URL_FULL}",
	help:     "Instalación y activación: {URL}",
	keep:     "Guarde este mensaje en un lugar seguro: lo necesitará de nuevo cuando cambie de dispositivo.",
	date: dates("%d de %s de %d", "enero", "febrero", "marzo", "abril", "mayo", "junio",
		"julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
}

// dates writes days as a language does, with its names of the months.
func dates(format string, months ...string) func(time.Time) string {
	return func(t time.Time) string {
		return fmt.Sprintf(format, t.Day(), months[t.Month()-1], t.Year())
	}
}
