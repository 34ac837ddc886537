package main

const settingsPath = homePath + "/settings"

// settingsPlaces are the pages of settings, each with the operation that it begins with: who may
// not do that, is not shown it.
var settingsPlaces = []struct{ name, path, does string }{
	{"Shop", shopPath, "get-shop"},
	{"People", peoplePath, "list-people"},
	{"API tokens", tokensPath, "list-tokens"},
	{"Audit trail", auditPath, "list-audit"},
	{"Mail", mailSettingsPath, "get-sender"},
	{"Rules", rulesPath, "get-review"},
	{"Import and export", importPath, "get-catalog"},
}

// settingsNav returns the navigation of the settings as a visitor sees it.
func settingsNav(v *visit) []place {
	var out []place
	for _, p := range settingsPlaces {
		if v.may(p.does) {
			out = append(out, place{p.name, p.path, v.URL.Path == p.path})
		}
	}
	if v.may("put-pool") {
		out = append(out, place{"First steps", firstStepsPath, false})
	}
	return out
}

// Settings is the navigation of the pages of settings.
func (f frame) Settings() []place { return settingsNav(f.v) }

func (p *portal) settingsScreens() []screen {
	return []screen{{pattern: "GET " + settingsPath, serve: p.firstSettings}}
}

// firstSettings leads to the first page of settings that the visitor may see.
func (p *portal) firstSettings(v *visit) (answer, error) {
	all := settingsNav(v)
	if len(all) == 0 {
		return answer{}, errNotFound
	}
	return answer{see: all[0].Path}, nil
}
