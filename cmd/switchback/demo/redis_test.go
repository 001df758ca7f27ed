//go:build unix

package demo

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/store/storetest"
)

// TestRemoveFleet leaves alone whatever is not of that very fleet.
func TestRemoveFleet(t *testing.T) {
	server := storetest.StartRedis(t)
	client, err := openRedis(t.Context(), "redis://"+server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	foreign := []string{
		"assistant",
		"switchback:{demo-1234}:state:assistant",
		"switchback:{demo-12345678x}:state:assistant",
		"switchback:{production}:state:assistant",
	}
	own := []string{
		"switchback:{demo-12345678/assistant}:evidence:3",
		"switchback:{demo-12345678}:members",
		"switchback:{demo-12345678}:state:assistant",
	}
	for _, key := range slices.Concat(foreign, own) {
		if err := client.Set(t.Context(), key, "x", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeFleet(t.Context(), client, "demo-12345678"); err != nil {
		t.Fatal(err)
	}
	left, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(foreign)
	slices.Sort(left)
	if diff := cmp.Diff(foreign, left); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestOpenRedisSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"redis://user:secret@localhost:port", "--redis: cannot be read"},
		{"redis://127.0.0.1:1", "--redis: 127.0.0.1:1 does not answer"},
	} {
		_, err := openRedis(t.Context(), tt.url)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.url, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v shows the password", tt.url, err)
		}
	}
}
