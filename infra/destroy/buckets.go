package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

// bucketsOf reads the names of a deployment's buckets out of its outputs.
func bucketsOf(outputsFile string) ([]string, error) {
	content, err := os.ReadFile(outputsFile)
	if err != nil {
		return nil, err
	}
	var stacks map[string]map[string]string
	if err := json.Unmarshal(content, &stacks); err != nil {
		return nil, fmt.Errorf("read %s: %w", outputsFile, err)
	}
	var buckets []string
	for _, outputs := range stacks {
		for _, name := range []string{"UploadsBucket", "ReportsBucket"} {
			if bucket := outputs[name]; bucket != "" {
				buckets = append(buckets, bucket)
			}
		}
	}
	if len(buckets) != 2 {
		return nil, fmt.Errorf("the deployment names %d buckets, not 2", len(buckets))
	}
	slices.Sort(buckets)
	return buckets, nil
}
