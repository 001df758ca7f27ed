//go:build unix

package rollout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// run lets a schedule happen. What people ask for is answered in its own time.
func (w *world) run(s schedule) error {
	for _, step := range s.steps {
		if err := w.do(step, w.nodes[step.who]); err != nil {
			return fmt.Errorf("%v: %w", step, err)
		}
		time.Sleep(step.pause)
	}
	return nil
}

// do lets one step happen.
func (w *world) do(s step, n *node) error {
	switch s.kind {
	case setWeight, killSomething, reviveSomething:
		w.asks(n, s, askFor(s))
	case orderKill, orderRevive:
		return w.orders(s)
	case fallIll, heal:
		w.tells(n.name, "%v", s)
		n.wire.falls(s.illness)
	case copyKeys, goBack, goEmpty, comeApart, comeTogether:
		return w.befallKeys(s)
	default:
		return w.befallProcess(s, n)
	}
	return nil
}

// askFor returns the control call of a step.
func askFor(s step) func(context.Context, *life, rollout.By) (rollout.Result, error) {
	return func(ctx context.Context, l *life, by rollout.By) (rollout.Result, error) {
		switch s.kind {
		case setWeight:
			weights := map[string]splitter.Weight{"green": s.share}
			return l.SetWeights(ctx, "assistant", rollout.WeightChange{Weights: weights}, by)
		case killSomething:
			return l.Kill(ctx, "assistant", rollout.KillRequest{Variant: s.variant}, by)
		default:
			return l.Revive(ctx, "assistant", rollout.ReviveRequest{Variant: s.variant}, by)
		}
	}
}

// orders writes an order into the break-glass inbox.
func (w *world) orders(s step) error {
	r := w.begin("redis-cli", s)
	text := "revive"
	if s.kind == orderKill {
		text = r.reason
	}
	err := w.keys.order(text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastOrder = r
	return err
}

// befallKeys lets something happen to what Redis holds of the fleet.
func (w *world) befallKeys(s step) (err error) {
	switch s.kind {
	case copyKeys:
		w.copied, err = w.keys.dump()
	case goBack:
		if w.copied == nil {
			return nil
		}
		err = w.keys.restore(w.copied)
	case goEmpty:
		err = w.keys.restore(nil)
	case comeApart:
		return w.comesApart(s)
	case comeTogether:
		for _, n := range w.nodes {
			n.wire.leadTo(w.keys.addr())
		}
	}
	w.tells("redis", "%v", s)
	if s.kind == goBack || s.kind == goEmpty {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lastOrder = nil // it may be gone
	}
	return err
}

// comesApart gives some instances another Redis, which is a copy of the one.
func (w *world) comesApart(s step) error {
	all, err := w.keys.dump()
	if err != nil {
		return err
	}
	if err := w.other.restore(all); err != nil {
		return err
	}
	w.tells("redis", "%v", s)
	for i, n := range w.nodes {
		if s.apart[i] {
			n.wire.leadTo(w.other.addr())
		} else {
			n.wire.leadTo(w.keys.addr())
		}
	}
	return nil
}

// befallProcess lets something happen to a process or its disk.
func (w *world) befallProcess(s step, n *node) error {
	isUp := n.life != nil
	switch {
	case s.kind == copyDisk:
		return w.copiesDisk(n)
	case isUp == (s.kind == rise || s.kind == riseOlder):
		return nil
	}
	w.tells(n.name, "%v", s)
	switch s.kind {
	case goodbye:
		return w.ends(n)
	case crash:
		return w.crashes(n)
	case loseDisk:
		return w.losesDisk(n)
	case riseOlder:
		if err := w.takeSpare(n); err != nil {
			return err
		}
	}
	return w.rises(n)
}

// crashes ends a process without a goodbye. Its disk keeps what was on it at that moment: whatever the process still
// writes is not seen again.
func (w *world) crashes(n *node) error {
	w.silence(n.life)
	disk := w.newDisk()
	if err := copyFolder(disk, n.disk); err != nil {
		return err
	}
	if err := w.vanishes(n); err != nil {
		return err
	}
	n.disk = disk
	return w.heldToDisk(n, n.knows.queued)
}

// losesDisk ends a process without a goodbye, and nothing of it is left.
func (w *world) losesDisk(n *node) error {
	if err := w.vanishes(n); err != nil {
		return err
	}
	n.disk, n.knows = w.newDisk(), newKnowledge()
	return nil
}

// vanishes ends a process so that nobody hears of it. Its wire is as it was, afterwards.
func (w *world) vanishes(n *node) error {
	n.wire.mu.Lock()
	before := n.wire.illness
	n.wire.mu.Unlock()
	n.wire.falls(illness{ail: severed})
	err := w.ends(n)
	n.wire.falls(before)
	return err
}

// copiesDisk keeps a copy of a node's disk.
func (w *world) copiesDisk(n *node) error {
	w.tells(n.name, "disk is copied")
	n.spare = w.newDisk()
	return copyFolder(n.spare, n.disk)
}

// takeSpare puts the copy of a disk, if there is one, in its place.
func (w *world) takeSpare(n *node) error {
	if n.spare == "" {
		return nil
	}
	n.disk, n.spare = n.spare, ""
	return w.heldToDisk(n, nil)
}

// heldToDisk makes a node answer only for what is on its disk, in which these kills must be.
func (w *world) heldToDisk(n *node, queued map[string]struct{}) error {
	n.knows = newKnowledge()
	snap, err := rollout.Snapshots{Dir: store.DirAt(n.disk)}.Recall("assistant")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if snap.State != nil {
		n.knows.learn(snap.State, n.name+"'s disk has it")
	}
	for _, k := range snap.Queued {
		n.knows.kills[k.ID] = n.name + "'s disk has it queued"
	}
	doc, err := os.ReadFile(filepath.Join(n.disk, "assistant.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sees(snap.Queued)
	for id := range queued {
		n.knows.kills[id] = "it was answered queued"
		isMerged := snap.State != nil && w.fateOf(id, snap.State) != forgotten
		if !isMerged && !bytes.Contains(doc, []byte(id)) {
			w.accuse(n.name, "kill %s was answered queued, and is not on its disk: %s", id, doc)
		}
	}
	return nil
}

// copyFolder copies a folder of files, as they are at one moment each; one that is not there is as good as empty.
func copyFolder(to, from string) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		doc, err := os.ReadFile(filepath.Join(from, e.Name()))
		if errors.Is(err, fs.ErrNotExist) { // it was a temporary file
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), doc, 0o600); err != nil {
			return err
		}
	}
	return nil
}
