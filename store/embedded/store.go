package embedded

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/switchback-proxy/switchback/store"
)

// Store is a store.Store on one machine. Open makes one.
type Store struct {
	folder  string
	warning string
	disk    *disk // nil: in memory only
	closed  chan struct{}
	closing sync.Once
	closeOK error // what closing said; written once

	// writing is held (by sending) while a change goes to disk. It is a channel, so that waiting for a slow disk ends
	// with the caller's context.
	writing chan struct{}

	watchers watchers

	// Of the following fields none is touched but while writing is held.
	outbox []entry // of all splits, in the order of their cursors; at most store.OutboxKept
	last   store.Cursor
	groups map[string]*group

	mu      sync.Mutex // protects following fields; never held while the disk is written to
	splits  map[string]*split
	members map[store.MemberID]store.Member
	secret  string
	pins    map[string]map[string]pinned // by split and id

	evidence map[string]*evidence // by split
	unsaved  map[string]string    // why what a judge knows is not on disk, or was lost there, by split
}

// split is what the store holds of one split. Both fields are guarded by Store.mu; log is only changed while writing
// is held too.
type split struct {
	record
	log *eventLog
}

var _ store.Store = (*Store)(nil)

// Open opens the store in a folder, which is made if there is none. It waits up to a second for another process to
// let go of it. If the folder cannot be written to, the store starts from what it can read there, works in memory,
// and Describe warns.
func Open(folder string) (*Store, error) {
	s := &Store{
		folder:   folder,
		closed:   make(chan struct{}),
		writing:  make(chan struct{}, 1),
		splits:   map[string]*split{},
		members:  map[store.MemberID]store.Member{},
		pins:     map[string]map[string]pinned{},
		evidence: map[string]*evidence{},
		unsaved:  map[string]string{},
		groups:   map[string]*group{},
	}
	d, found, err := openDisk(folder)
	if refusesWrites(err) {
		err = s.openInMemory(err)
	} else {
		s.disk = d
		s.start(found)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// start takes what was found in the folder.
func (s *Store) start(found loaded) {
	s.splits, s.secret = found.splits, found.secret
	s.groups, s.last, s.outbox = found.groups, found.last, found.outbox()
	if s.warning == "" {
		s.warning = strings.Join(found.lost, "; ")
	}
	for split, why := range found.judges.lost {
		s.unsaved[split] = why
	}
	for split, state := range found.judges.states {
		s.evidenceOf(split).judge = state
	}
}

// openInMemory takes what can be read on a disk that cannot be written to, and says so.
func (s *Store) openInMemory(cause error) error {
	s.warning = "changes are kept in memory only and are lost at a restart, kills included: " + cause.Error()
	d := &disk{folder: s.folder, states: store.DirAt(statesIn(s.folder)), judges: store.DirAt(judgesIn(s.folder)),
		groups: store.DirAt(groupsIn(s.folder))}
	found, err := d.read()
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, sp := range found.splits {
		sp.log.path = ""
	}
	s.start(found)
	return nil
}

// Describe says where the States are.
func (s *Store) Describe() store.Description {
	var warnings []string
	if s.warning != "" {
		warnings = append(warnings, s.warning)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, split := range slices.Sorted(maps.Keys(s.unsaved)) {
		warnings = append(warnings, s.unsaved[split])
	}
	return store.Description{Kind: "embedded", Address: s.folder, Warning: strings.Join(warnings, "; ")}
}

// Close waits for the change that is being written, ends all watches and lets go of the folder.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.writing <- struct{}{} // never given back: no change can follow
		close(s.closed)
		if s.disk != nil {
			s.closeOK = s.disk.close()
		}
	})
	return s.closeOK
}

// guard refuses a call on a closed store or with a context that is done.
func (s *Store) guard(ctx context.Context) error {
	select {
	case <-s.closed:
		return store.Closed()
	default:
	}
	if err := ctx.Err(); err != nil {
		return store.Unavailable(err)
	}
	return nil
}

// lockWriting waits until no other change is being written.
func (s *Store) lockWriting(ctx context.Context) error {
	if err := s.guard(ctx); err != nil {
		return err
	}
	select {
	case s.writing <- struct{}{}:
		return nil
	case <-s.closed:
		return store.Closed()
	case <-ctx.Done():
		return store.Unavailable(ctx.Err())
	}
}

func (s *Store) unlockWriting() { <-s.writing }
