package storetest

import (
	"testing"

	"github.com/switchback-proxy/switchback/store"
)

// Open returns a store of a fleet that is empty and nobody else's, and closes it when the test ends.
type Open func(t *testing.T) store.Store

// OpenInbox is an Open for a store that has a break-glass inbox: put leaves an order there as a person does.
type OpenInbox func(t *testing.T) (s store.Store, put func(split, order string))

// Run holds the stores that open returns to the contract, but for the inbox.
func Run(t *testing.T, open Open) {
	for _, group := range []struct {
		name  string
		tests map[string]func(*testing.T, store.Store)
	}{
		{"list", listTests},
		{"swap", swapTests},
		{"schema", schemaTests},
		{"events", eventTests},
		{"record", recordTests},
		{"outbox", outboxTests},
		{"watch", watchTests},
		{"fleet", fleetTests},
		{"evidence", evidenceTests},
		{"seal", sealTests},
		{"judge", judgeTests},
		{"lease", leaseTests},
		{"windows", windowTests},
		{"pins", pinTests},
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

// RunInbox holds the inboxes of the stores that open returns to the contract.
func RunInbox(t *testing.T, open OpenInbox) {
	for name, test := range inboxTests {
		t.Run(name, func(t *testing.T) {
			s, put := open(t)
			test(t, s, put)
		})
	}
}
