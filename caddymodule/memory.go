package caddymodule

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"weak"

	"github.com/caddyserver/caddy/v2"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// carrying is the memory of a controller that takes another one's place in a running process: a reload has changed the
// store, the fleet or the name. Kills that hold here go on to hold.
type carrying struct {
	rollout.Memory
	// before is weak: it is asked while it still runs, and a line of controllers, each of which holds the one before,
	// would never be let go.
	before weak.Pointer[rollout.Controller]
}

// Recall reads what is remembered, and adds what is killed now.
func (m carrying) Recall(split string) (rollout.Snapshot, error) {
	snap, err := m.Memory.Recall(split)
	before := m.before.Value()
	if before == nil || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return snap, err
	}
	running := before.Split(split)
	if running == nil {
		return snap, err
	}
	if state := running.State(); state != nil && len(state.Kills) > 0 {
		snap.Carried = append(snap.Carried, state.Kills...)
		err = nil
	}
	return snap, err
}

// memory returns where this machine remembers States: the embedded store's own files, or snapshots beside Redis.
func (a *App) memory() rollout.Memory {
	if e := a.Store.Embedded; e != nil {
		return embeddedMemory{filepath.Join(e.Dir, a.Fleet)}
	}
	home := filepath.Join(caddy.AppDataDir(), defaultDir)
	return fleetMemory{
		Snapshots: rollout.Snapshots{Dir: store.DirAt(filepath.Join(home, "snapshots", a.Fleet, a.Instance))},
		before:    []embeddedMemory{{filepath.Join(home, a.Fleet)}, {filepath.Join(home, defaultFleet)}},
	}
}

// fleetMemory is that of a proxy on Redis. The proxy may have come from the embedded store in its default folder, for
// the first time or again: kills that are on there go with it.
type fleetMemory struct {
	rollout.Snapshots
	before []embeddedMemory // folders of the embedded store: of this fleet, and of one that had no name yet
}

// Recall reads the split's snapshot, and what is killed in the embedded store. After the first move these kills wait as
// queued ones do: the fleet may have lifted them since.
func (m fleetMemory) Recall(split string) (rollout.Snapshot, error) {
	snap, err := m.Snapshots.Recall(split)
	isFirst := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isFirst {
		return snap, err
	}
	kills := m.killedBefore(split)
	switch {
	case len(kills) == 0:
		return snap, err
	case isFirst:
		return rollout.Snapshot{Carried: kills}, nil
	}
	snap.Queued = append(snap.Queued, kills...)
	return snap, nil
}

// killedBefore returns what is killed in the embedded store. A folder that cannot be read is none that the proxy comes
// from.
func (m fleetMemory) killedBefore(split string) []splitter.Kill {
	for _, folder := range m.before {
		if snap, err := folder.Recall(split); err == nil && snap.State != nil {
			return snap.State.Kills
		}
	}
	return nil
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
