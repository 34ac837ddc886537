package generic

import "keypool/shared/platform"

// Adapter implements platform.Adapter, platform.Configurer and platform.SecretForm.
type Adapter struct{}

var (
	_ platform.Adapter    = Adapter{}
	_ platform.Configurer = Adapter{}
	_ platform.SecretForm = Adapter{}
)
