package standard

import (
	"encoding/json"

	"keypool/shared/platform"
)

// settings are an account's settings.
type settings struct {
	OrderPageInAnswer bool `json:"order_page_in_answer,omitempty" doc:"The answer to an order.paid has order_page, the link to the customer's page of the order, where it has one. Whoever has the link can see the keys: show it to the customer alone, and keep it out of logs."`
}

// SettingsForm implements platform.SettingsForm.
func (Adapter) SettingsForm() any { return settings{} }

// CheckSettings implements platform.Configurer.
func (Adapter) CheckSettings(raw json.RawMessage) error {
	_, err := parseSettings(raw)
	return err
}

// AnswersPage implements platform.PageAnswerer.
func (Adapter) AnswersPage(raw json.RawMessage) bool {
	s, err := parseSettings(raw)
	return err == nil && s.OrderPageInAnswer
}

func parseSettings(raw json.RawMessage) (settings, error) {
	var s settings
	err := platform.ReadSettings(raw, &s, "standard")
	return s, err
}
