package caddymodule

import (
	"errors"
	"testing"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// The embedded store's files are the memory: States are there already, and a kill that it did not take has no place.
func TestEmbeddedMemorySave(t *testing.T) {
	m := embeddedMemory{t.TempDir()}
	if err := m.Save("s", rollout.Snapshot{State: new(splitter.State)}); err != nil {
		t.Errorf("a State: %v", err)
	}
	if err := m.Save("s", rollout.Snapshot{Queued: []splitter.Kill{{ID: "k"}}}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a queued kill: got %v, want an error that says that it cannot be kept", err)
	}
}
