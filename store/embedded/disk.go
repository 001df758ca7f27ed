package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// logSuffix is what the name of every event log ends with.
const logSuffix = ".jsonl"

// disk is an open folder.
type disk struct {
	folder string
	states *store.Dir
	judges *store.Dir
	groups *store.Dir
	lock   *os.File
}

// loaded is what was found in a folder.
type loaded struct {
	splits map[string]*split
	secret string
	judges judges
	groups map[string]*group
	last   store.Cursor // of all events
	lost   []string     // what could not be read, in sentences
}

// openDisk locks a folder, repairs what a crash left there and reads it.
func openDisk(folder string) (*disk, loaded, error) {
	d := &disk{folder: folder}
	if err := os.MkdirAll(d.events(), 0o700); err != nil {
		return nil, loaded{}, fmt.Errorf("make folder: %w", err)
	}
	lock, err := acquire(folder)
	if err != nil {
		return nil, loaded{}, err
	}
	d.lock = lock
	found, err := d.load()
	if err != nil {
		return nil, loaded{}, errors.Join(err, d.close())
	}
	return d, found, nil
}

// close lets go of the folder.
func (d *disk) close() error {
	if err := d.lock.Close(); err != nil {
		return fmt.Errorf("close lock: %w", err)
	}
	return nil
}

// events returns the folder of event logs.
func (d *disk) events() string { return filepath.Join(d.folder, "events") }

// logPath returns a split's event log.
func (d *disk) logPath(name string) string { return filepath.Join(d.events(), name+logSuffix) }

// secretPath returns the file of the secret.
func (d *disk) secretPath() string { return filepath.Join(d.folder, "secret") }

// load removes and repairs what a crash left, and reads everything. Caller must hold the lock.
func (d *disk) load() (loaded, error) {
	states, err := store.OpenDir(statesIn(d.folder))
	if err != nil {
		return loaded{}, err
	}
	d.states = states
	if d.judges, err = store.OpenDir(judgesIn(d.folder)); err != nil {
		return loaded{}, err
	}
	if d.groups, err = store.OpenDir(groupsIn(d.folder)); err != nil {
		return loaded{}, err
	}
	if err := errors.Join(store.RemoveTemps(d.folder), store.RemoveTemps(d.events())); err != nil {
		return loaded{}, err
	}
	found, err := d.read()
	if err != nil {
		return loaded{}, err
	}
	for name, sp := range found.splits {
		if err := sp.log.repair(); err != nil {
			return loaded{}, err
		}
		if sp.log.broken > 0 {
			found.lost = append(found.lost, fmt.Sprintf("the event log of %q had %d unreadable lines; it was put aside as %s",
				name, sp.log.broken, sp.log.aside()))
		}
	}
	return found, nil
}

// read reads everything and changes nothing.
func (d *disk) read() (loaded, error) {
	secret, err := d.readSecret()
	if err != nil {
		return loaded{}, err
	}
	records, err := readAll(d.states)
	if err != nil {
		return loaded{}, err
	}
	found := loaded{splits: make(map[string]*split, len(records)), secret: secret}
	if found.judges, err = readJudges(d.judges); err != nil {
		return loaded{}, err
	}
	for name, rec := range records {
		l, err := readLog(d.logPath(name))
		if err != nil {
			return loaded{}, err
		}
		l.complete(rec.event)
		found.splits[name] = &split{record: rec, log: l}
	}
	if found.groups, found.lost, err = readGroups(d.groups); err != nil {
		return loaded{}, err
	}
	found.number(time.Now())
	return found, nil
}

// number gives all events cursors that have none, and drops those that logs do not keep.
func (found *loaded) number(now time.Time) {
	for _, sp := range found.splits {
		for _, e := range sp.log.entries {
			found.last = laterOf(found.last, e.at)
		}
	}
	for _, g := range found.groups {
		found.last = laterOf(found.last, g.after)
	}
	for _, name := range slices.Sorted(maps.Keys(found.splits)) {
		l := found.splits[name].log
		found.last = l.number(found.last)
		l.trim(now)
	}
}

// laterOf returns the cursor that comes later.
func laterOf(a, b store.Cursor) store.Cursor {
	if a.Compare(b) < 0 {
		return b
	}
	return a
}

// newLog returns the log of a split that has none in memory.
func (d *disk) newLog(name string) *eventLog {
	if d == nil {
		return &eventLog{}
	}
	return &eventLog{path: d.logPath(name)}
}

// write replaces a split's document. Without a disk there is nothing to do.
func (d *disk) write(next *splitter.State, ev store.Event) error {
	if d == nil {
		return nil
	}
	return writeOne(d.states, record{state: next, event: ev})
}

// readSecret returns the secret; empty if there is none.
func (d *disk) readSecret() (string, error) {
	secret, err := os.ReadFile(d.secretPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read secret: %w", err)
	}
	return strings.TrimSpace(string(secret)), nil
}

// writeSecret keeps the secret. Without a disk there is nothing to do.
func (d *disk) writeSecret(secret string) error {
	if d == nil {
		return nil
	}
	return store.WriteFile(d.secretPath(), []byte(secret+"\n"))
}

// refusesWrites reports whether err says that the folder cannot be written to: for lack of permission, because it is
// read-only, or because it is full.
func refusesWrites(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOSPC) ||
		errors.Is(err, syscall.EDQUOT)
}
