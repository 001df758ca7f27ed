package rollout

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// storeTimeout bounds most calls to the store.
	storeTimeout = time.Second
	// firstContact bounds how long loading a configuration waits for the store.
	firstContact = 500 * time.Millisecond
	// maxEvents is how many events may wait for a slow OnEvent; further ones are logged and not passed on.
	maxEvents = 256
)

// pace is how often the controller does what it does by itself.
type pace struct {
	pulse time.Duration
	// roll is how old the list of members may become, which tells of twins and of whom a kill could not be told.
	roll time.Duration
	// refill is how long the store must be found empty before a State that this process saw in it is written back.
	refill time.Duration
	// refillFromDisk is the same for a State that was only found on this machine's disk: by then whoever has a better
	// one has written it.
	refillFromDisk time.Duration
}

var defaultPace = pace{pulse: time.Second, roll: 10 * time.Second, refill: 2 * time.Second, refillFromDisk: 5 * time.Second}

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
	// Flights returns where the requests in progress of a split are entered. A process that may run several Controllers
	// in turn shares them, so that a kill reaches what an earlier one let in. Nil: this Controller's own.
	Flights func(split string) *health.Flights
	// OnEvent is told, in order and from one goroutine, of each State that this instance applies after its first, and of
	// events that change none (s is nil then). It may be slow, but must return: Close waits for it. May be nil.
	OnEvent func(ev store.Event, s *splitter.State)
	// Scraped returns when this process' metrics were read last; zero if they never were. Nil: nobody knows.
	Scraped func() time.Time
	// Expand fills in the placeholders of a webhook's URL, such as {env.GATE_URL}; nil: it is used as it is.
	Expand func(string) string
	// Webhooks asks the webhooks that are gates; nil: by HTTP.
	Webhooks http.RoundTripper
	// Log gets what happens; nil: nobody.
	Log *zap.Logger

	pace pace // zero: defaultPace
}

// Controller keeps one proxy in step with its fleet: it applies what the store says, writes what people and verdicts
// say, and judges. All methods may be called concurrently.
//
// Locks are taken in this order, any of them left out:
//
//	Controller.life → Split.asking → Split.saving → Controller.mu → Split.mu
//
// The first three are held over I/O, which a deadline bounds wherever it is a store's; the two called mu never are, and
// requests take none at all.
type Controller struct {
	opts    Options
	id      store.MemberID
	started time.Time
	log     *zap.Logger
	poke    chan struct{} // asks for a pulse at once
	events  chan news
	secrets atomic.Pointer[[]string]
	skew    atomic.Int64 // store's clock minus ours, in nanoseconds
	contact atomic.Int64 // when the store last answered, in ns since started; 0 = never
	called  atomic.Pointer[rollCall]
	cutting chan struct{} // asks for cutDue
	busy    atomic.Bool   // requests wait for their turn to be ended
	// reachable is the store unless it is known to be away, for requests, which take no lock.
	reachable atomic.Pointer[store.Store]
	lookers   chan struct{} // a place for each look-up of a conversation in progress
	couriers  atomic.Pointer[[]*courier]

	// Used by the pulse alone.
	secretLost bool // the store has not, or may not have, the secret that we know
	secretLess bool // it was logged that the store does not tell one
	outage     outage

	// passedOn are the recorded events, by split, that OnEvent knows or need not. Used by the event loop alone.
	passedOn map[string][]string

	// life is held while starting, closing, attaching and detaching. It protects the following fields.
	life    sync.Mutex
	stop    context.CancelFunc // nil while not running
	working context.Context    // the loops'
	loops   sync.WaitGroup     // all but the one that tells
	untold  chan struct{}      // closed when nothing more will be told of
	telling sync.WaitGroup

	save chan struct{} // asks for what is unsaved to be saved

	mu        sync.Mutex // protects the following fields
	unsaved   map[*Split]struct{}
	store     store.Store // nil while not running
	splits    map[string]*Split
	lastError error
}

