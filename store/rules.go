package store

import (
	"errors"
	"fmt"

	"github.com/switchback-proxy/switchback/splitter"
)

// ErrCorrupt means that the store answered with something that cannot be read; the text names the key or the file. It
// wraps ErrUnavailable, as what the State is, is not known; in particular it is not ErrNotFound.
var ErrCorrupt = fmt.Errorf("%w: what it holds cannot be read", ErrUnavailable)

// errClosed is what ErrUnavailable wraps after Close.
var errClosed = errors.New("it was closed")

// kindKill is the Change.Kind of a kill, the one change that may be written over a State of a newer schema: switching
// off must work from every release in the fleet.
const kindKill = "kill"

// maxNumber is the greatest revision and epoch: up to here, whoever reads JSON or a number in Lua as floating point (IEEE
// 754, 53 bits) reads each as it was written.
const maxNumber = 1 << 53

// Unavailable wraps what kept a store from answering, so that both ErrUnavailable and the cause can be asked for.
func Unavailable(cause error) error { return fmt.Errorf("%w: %w", ErrUnavailable, cause) }

// Closed is the error of every call after Close.
func Closed() error { return Unavailable(errClosed) }

// Conflict is the error of a swap that found another version than it was made from.
func Conflict(split string, want, have splitter.Version) error {
	return fmt.Errorf("%w: %q is at revision %d (%s), not %d (%s)", ErrConflict, split, have.Revision, have.ID,
		want.Revision, want.ID)
}

// CheckSwap refuses what no store may write, before it is asked: a State that could not be read back, one that does
// not come after prev, one with a revision or epoch above 2^53, one of a newer schema, and one whose event is too long.
// Every Store calls it first.
func CheckSwap(prev splitter.Version, next *splitter.State, ev Event) error {
	if err := checkName(next.Split); err != nil {
		return err
	}
	if err := next.Validate(); err != nil {
		return fmt.Errorf("state of %q must not be written: %w", next.Split, err)
	}
	if next.Revision <= prev.Revision {
		return fmt.Errorf("state of %q must not be written: its revision %d must be greater than the previous %d",
			next.Split, next.Revision, prev.Revision)
	}
	if err := errors.Join(checkNumber("revision", next.Revision), checkNumber("epoch", next.Epoch)); err != nil {
		return fmt.Errorf("state of %q must not be written: %w", next.Split, err)
	}
	if err := checkLength(ev); err != nil {
		return err
	}
	return CheckSchema(next.Split, next.Schema, ev)
}

// checkNumber refuses a revision or an epoch that not everybody could read.
func checkNumber(name string, n uint64) error {
	if n <= maxNumber {
		return nil
	}
	return fmt.Errorf("its %s %d must be at most %d (2^53): greater numbers are not read exactly by everybody", name, n,
		uint64(maxNumber))
}

// CheckSchema returns ErrNewerSchema if ev may not touch a State of that schema. A kill may touch any.
func CheckSchema(split string, schema int, ev Event) error {
	if MayTouch(schema, ev) {
		return nil
	}
	return fmt.Errorf("%w: the state of %q has schema %d, this release writes %d", ErrNewerSchema, split, schema,
		splitter.Schema)
}

// MayTouch reports whether this release may write ev over a State of that schema.
func MayTouch(schema int, ev Event) bool { return schema <= splitter.Schema || ev.Kind == kindKill }

// checkName refuses what is no split's name.
func checkName(name string) error {
	if !splitter.ValidName(name) {
		return fmt.Errorf("name %q: must match [a-z0-9][a-z0-9_-]{0,62}", name)
	}
	return nil
}
