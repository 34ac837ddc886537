package generic

import "keypool/shared/platform"

// Adapter implements platform.Adapter, and what an account of it needs beyond: settings,
// secrets as the sender shows them, an answer of its own, a dry run in steps.
type Adapter struct{}

var (
	_ platform.Adapter      = Adapter{}
	_ platform.Configurer   = Adapter{}
	_ platform.SettingsForm = Adapter{}
	_ platform.SecretForm   = Adapter{}
	_ platform.SecretReader = Adapter{}
	_ platform.Warner       = Adapter{}
	_ platform.Replier      = Adapter{}
	_ platform.Explainer    = Adapter{}
)