// New returns a Controller that remembers but does not run yet.
func New(opts Options) *Controller {
	if opts.MaxStale == 0 {
		opts.MaxStale = 5 * time.Minute
	}
	if opts.pace == (pace{}) {
		opts.pace = defaultPace
	}
	if opts.BootWait == 0 {
		opts.BootWait = 5 * time.Second
	}
	if opts.Log == nil {
		opts.Log = zap.NewNop()
	}
	return &Controller{
		opts:    opts,
		id:      store.MemberID{Name: opts.Instance, Boot: newID()},
		started: time.Now(),
		log:     opts.Log,
		poke:    make(chan struct{}, 1),
		cutting: make(chan struct{}, 1),
		lookers: make(chan struct{}, maxLookUps),
		save:    make(chan struct{}, 1),
		unsaved: map[*Split]struct{}{},
		splits:  map[string]*Split{},

		passedOn: map[string][]string{},
		events:   make(chan news, maxEvents),
	}
}

func (c *Controller) flightsOf(split string) *health.Flights {
	if c.opts.Flights == nil {
		return new(health.Flights)
	}
	return c.opts.Flights(split)
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

// StoreTime returns a time of this machine's clock by the store's.
func (c *Controller) StoreTime(t time.Time) time.Time { return t.Add(time.Duration(c.skew.Load())) }

// Start opens the store and begins to work; it waits at most half a second for the store's first answer. The definitions
// attached so far come into force, so call it again after each reload: what is attached to a configuration that is given
// up before it starts changes nothing for the fleet.
func (c *Controller) Start() error {
	answered, err := c.begin()
	if err != nil {
		return err
	}
	c.Poke()
	select {
	case <-answered:
	case <-time.After(firstContact):
	}
	return nil
}

// begin does what must be done once. The channel is closed after the first pulse of a new start; of one that runs
// already, it is closed.
func (c *Controller) begin() (answered chan struct{}, err error) {
	c.life.Lock()
	defer c.life.Unlock()
	running := c.stop != nil
	if !running {
		if err := c.open(); err != nil {
			return nil, err
		}
	}
	for _, s := range c.all() {
		s.enforce()
	}
	answered = make(chan struct{})
	if running {
		c.Poke() // so that the fleet is told of the file
		close(answered)
	} else {
		c.work(answered)
	}
	return answered, nil
}

// open opens the store. Caller must hold c.life.
func (c *Controller) open() error {
	st, err := c.opts.Open()
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	if w := st.Describe().Warning; w != "" {
		c.log.Warn("store: "+w, zap.String("store", st.Describe().Address))
	}
	c.setStore(st)
	return nil
}

// work starts the loops. Caller must hold c.life.
func (c *Controller) work(answered chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	untold := make(chan struct{})
	c.stop, c.working, c.untold = cancel, ctx, untold
	c.loops.Go(func() { c.pulseLoop(ctx, answered) })
	c.loops.Go(func() { c.watchLoop(ctx) })
	c.loops.Go(func() { c.judgeLoop(ctx) })
	c.loops.Go(func() { c.saveLoop(ctx) })
	c.loops.Go(func() { c.cutLoop(ctx, answered) })
	c.loops.Go(func() { c.pinLoop(ctx) })
	c.sendOut()
	c.telling.Go(func() { c.eventLoop(untold) })
}

// Close stops all work, tells of what was applied, says goodbye to the fleet and closes the store.
func (c *Controller) Close() error {
	c.life.Lock()
	defer c.life.Unlock()
	if c.stop == nil {
		return nil
	}
	c.stop()
	c.loops.Wait() // they use the store until then
	c.endLookUps()
	c.saveAll()
	close(c.untold)
	c.telling.Wait()
	c.stop = nil
	st := c.openStore()
	c.setStore(nil)
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout/2)
	defer cancel()
	if err := st.Leave(ctx, c.id); err != nil {
		c.log.Warn("could not say goodbye to the fleet; it will list this instance as silent", zap.Error(err))
	}
	return st.Close()
}

// Poke asks for a pulse at once instead of within a second.
func (c *Controller) Poke() {
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// Secrets returns the fleet's generated secret, and behind it those that it had before, as far as this process knows;
// none until the store has told it.
func (c *Controller) Secrets() []string {
	if s := c.secrets.Load(); s != nil {
		return *s
	}
	return nil
}

// openStore returns the store; nil while not started.
func (c *Controller) openStore() store.Store {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store
}

// withStore has f ask the store, for as long as one call to it may take; errAway while not started.
func (c *Controller) withStore(ctx context.Context, f func(ctx context.Context, st store.Store) error) error {
	st := c.openStore()
	if st == nil {
		return errAway
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return f(ctx, st)
}

func (c *Controller) setStore(st store.Store) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store = st
}

// lookup returns a split in use; nil if there is none of that name.
func (c *Controller) lookup(split string) *Split {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.splits[split]
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
