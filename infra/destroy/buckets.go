package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// bucketsOf reads the names of a deployment's buckets from the file of its outputs.
func bucketsOf(outputsFile string) (uploads, reports string, err error) {
	content, err := os.ReadFile(outputsFile)
	if err != nil {
		return "", "", err
	}
	var stacks map[string]struct{ UploadsBucket, ReportsBucket string }
	if err := json.Unmarshal(content, &stacks); err != nil {
		return "", "", fmt.Errorf("read %s: %w", outputsFile, err)
	}
	for _, outputs := range stacks {
		uploads, reports = uploads+outputs.UploadsBucket, reports+outputs.ReportsBucket
	}
	if uploads == "" || reports == "" {
		return "", "", fmt.Errorf("%s does not name both buckets", outputsFile)
	}
	return uploads, reports, nil
}
