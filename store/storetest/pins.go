package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

var (
	onGreen = splitter.Pin{Variant: "green", Epoch: 7}
	onBlue  = splitter.Pin{Variant: "blue-2_x", Epoch: 1<<64 - 1}
)

var pinTests = map[string]func(*testing.T, store.Store){
	"none": func(t *testing.T, s store.Store) {
		equal(t, "pin", findPin(t, s, "assistant", "a", "b"), splitter.Pin{})
	},
	"the first of several ids": func(t *testing.T, s store.Store) {
		keepPins(t, s, "assistant", pinOf("a", onGreen), pinOf("b", onBlue))
		equal(t, "a", findPin(t, s, "assistant", "a"), onGreen)
		equal(t, "b", findPin(t, s, "assistant", "b"), onBlue)
		equal(t, "none, b, a", findPin(t, s, "assistant", "none", "b", "a"), onBlue)
	},
	"splits are apart": func(t *testing.T, s store.Store) {
		keepPins(t, s, "assistant", pinOf("a", onGreen))
		equal(t, "pin", findPin(t, s, "other", "a"), splitter.Pin{})
	},
	"the last one counts": func(t *testing.T, s store.Store) {
		keepPins(t, s, "assistant", pinOf("a", onGreen))
		keepPins(t, s, "assistant", pinOf("a", onBlue))
		equal(t, "pin", findPin(t, s, "assistant", "a"), onBlue)
	},
	"unless it is only for want of one": func(t *testing.T, s store.Store) {
		later := pinOf("a", onBlue)
		later.IfNone = true
		other := pinOf("b", onBlue)
		keepPins(t, s, "assistant", pinOf("a", onGreen))
		keepPins(t, s, "assistant", later, other)
		equal(t, "a", findPin(t, s, "assistant", "a"), onGreen)
		equal(t, "b", findPin(t, s, "assistant", "b"), onBlue)
	},
	"they expire": func(t *testing.T, s store.Store) {
		short := pinOf("a", onGreen)
		short.Keep = 50 * time.Millisecond
		keepPins(t, s, "assistant", short)
		awaitNoPin(t, s, "a")
		later := pinOf("a", onBlue)
		later.IfNone = true
		keepPins(t, s, "assistant", later)
		equal(t, "in place of the expired one", findPin(t, s, "assistant", "a"), onBlue)
	},
	"a refreshed one does not": func(t *testing.T, s store.Store) {
		short := pinOf("a", onGreen)
		short.Keep = 50 * time.Millisecond
		keepPins(t, s, "assistant", short)
		later := pinOf("b", onGreen)
		later.Keep = 150 * time.Millisecond
		keepPins(t, s, "assistant", pinOf("a", onGreen), later)
		awaitNoPin(t, s, "b")
		equal(t, "pin", findPin(t, s, "assistant", "a"), onGreen)
	},
	"many at once": func(t *testing.T, s store.Store) {
		var pins []store.Pin
		for i := range 1000 {
			pins = append(pins, pinOf(fmt.Sprint("pin-", i), onGreen))
		}
		keepPins(t, s, "assistant", pins...)
		keepPins(t, s, "assistant")
		equal(t, "the last", findPin(t, s, "assistant", "pin-999"), onGreen)
	},
}

// awaitNoPin waits until a pin has expired.
func awaitNoPin(t *testing.T, s store.Store, id string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); findPin(t, s, "assistant", id) != (splitter.Pin{}); {
		if time.Now().After(deadline) {
			t.Fatalf("pin %q does not expire", id)
		}
	}
}

func pinOf(id string, p splitter.Pin) store.Pin {
	return store.Pin{ID: id, Pin: p, Keep: time.Minute}
}

func keepPins(t *testing.T, s store.Store, split string, pins ...store.Pin) {
	t.Helper()
	if err := s.KeepPins(t.Context(), split, pins); err != nil {
		t.Fatalf("KeepPins: %v", err)
	}
}

// findPin returns the pin found, or none.
func findPin(t *testing.T, s store.Store, split string, ids ...string) splitter.Pin {
	t.Helper()
	p, ok, err := s.FindPin(t.Context(), split, ids...)
	if err != nil || ok == (p == splitter.Pin{}) {
		t.Fatalf("FindPin: got %v, %t, %v", p, ok, err)
	}
	return p
}
