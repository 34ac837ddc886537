package main

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/platform"
	"keypool/shared/platform/all"
	"keypool/shared/web/rest"
)

// Platform is a payment platform that an account can be of.
type Platform struct {
	Name        string `json:"name" doc:"What an account gives as its platform."`
	Guide       string `json:"guide" doc:"How a shop is connected, step by step, in plain text."`
	Settings    bool   `json:"settings,omitempty" doc:"An account can have settings of the platform: see its guide."`
	Credentials bool   `json:"credentials,omitempty" doc:"Keypool calls the platform's API, with credentials of the account: see its guide."`
}

// PlatformList holds all platforms.
type PlatformList struct {
	Items []Platform `json:"items" nullable:"false"`
}

var samplePlatforms = PlatformList{Items: []Platform{{
	Name: "noventiq", Settings: true, Guide: "Connect a shop in five minutes: make the account, …",
}}}

func (a *api) addPlatforms(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "list-platforms", Method: http.MethodGet, Path: "/v1/platforms", Tags: []string{"Accounts"},
		Summary:   "List the payment platforms, with a guide to each",
		Responses: to.Responses(samplePlatforms, 200),
	}, a.listPlatforms)
}

func (*api) listPlatforms(context.Context, *struct{}) (*rest.Body[PlatformList], error) {
	out := PlatformList{Items: []Platform{}}
	for _, name := range slices.Sorted(maps.Keys(all.Adapters)) {
		adapter := all.Adapters[name]
		_, settings := adapter.(platform.Configurer)
		_, credentials := adapter.(platform.Fetcher)
		item := Platform{Name: name, Settings: settings, Credentials: credentials}
		if guided, ok := adapter.(platform.Guided); ok {
			item.Guide = guided.Guide()
		}
		out.Items = append(out.Items, item)
	}
	return &rest.Body[PlatformList]{Body: out}, nil
}
