package rollout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Memory keeps, on this machine, what an instance must know to start without its store.
type Memory interface {
	// Recall returns what was saved last; fs.ErrNotExist if nothing was.
	Recall(split string) (Snapshot, error)
	// Save replaces it, atomically.
	Save(split string, s Snapshot) error
}

// Snapshot is what an instance remembers of a split.
type Snapshot struct {
	// State is the store's State as last known; nil if it never was.
	State *splitter.State `json:"state,omitempty"`
	// Queued are kills that no store has confirmed: they are replayed over any State that does not list them as lifted.
	Queued []splitter.Kill `json:"queued,omitempty"`
	// SavedAt is by this machine's clock.
	SavedAt time.Time `json:"saved_at"`
}

// Snapshots is a Memory in a folder, one file per split.
type Snapshots struct{ Dir *store.Dir }

// Recall reads a split's file.
func (m Snapshots) Recall(split string) (Snapshot, error) {
	var s Snapshot
	doc, err := m.Dir.Load(split)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(doc, &s); err != nil {
		return s, fmt.Errorf("snapshot of %q: %w", split, err)
	}
	if s.State != nil {
		if err := s.State.Validate(); err != nil {
			return Snapshot{}, fmt.Errorf("snapshot of %q: %w", split, err)
		}
	}
	return s, nil
}

// Save writes a split's file; the folder is made when it is first needed.
func (m Snapshots) Save(split string, s Snapshot) error {
	if err := os.MkdirAll(m.Dir.Path(), 0o700); err != nil {
		return fmt.Errorf("snapshot of %q: %w", split, err)
	}
	doc, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("snapshot of %q: %w", split, err)
	}
	return m.Dir.Save(split, doc)
}

// recall gives a new split what was remembered of it. A memory that cannot be read is said and passed over: the
// instance boots blind, which is safe.
func (c *Controller) recall(s *Split) {
	snap, err := c.opts.Memory.Recall(s.name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		c.log.Error("the snapshot cannot be read; starting without it", zap.String("split", s.name), zap.Error(err))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored, s.queue = snap.State, snap.Queued
	if err := s.refresh(); err != nil {
		c.log.Error("the snapshot cannot be used; starting without it", zap.String("split", s.name), zap.Error(err))
		s.stored, s.queue = nil, nil
	}
}

// remember saves what is known of a split now. Failing to is said, and hinders nothing else.
func (c *Controller) remember(s *Split) {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	snap := Snapshot{State: s.stored, Queued: slices.Clone(s.queue), SavedAt: time.Now()}
	s.mu.Unlock()
	if err := c.opts.Memory.Save(s.name, snap); err != nil {
		c.log.Error("the snapshot cannot be written; a restart without the store would not know of this change",
			zap.String("split", s.name), zap.Error(err))
	}
}
