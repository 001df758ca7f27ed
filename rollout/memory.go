package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Memory keeps, on this machine, what an instance must know to start without its store.
type Memory interface {
	// Recall returns what was saved last; fs.ErrNotExist if nothing was.
	Recall(split string) (Snapshot, error)
	// Save replaces it, atomically. A Memory that has nowhere to keep what the store did not take says so with an error
	// that wraps errors.ErrUnsupported.
	Save(split string, s Snapshot) error
}

// Snapshot is what an instance remembers of a split.
type Snapshot struct {
	// State is the store's State as last known; nil if it never was.
	State *splitter.State `json:"state,omitempty"`
	// Queued are kills that no store has confirmed: they are replayed over any State that does not list them as lifted.
	Queued []splitter.Kill `json:"queued,omitempty"`
	// Carried are kills that are in force in the store that this proxy used before. They are not saved as such.
	Carried []splitter.Kill `json:"-"`
	// Lost are States that the store has lost and that are not written again yet.
	Lost []*splitter.State `json:"lost,omitempty"`
	// Failback is a failback that no store has confirmed; nil if there is none.
	Failback *LocalFailback `json:"failback,omitempty"`
	// SavedAt is by this machine's clock.
	SavedAt time.Time `json:"saved_at"`
}

// LocalFailback is a failback that was made while the store was away.
type LocalFailback struct {
	// Epoch is the trial that it ended.
	Epoch uint64 `json:"epoch"`
	// At is when, by the store's clock as last heard.
	At time.Time `json:"at"`
	// Verdict is what it rests on.
	Verdict health.Verdict `json:"verdict"`
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
	if err := s.check(split); err != nil {
		return Snapshot{}, fmt.Errorf("snapshot of %q: %w", split, err)
	}
	return s, nil
}

// check says what is wrong with a snapshot that was read.
func (s Snapshot) check(split string) error {
	for _, k := range slices.Concat(s.Queued, s.Carried) {
		if err := checkKill(k); err != nil {
			return err
		}
	}
	for _, state := range append(s.Lost, s.State) {
		switch {
		case state == nil:
		case state.Split != split:
			return fmt.Errorf("it holds the state of %q", state.Split)
		default:
			if err := state.Validate(); err != nil {
				return err
			}
		}
	}
	return nil
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
	s.stored = snap.State
	for _, k := range slices.Concat(snap.Carried, c.replayable(s.name, snap.Queued)) {
		if !hasKill(s.queue, k.ID) {
			s.queue = append(s.queue, k)
		}
	}
	for _, state := range snap.Lost {
		s.lost = append(s.lost, lostState{state, true})
	}
	if f := snap.Failback; f != nil {
		s.overlay = &localFailback{verdict{Verdict: f.Verdict, epoch: f.Epoch}, Seed{Now: f.At, ID: newID(), Salt: newID()}}
	}
	s.refresh()
}

// bury lets the tombstone of a split that this instance does not run take the place of what it remembers of it: should
// the store lose the tombstone, nobody shall bring the split back from here.
func (c *Controller) bury(state *splitter.State) {
	if state == nil || state.Forgotten.IsZero() {
		return
	}
	c.loops.Go(func() {
		if _, err := c.opts.Memory.Recall(state.Split); errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err := c.opts.Memory.Save(state.Split, Snapshot{State: state, SavedAt: time.Now()}); err != nil {
			c.log.Warn("the snapshot of a forgotten split cannot be replaced", zap.String("split", state.Split), zap.Error(err))
		}
	})
}

// replayable leaves out kills that have waited for so long that nobody remembers any more whether they were lifted.
func (c *Controller) replayable(split string, queued []splitter.Kill) []splitter.Kill {
	var kills []splitter.Kill
	for _, k := range queued {
		if c.now().Sub(k.At) < revivedKept {
			kills = append(kills, k)
			continue
		}
		c.log.Error("a kill that was queued on disk is too old to be replayed: kill again if it should still hold",
			zap.String("split", split), zap.String("kill", k.ID), zap.String("variant", k.Variant), zap.Time("at", k.At),
			zap.String("actor", k.Actor), zap.String("reason", k.Reason))
	}
	return kills
}

// saveSoon asks for a split's snapshot to be written, apart from whatever else is done: a slow disk must not hold up a
// kill, nor the fleet's next change.
func (c *Controller) saveSoon(s *Split) {
	c.mu.Lock()
	c.unsaved[s] = struct{}{}
	c.mu.Unlock()
	select {
	case c.save <- struct{}{}:
	default:
	}
}

// saveLoop writes the snapshots that are asked for. What is asked for several times meanwhile is written once.
func (c *Controller) saveLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.save:
			c.saveAll()
		}
	}
}

// saveAll writes the snapshots that were asked for.
func (c *Controller) saveAll() {
	c.mu.Lock()
	splits := c.unsaved
	c.unsaved = map[*Split]struct{}{}
	c.mu.Unlock()
	for s := range splits {
		if err := c.remember(s); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			c.log.Error("the snapshot cannot be written; a restart without the store would not know of the last change",
				zap.String("split", s.name), zap.Error(err))
		}
	}
}

// remember saves what is known of a split now.
func (c *Controller) remember(s *Split) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	snap := Snapshot{State: s.stored, Queued: s.queue, Failback: s.overlay.document(), SavedAt: time.Now()}
	for _, lost := range s.lost {
		snap.Lost = append(snap.Lost, lost.state)
	}
	s.mu.Unlock()
	return c.opts.Memory.Save(s.name, snap)
}
