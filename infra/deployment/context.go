package deployment

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Context reads the parameters as the CDK's command line does: from "context" of a
// cdk.json, then from args of the form -c name=value. It is for programs that look at
// a deployment without making one.
func Context(cdkJSON string, args []string) (map[string]any, error) {
	content, err := os.ReadFile(cdkJSON)
	if err != nil {
		return nil, err
	}
	var file struct{ Context map[string]any }
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, fmt.Errorf("read %s: %w", cdkJSON, err)
	}
	context := file.Context
	if context == nil {
		context = map[string]any{}
	}
	for len(args) > 0 {
		if args[0] != "-c" || len(args) < 2 {
			return nil, fmt.Errorf("%q is not understood: parameters are given as -c name=value", args[0])
		}
		name, value, ok := strings.Cut(args[1], "=")
		if !ok {
			return nil, fmt.Errorf("%q is not name=value", args[1])
		}
		context[name] = value
		args = args[2:]
	}
	return context, nil
}
