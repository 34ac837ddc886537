package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"
)

// TestMain_keepsItsMemoryLimit starts the function in a process of its own, as
// Lambda does, and reads the limit when it asks for its first event.
func TestMain_keepsItsMemoryLimit(t *testing.T) {
	const child = "KEYPOOL_TEST_CHILD"
	if os.Getenv(child) != "" {
		lambda := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			fmt.Println("limit:", debug.SetMemoryLimit(-1))
			os.Exit(0)
		}))
		t.Setenv("AWS_LAMBDA_RUNTIME_API", strings.TrimPrefix(lambda.URL, "http://"))
		main()
		return
	}
	process := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	process.Env = append(os.Environ(), child+"=1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", "AWS_REGION=eu-central-1")
	for _, setting := range []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "RANGES_QUEUE_URL", "UPLOADS_BUCKET", "REPORTS_BUCKET", "FILL_QUEUE_URL"} {
		process.Env = append(process.Env, "KEYPOOL_"+setting+"=x")
	}
	said, err := process.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if want := fmt.Sprint("limit: ", 32<<20); !strings.Contains(string(said), want) {
		t.Errorf("it began with %s, want %s", said, want)
	}
}
