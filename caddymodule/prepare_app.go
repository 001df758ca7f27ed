package caddymodule

import (
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// What the app does unless configured otherwise.
const (
	defaultFleet    = "default"
	defaultInstance = "{system.hostname}"
	defaultMaxStale = caddy.Duration(5 * time.Minute)
	defaultBootWait = caddy.Duration(5 * time.Second)
	defaultDir      = "switchback" // in Caddy's data folder
	// shortSecret is the length in bytes below which a secret is worth a warning: 128 bits.
	shortSecret = 16
)

// prepare makes a configuration usable: it fills in defaults, replaces placeholders and checks everything. Afterwards
// all fields but Secrets are set, and exactly one of the stores is. It asks no store and writes no file.
func (a *App) prepare(ctx caddy.Context) error {
	a.setDefaults()
	if err := newExpander().all(a.fields()); err != nil {
		return err
	}
	if err := a.validate(expanded); err != nil {
		return err
	}
	for i, secret := range a.Secrets {
		if len(secret) < shortSecret {
			ctx.Logger().Warn("a secret is so short that it can be guessed; make one with: openssl rand -hex 32",
				zap.String("field", item("secrets", i)), zap.Int("least_bytes", shortSecret))
		}
	}
	var err error
	a.targets, err = a.newTargets()
	return err
}

func (a *App) setDefaults() {
	setDefault(&a.Fleet, defaultFleet)
	setDefault(&a.Instance, defaultInstance)
	setDefault(&a.OnStale, onStaleKeep)
	setDefault(&a.MaxStale, defaultMaxStale)
	setDefault(&a.BootWait, defaultBootWait)
	if a.Store == nil {
		a.Store = new(StoreConfig)
	}
	if a.Store.Redis == nil && a.Store.Embedded == nil {
		a.Store.Embedded = new(EmbeddedConfig)
	}
	if a.Store.Embedded != nil {
		setDefault(&a.Store.Embedded.Dir, filepath.Join(caddy.AppDataDir(), defaultDir))
	}
}

// setDefault sets what is zero.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// fields lists what may hold placeholders, by path.
func (a *App) fields() map[string]*string {
	fields := map[string]*string{"fleet": &a.Fleet, "instance": &a.Instance, "alert_link": &a.AlertLink}
	for i, to := range a.Alerts {
		if to != nil {
			fields[item("alerts", i)+".url"], fields[item("alerts", i)+".secret"] = &to.URL, &to.Secret
		}
	}
	for i := range a.Secrets {
		fields[item("secrets", i)] = &a.Secrets[i]
	}
	if e := a.Store.Embedded; e != nil {
		fields["store.embedded.dir"] = &e.Dir
	}
	if r := a.Store.Redis; r != nil {
		for name, field := range r.fields() {
			fields["store.redis."+name] = field
		}
	}
	return fields
}

func (r *RedisConfig) fields() map[string]*string {
	fields := map[string]*string{
		"url": &r.URL, "master_name": &r.MasterName, "username": &r.Username, "password": &r.Password, "ca": &r.CA,
		"sentinel_username": &r.SentinelUsername, "sentinel_password": &r.SentinelPassword,
	}
	for i := range r.Addresses {
		fields[item("addresses", i)] = &r.Addresses[i]
	}
	return fields
}
