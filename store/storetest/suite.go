package storetest

import (
	"testing"

	"github.com/switchback-proxy/switchback/store"
)

// Open returns a store of a fleet that is empty and nobody else's, and closes it when the test ends.
type Open func(t *testing.T) store.Store

// Run holds the stores that open returns to the contract.
func Run(t *testing.T, open Open) {
	for _, group := range []struct {
		name  string
		tests map[string]func(*testing.T, store.Store)
	}{
		{"swap", swapTests},
		{"schema", schemaTests},
		{"events", eventTests},
		{"watch", watchTests},
		{"fleet", fleetTests},
		{"evidence", evidenceTests},
		{"secret", secretTests},
		{"refusal", refusalTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for name, test := range group.tests {
				t.Run(name, func(t *testing.T) { test(t, open(t)) })
			}
		})
	}
	t.Run("model", func(t *testing.T) { runModel(t, open) })
}
