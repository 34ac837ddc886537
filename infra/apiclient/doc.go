// Package apiclient is a Go client of the merchants' API. All of it is made from the API's
// OpenAPI document, before it is compiled: see the Makefile.
package apiclient

import _ "github.com/oapi-codegen/runtime" // of what is made

//go:generate go tool oapi-codegen -config config.yaml ../../functions/api/openapi.json
//go:generate go tool gofumpt -w client.gen.go
