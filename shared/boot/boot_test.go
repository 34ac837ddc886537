package boot

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestNewLog_namesTheEvent(t *testing.T) {
	var out bytes.Buffer
	newLog(&out, "webhook").Info("order.claimed", "line", "l")
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"event": "order.claimed", "function": "webhook", "line": "l", "level": "INFO", "msg": nil} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
}
