package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// Options configure a Fleet.
type Options struct {
	// Folder is where the store and the instances' disks are.
	Folder string
	// Instances is how many there are.
	Instances int
	// Definition is what the file of each says.
	Definition rollout.Definition
	// Seed draws who asks and which requests fail.
	Seed uint64
	// Log gets what the instances log. Required.
	Log *zap.Logger
}

// Fleet is some instances, the store that they share, and the agents behind them. It is used from one goroutine.
type Fleet struct {
	Instances []*Instance
	// Traffic is what comes to the whole fleet.
	Traffic Traffic
	// Agents says how variants behave; one that is not named behaves as [Well].
	Agents map[string]Behaviour

	opts    Options
	history *history
	outside *outside
	rng     *rand.Rand
	due     float64 // requests that are due, of which the next is less than one
	next    int     // the instance that the next one goes to
}

// New opens the store and makes the instances. None is up.
func New(o Options) (*Fleet, error) {
	s, err := embedded.Open(filepath.Join(o.Folder, "store"))
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	f := &Fleet{
		Agents:  map[string]Behaviour{},
		opts:    o,
		history: &history{Store: s, muffled: map[splitter.Version]struct{}{}},
		outside: new(outside),
		rng:     rand.New(rand.NewPCG(o.Seed, 0x5eed)),
	}
	for n := range o.Instances {
		f.Instances = append(f.Instances, newInstance(f, n+1))
	}
	return f, nil
}

// Rise starts all instances that are down, one after the other.
func (f *Fleet) Rise() error {
	for _, i := range f.Instances {
		if err := i.Rise(); err != nil {
			return err
		}
	}
	return nil
}

// Close stops everything.
func (f *Fleet) Close() error {
	var errs []error
	for _, i := range f.Instances {
		errs = append(errs, i.Stop())
	}
	return errors.Join(append(errs, f.history.Store.Close())...)
}

// Up lists the instances that have a process.
func (f *Fleet) Up() (up []*Instance) {
	for _, i := range f.Instances {
		if i.IsUp() {
			up = append(up, i)
		}
	}
	return up
}

// State returns what the store has; nil if it has none.
func (f *Fleet) State() *splitter.State {
	s, err := f.history.Load(context.Background(), f.opts.Definition.Name)
	if err != nil {
		return nil
	}
	return s
}

// States lists every State that the store ever had, oldest first.
func (f *Fleet) States() []*splitter.State {
	states, _ := f.history.all()
	return states
}

// Log lists every event that was ever logged, oldest first.
func (f *Fleet) Log() []store.Event {
	_, log := f.history.all()
	return log
}

// DoomWinnerOf lets whoever takes a step die once it is written, before anybody is told.
func (f *Fleet) DoomWinnerOf(step int) {
	f.history.mu.Lock()
	defer f.history.mu.Unlock()
	f.history.doomed = step
}

// bury lets go of the processes that died by themselves.
func (f *Fleet) bury() error {
	var errs []error
	for _, i := range f.Up() {
		if i.link.alive() != nil {
			errs = append(errs, i.Crash())
		}
	}
	return errors.Join(errs...)
}

// Stored lists the events as the store itself logged them, newest first.
func (f *Fleet) Stored(ctx context.Context) ([]store.Event, error) {
	return f.history.Store.Events(ctx, f.opts.Definition.Name, store.EventsKept)
}
