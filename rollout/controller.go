package rollout

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// How often the controller does what it does, and how long it waits for the store.
const (
	pulseEvery   = time.Second
	storeTimeout = time.Second
	// firstContact bounds how long loading a configuration waits for the store.
	firstContact = 500 * time.Millisecond
	// refillAfter is how many pulses in a row must find the store empty before a State is written back into it.
	refillAfter = 2
)

// Options configure a Controller.
type Options struct {
	// Instance names this proxy; Release is its version.
	Instance, Release string
	// Open opens the store; it is called by Start.
	Open func() (store.Store, error)
	// Memory remembers States where no store is reached yet. Required.
	Memory Memory
	// StableWhenStale gives a trial's share of at most a half to stable once the store was away for MaxStale.
	StableWhenStale bool
	MaxStale        time.Duration // default 5 min
	// BootWait is how long an instance without store and memory counts as not ready. Default 5 s.
	BootWait time.Duration
	// OnEvent is told, in order and from one goroutine, of each State that this instance applies after its first.
	// May be nil.
	OnEvent func(s *splitter.State)
	Log     *zap.Logger
}

// Controller keeps one proxy in step with its fleet: it applies what the store says, writes what people and verdicts
// say, and judges. All methods may be called concurrently.
type Controller struct {
	opts    Options
	id      store.MemberID
	started time.Time
	log     *zap.Logger
	poke    chan struct{} // asks for a pulse at once
	secret  atomic.Pointer[string]
	skew    atomic.Int64 // store's clock minus ours, in nanoseconds
	contact atomic.Int64 // when the store last answered, in ns since started; 0 = never

	mu        sync.Mutex // protects the following fields
	store     store.Store
	splits    map[string]*Split
	running   bool
	stop      context.CancelFunc
	lastError error
	events    chan *splitter.State
	loops     sync.WaitGroup
}

// New returns a Controller that remembers but does not run yet.
func New(opts Options) *Controller {
	if opts.MaxStale == 0 {
		opts.MaxStale = 5 * time.Minute
	}
	if opts.BootWait == 0 {
		opts.BootWait = 5 * time.Second
	}
	return &Controller{
		opts:    opts,
		id:      store.MemberID{Name: opts.Instance, Boot: newID()},
		started: time.Now(),
		log:     opts.Log,
		poke:    make(chan struct{}, 1),
		splits:  map[string]*Split{},
		events:  make(chan *splitter.State, 256),
	}
}

// newID returns 64 random bits in hexadecimal: a change id, a salt, a boot id.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

func (c *Controller) seed() Seed { return Seed{Now: c.now(), ID: newID(), Salt: newID()} }

// now is the store's clock as last heard; our own before that.
func (c *Controller) now() time.Time { return time.Now().Add(time.Duration(c.skew.Load())).Round(0) }

// Start opens the store and begins to work; starting twice does nothing. It waits at most half a second for the store.
func (c *Controller) Start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		return nil
	}
	st, err := c.opts.Open()
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	if w := st.Describe().Warning; w != "" {
		c.log.Warn("store: "+w, zap.String("store", st.Describe().Address))
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.store, c.stop, c.running = st, cancel, true
	first := make(chan struct{})
	c.loops.Go(func() { c.pulseLoop(ctx, first) })
	c.loops.Go(func() { c.watchLoop(ctx) })
	c.loops.Go(func() { c.judgeLoop(ctx) })
	c.loops.Go(func() { c.eventLoop(ctx) })
	select {
	case <-first:
	case <-time.After(firstContact):
	}
	return nil
}

// Close says goodbye to the fleet, stops all work and closes the store.
func (c *Controller) Close() error {
	c.mu.Lock()
	st, stop, running := c.store, c.stop, c.running
	c.running = false
	c.mu.Unlock()
	if !running {
		return nil
	}
	stop()
	c.loops.Wait() // they use the store until then
	c.mu.Lock()
	c.store = nil
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout/2)
	defer cancel()
	if err := st.Leave(ctx, c.id); err != nil {
		c.log.Warn("could not say goodbye to the fleet; it will list this instance as silent", zap.Error(err))
	}
	return st.Close()
}

// Attach adds a user of a split: a handler of one generation of the configuration (any comparable value). Call Detach
// once for each success. On a running controller it waits, at most half a second, for the store's State.
func (c *Controller) Attach(def Definition, generation any) (*Attachment, error) {
	s := c.splitFor(def.Name)
	a, err := s.attach(def, generation)
	if err != nil {
		c.drop(s)
		return nil, err
	}
	if s.storedState() == nil {
		c.firstLook(s)
	}
	c.Poke()
	return a, nil
}

// splitFor returns the named split, recalled from memory if this is its first user.
func (c *Controller) splitFor(name string) *Split {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.splits[name]
	if !ok {
		s = newSplit(name)
		c.splits[name] = s
		c.recall(s)
	}
	return s
}

// firstLook loads a split's State if there is a store to ask.
func (c *Controller) firstLook(s *Split) {
	ctx, cancel := context.WithTimeout(context.Background(), firstContact)
	defer cancel()
	if c.openStore() == nil {
		return
	}
	if err := c.reload(ctx, s); err != nil {
		c.log.Debug("no state yet", zap.String("split", s.name), zap.Error(err))
	}
}

// Detach ends what Attach began. A split without users is forgotten here; its State stays in the store.
func (c *Controller) Detach(a *Attachment) {
	a.split.detach(a)
	c.drop(a.split)
}

// drop forgets a split that has no users.
func (c *Controller) drop(s *Split) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.attachments) == 0 && c.splits[s.name] == s {
		delete(c.splits, s.name)
	}
}

// Poke asks for a pulse at once instead of within a second.
func (c *Controller) Poke() {
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// Secret returns the fleet's generated secret; empty until the store has told it.
func (c *Controller) Secret() string {
	if s := c.secret.Load(); s != nil {
		return *s
	}
	return ""
}

// openStore returns the store; nil while not started.
func (c *Controller) openStore() store.Store {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store
}

// all returns the splits in use.
func (c *Controller) all() []*Split {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*Split, 0, len(c.splits))
	for _, s := range c.splits {
		out = append(out, s)
	}
	return out
}
