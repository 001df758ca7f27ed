package caddymodule

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// memory returns where this machine remembers States: the embedded store's own files, or snapshots beside Redis.
func (a *App) memory() rollout.Memory {
	if e := a.Store.Embedded; e != nil {
		return embeddedMemory{filepath.Join(e.Dir, a.Fleet)}
	}
	home := filepath.Join(caddy.AppDataDir(), defaultDir)
	return fleetMemory{
		Snapshots: rollout.Snapshots{Dir: store.DirAt(filepath.Join(home, "snapshots", a.Fleet, a.Instance))},
		before:    embeddedMemory{filepath.Join(home, a.Fleet)},
	}
}

// fleetMemory is that of a proxy on Redis. The proxy may have come from the embedded store in its default folder, for
// the first time or again: kills that are on there go with it.
type fleetMemory struct {
	rollout.Snapshots
	before embeddedMemory
}

// Recall reads the split's snapshot, and what is killed in the embedded store. After the first move these kills wait as
// queued ones do: the fleet may have lifted them since.
func (m fleetMemory) Recall(split string) (rollout.Snapshot, error) {
	snap, err := m.Snapshots.Recall(split)
	isFirst := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isFirst {
		return snap, err
	}
	before, moved := m.before.Recall(split)
	switch {
	case moved != nil || before.State == nil:
		return snap, err // a folder that cannot be read is none that the proxy comes from
	case isFirst:
		return rollout.Snapshot{Carried: before.State.Kills}, nil
	}
	snap.Queued = append(snap.Queued, before.State.Kills...)
	return snap, nil
}

// embeddedMemory reads the embedded store's files, without its lock.
type embeddedMemory struct{ dir string }

// Recall reads the split's State.
func (m embeddedMemory) Recall(split string) (rollout.Snapshot, error) {
	states, err := embedded.Read(m.dir)
	if err != nil {
		return rollout.Snapshot{}, err
	}
	state, ok := states[split]
	if !ok {
		return rollout.Snapshot{}, fs.ErrNotExist
	}
	return rollout.Snapshot{State: state}, nil
}

// Save has nothing to do for a State, which the store has written. A kill that the store did not take is kept nowhere:
// its disk is this one.
func (embeddedMemory) Save(_ string, s rollout.Snapshot) error {
	if len(s.Queued) > 0 {
		return errNoOtherDisk
	}
	return nil
}

var errNoOtherDisk = fmt.Errorf("the embedded store is this machine's only memory: %w", errors.ErrUnsupported)
