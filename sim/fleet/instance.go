package fleet

import (
	"fmt"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store"
)

// Instance is one proxy of the fleet. It keeps its name, its disk and its way to the store while processes come and go.
type Instance struct {
	Name string
	// Controller is its present process; nil while it is down.
	*rollout.Controller

	fleet *Fleet
	disk  rollout.Memory
	fault Fault
	skew  time.Duration
	link  *link
	saves *memory
	at    *rollout.Attachment
}

func newInstance(f *Fleet, n int) *Instance {
	name := fmt.Sprintf("proxy-%d", n)
	return &Instance{Name: name, fleet: f, disk: rollout.Snapshots{Dir: store.DirAt(filepath.Join(f.opts.Folder, name))},
		skew: time.Duration(n) * stagger}
}

// stagger is by how much the clocks of instances and their beginnings differ, so that no two do the same at the same moment
// and a story goes the same way each time.
const stagger = 7 * time.Millisecond

// IsUp reports whether it has a process.
func (i *Instance) IsUp() bool { return i.Controller != nil }

// Rise starts a process, with what the last one left on the disk, a little after whatever was before. One that runs goes on.
func (i *Instance) Rise() error {
	if i.IsUp() {
		return nil
	}
	<-time.After(stagger)
	i.link = &link{history: i.fleet.history, fault: i.fault, skew: i.skew}
	i.saves = &memory{Memory: i.disk}
	link := i.link
	c := rollout.New(rollout.Options{Instance: i.Name, Release: "v0.0.0", Log: i.fleet.opts.Log.With(zap.String("instance", i.Name)),
		Open: func() (store.Store, error) { return link, nil }, Memory: i.saves, Webhooks: i.fleet.outside})
	at, err := c.Attach(i.fleet.opts.Definition, "first")
	if err != nil {
		return fmt.Errorf("%s: %w", i.Name, err)
	}
	c.SetTargets([]rollout.Target{i.fleet.outside.target(link)})
	if err := c.Start(); err != nil {
		return fmt.Errorf("%s: %w", i.Name, err)
	}
	i.Controller, i.at = c, at
	return nil
}

// Crash ends the process at once: nothing that it does from now on gets out, no goodbye either.
func (i *Instance) Crash() error {
	if !i.IsUp() {
		return nil
	}
	i.link.set(func(l *link) { l.ended = true })
	i.saves.ended.Store(true)
	return i.Stop()
}

// Stop ends the process with a goodbye, as far as the store hears it.
func (i *Instance) Stop() error {
	if !i.IsUp() {
		return nil
	}
	c := i.Controller
	i.Controller, i.at = nil, nil
	if err := c.Close(); err != nil {
		return fmt.Errorf("%s: %w", i.Name, err)
	}
	return nil
}

// Befall lets a fault befall its way to the store, in place of the last one; Healthy heals it.
func (i *Instance) Befall(f Fault) {
	i.fault = f
	if i.link != nil {
		i.link.set(func(l *link) { l.fault = f })
	}
}

// Skew makes the store's clock, as the instance hears it, run ahead.
func (i *Instance) Skew(ahead time.Duration) {
	i.skew = ahead
	if i.link != nil {
		i.link.set(func(l *link) { l.skew = ahead })
	}
}

// View returns what it decides by.
func (i *Instance) View() *rollout.View { return i.at.View() }
