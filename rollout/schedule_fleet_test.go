//go:build unix

package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
)

const (
	// hurry is by how much the fleets of schedules are faster than real ones in what they do by themselves.
	hurry = 50
	// askedFor is how long somebody waits for what they asked for.
	askedFor = 2 * time.Second
)

// node is one instance: its way to Redis, its disk, and its process while it has one.
type node struct {
	name  string
	wire  *wire
	disk  string     // folder
	knows *knowledge // what the disk, and the process on it, can be held to
	life  *life      // nil while it is down
	spare string     // folder of a copy of the disk; empty: none
	runs  int        // processes so far
}

// life is one process of a node.
type life struct {
	*rollout.Controller
	name  string
	at    *rollout.Attachment
	knows *knowledge
	ended bool // protected by history.mu
	// What the last look at it saw: only the one who looks uses them.
	last  *splitter.State
	kills map[string]struct{}
}

// state returns what it decides by; nil while it is blind.
func (l *life) state() *splitter.State { return l.at.View().State }

// world is where one schedule happens: a fleet of its own on two servers that it shares.
type world struct {
	*history
	keys   fleetKeys // on the server
	other  fleetKeys // on another server, for a half of the fleet
	nodes  []*node
	asked  sync.WaitGroup // what has no answer yet
	disks  string         // folder
	ndisks int
	copied []string // the fleet's keys, as somebody copied them

	lives struct {
		sync.Mutex         // protects the following field
		all        []*life // that have not ended
	}
}

// newWorld starts a fleet of n at once. The caller ends it, whatever the error.
func newWorld(keys, other fleetKeys, n int, disks string) (*world, error) {
	w := &world{history: newHistory(), keys: keys, other: other, disks: disks}
	for i := range n {
		wire, err := newWire(keys.addr())
		if err != nil {
			return w, err
		}
		node := &node{name: fmt.Sprintf("proxy-%d", i+1), wire: wire, disk: w.newDisk(), knows: newKnowledge()}
		w.nodes = append(w.nodes, node)
	}
	return w, w.raise()
}

// raise starts the processes of all nodes that have none.
func (w *world) raise() error {
	errs := make([]error, len(w.nodes))
	var together sync.WaitGroup
	for i, n := range w.nodes {
		if n.life == nil {
			together.Go(func() { errs[i] = w.rises(n) })
		}
	}
	together.Wait()
	return errors.Join(errs...)
}

// newDisk returns the folder of an empty disk.
func (w *world) newDisk() string {
	w.ndisks++
	return filepath.Join(w.disks, fmt.Sprintf("disk-%d", w.ndisks))
}

// end ends all processes and wires, and removes the fleet's keys.
func (w *world) end() error {
	w.asked.Wait()
	errs := make([]error, len(w.nodes))
	var together sync.WaitGroup
	for i, n := range w.nodes {
		together.Go(func() {
			if n.life != nil {
				errs[i] = w.ends(n)
			}
			n.wire.close()
		})
	}
	together.Wait()
	return errors.Join(append(errs, w.keys.clear(), w.other.clear(), os.RemoveAll(w.disks))...)
}

// rises starts a node's process.
func (w *world) rises(n *node) error {
	n.runs++
	l := &life{name: fmt.Sprintf("%s.%d", n.name, n.runs), knows: n.knows, kills: map[string]struct{}{}}
	cfg := redis.Config{URL: "redis://" + n.wire.addr(), Fleet: w.keys.fleet}
	l.Controller = rollout.New(rollout.Hurried(rollout.Options{
		Instance: n.name, Release: "v0.0.0",
		Open:    func() (store.Store, error) { return redis.Open(cfg, nil) },
		Memory:  rollout.Snapshots{Dir: store.DirAt(n.disk)},
		Log:     zap.NewNop(),
		OnEvent: func(_ store.Event, s *splitter.State) { w.applied(l, s) },
	}, hurry))
	var err error
	if l.at, err = l.Attach(withoutJudge(assistant(99, 1)), "first"); err != nil {
		return fmt.Errorf("%s: Attach: %w", n.name, err)
	}
	w.tells(l.name, "rises with %s", describe(l.state()))
	w.lives.Lock()
	w.lives.all = append(w.lives.all, l)
	w.lives.Unlock()
	n.life = l
	if err := l.Start(); err != nil {
		return fmt.Errorf("%s: Start: %w", n.name, err)
	}
	return nil
}

// describe is a State for people, if there is one.
func describe(s *splitter.State) string {
	if s == nil {
		return "no state"
	}
	return gistLine(s)
}

// silence makes a process one that answers nobody any more.
func (w *world) silence(l *life) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l.ended = true
}

// ends ends a node's process.
func (w *world) ends(n *node) error {
	l := n.life
	n.life = nil
	w.silence(l)
	w.lives.Lock()
	w.lives.all = slices.DeleteFunc(w.lives.all, func(o *life) bool { return o == l })
	w.lives.Unlock()
	return l.Close()
}

// asks asks a process for something and does not wait for the answer.
func (w *world) asks(n *node, s step, ask func(ctx context.Context, l *life, by rollout.By) (rollout.Result, error)) {
	l := n.life
	if l == nil {
		return
	}
	r := w.begin(l.name, s)
	w.asked.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), askedFor)
		defer cancel()
		res, err := ask(ctx, l, rollout.By{Actor: "somebody", Via: "socket", Reason: r.reason})
		w.history.ends(l, r, res, err)
	})
}

// look looks at all processes until ctx is done: what each decides by never goes back and never loses a kill.
func (w *world) look(ctx context.Context) {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for ctx.Err() == nil {
		w.lives.Lock()
		lives := slices.Clone(w.lives.all)
		w.lives.Unlock()
		for _, l := range lives {
			w.lookAt(l)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// lookAt compares what a process decides by with what it decided by before.
func (w *world) lookAt(l *life) {
	now := l.state()
	if now == nil || now == l.last {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.last != nil && now.Revision < l.last.Revision {
		w.accuse(l.name, "went back from revision %s to %s", short(l.last.Version), short(now.Version))
	}
	w.sees(now.Kills)
	if w.states[now.Version] == nil { // of its first, nobody is told
		w.states[now.Version] = now
	}
	for _, k := range now.Kills {
		l.kills[k.ID] = struct{}{}
	}
	maps.DeleteFunc(l.kills, func(id string, _ struct{}) bool {
		isLost := w.fateOf(id, now) == forgotten
		if isLost && !w.isOverwritten(id) {
			w.accuse(l.name, "kill %.12s, by which it decided, is neither on nor lifted at %s", id, gistLine(now))
		}
		return isLost
	})
	l.last = now
}
