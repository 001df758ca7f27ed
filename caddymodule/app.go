package caddymodule

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
	"github.com/switchback-proxy/switchback/store/redis"
)

func init() { caddy.RegisterModule(App{}) }

// fleets holds a controller per fleet and store, so that it outlives configuration reloads.
var fleets = caddy.NewUsagePool()

// appState is what an App has once it is provisioned.
type appState struct {
	log        *zap.Logger
	poolKey    string
	shared     *shared
	controller *rollout.Controller
	targets    []rollout.Target
	events     *caddyevents.App
	ctx        caddy.Context
	ring       *atomic.Pointer[keyring]  // nil until the secrets are known
	users      *atomic.Pointer[userHash] // nil until the secrets are known
}

// shared is what the generations of a configuration have in common.
type shared struct {
	controller *rollout.Controller
	// settled are the settings that the controller was made with and keeps.
	settled map[string]any
	// apps are the generations that run: events are emitted in the newest one's context, as an older one's is canceled.
	apps generations[*App]
}

// Destruct ends the controller when the last generation is gone: at the process's end, not at a reload.
func (s *shared) Destruct() error {
	controllers.remove(s.controller)
	return s.controller.Close()
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "switchback", New: func() caddy.Module { return new(App) }}
}

// Provision joins the controller of the fleet and store configured. It does no I/O beyond reading this machine's
// snapshots, so that a configuration can be validated beside a running proxy.
func (a *App) Provision(ctx caddy.Context) error {
	if err := a.prepare(ctx); err != nil {
		return fmt.Errorf("switchback: %w", err)
	}
	a.ctx, a.log, a.ring = ctx, ctx.Logger(), new(atomic.Pointer[keyring])
	a.users = new(atomic.Pointer[userHash])
	events, err := ctx.App("events")
	if err != nil {
		return fmt.Errorf("switchback: %w", err)
	}
	a.events = events.(*caddyevents.App)
	key, err := a.identity()
	if err != nil {
		return err
	}
	pooled, _, err := fleets.LoadOrNew(key, func() (caddy.Destructor, error) { return a.newShared() })
	if err != nil {
		return fmt.Errorf("switchback: %w", err)
	}
	a.poolKey, a.shared = key, pooled.(*shared)
	a.controller = a.shared.controller
	a.warnOfSettled()
	return registerMetrics(ctx.GetMetricsRegistry())
}

// identity is what two generations must have in common to share a controller: the store and who they are in it. On an
// embedded store that is the folder alone, which a second controller could not even open.
func (a *App) identity() (string, error) {
	id := []any{a.Fleet, a.Store}
	if a.Store.Redis != nil {
		id = append(id, a.Instance)
	}
	doc, err := json.Marshal(id)
	if err != nil {
		return "", fmt.Errorf("switchback: %w", err)
	}
	return string(doc), nil
}

// settings are those that a controller keeps for as long as it runs, by their names in the Caddyfile.
func (a *App) settings() map[string]any {
	return map[string]any{"instance": a.Instance, "on_stale": a.OnStale, "max_stale": a.MaxStale, "boot_wait": a.BootWait}
}

// warnOfSettled says which settings differ from those that the running controller keeps.
func (a *App) warnOfSettled() {
	settings := a.settings()
	for _, name := range sortedKeys(settings) {
		if settings[name] != a.shared.settled[name] {
			a.log.Warn("a changed setting of switchback takes effect when the process is restarted", zap.String("setting", name))
		}
	}
}

func (a *App) newShared() (*shared, error) {
	s := &shared{settled: a.settings()}
	s.controller = rollout.New(rollout.Options{
		Instance:        a.Instance,
		Release:         release(),
		Open:            a.opener(),
		Memory:          carrying{a.memory(), weak.Make(controllers.newest())},
		StableWhenStale: a.OnStale == onStaleStable,
		MaxStale:        time.Duration(a.MaxStale),
		BootWait:        time.Duration(a.BootWait),
		Flights:         flightsOf,
		OnEvent:         s.emit,
		Scraped:         scraped,
		Expand:          expandLater,
		Log:             caddy.Log().Named("switchback"),
	})
	return s, nil
}

// release is this module's version, whether it was built as a program of its own or into somebody else's Caddy.
func release() string {
	const path = "github.com/switchback-proxy/switchback"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Path == path {
		return info.Main.Version
	}
	for _, dep := range info.Deps {
		if dep.Path == path {
			return dep.Version
		}
	}
	return "unknown"
}

// flights are the requests in progress, by split: of the process, as a reload that changes the store makes a new
// controller, whose kills must reach what the old one let in.
var flights sync.Map

func flightsOf(split string) *health.Flights {
	of, _ := flights.LoadOrStore(split, new(health.Flights))
	return of.(*health.Flights)
}

// opener returns what opens the configured store, which is done at the start only.
func (a *App) opener() func() (store.Store, error) {
	if e := a.Store.Embedded; e != nil {
		dir := filepath.Join(e.Dir, a.Fleet)
		return func() (store.Store, error) { return embedded.Open(dir) }
	}
	cfg := a.redisConfig()
	logger := slog.New(zapslog.NewHandler(caddy.Log().Named("switchback.redis").Core()))
	return func() (store.Store, error) { return redis.Open(cfg, logger) }
}

// emit passes an event to Caddy's event app, for handlers that users configure there.
func (s *shared) emit(ev store.Event, _ *splitter.State) {
	a := s.apps.newest()
	if a == nil {
		return
	}
	a.events.Emit(a.ctx, "traffic_split."+ev.Kind, map[string]any{
		"id":       ev.ID,
		"split":    ev.Split,
		"kind":     ev.Kind,
		"revision": ev.Revision,
		"epoch":    ev.Epoch,
		"actor":    ev.Actor,
		"reason":   ev.Reason,
		"from":     ev.From,
		"to":       ev.To,
	})
}

// Start opens the store, unless an earlier generation has. Where none runs yet control calls are answered from now on,
// as sites may serve already, and a kill must not wait for a store.
func (a *App) Start() error {
	if controllers.newest() == nil {
		controllers.add(a.controller)
	}
	if err := a.controller.Start(); err != nil {
		return fmt.Errorf("switchback: %w", err)
	}
	a.shared.apps.add(a)
	controllers.add(a.controller)
	a.controller.SetTargets(a.targets)
	return nil
}

// Stop does nothing: requests of this generation may still run, and the next one shares the controller.
func (a *App) Stop() error { return nil }

// Cleanup lets go of the controller.
func (a *App) Cleanup() error {
	if a.shared == nil {
		return nil
	}
	a.giveWay()
	_, err := fleets.Delete(a.poolKey)
	return err
}

// giveWay lets the generation before this one go on if this one, started, is given up.
func (a *App) giveWay() {
	wasNewest := a.shared.apps.newest() == a
	a.shared.apps.remove(a)
	if next := a.shared.apps.newest(); wasNewest && next != nil {
		a.controller.SetTargets(next.targets)
	}
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
