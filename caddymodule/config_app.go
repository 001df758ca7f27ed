package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
)

// App holds what all splits of a process share: who it is in the fleet, the secret, and where States are kept. It
// needs no configuration: the default is a fleet of one, kept on this machine's disk.
//
// In fleet, instance, secrets, store, alert_link and the alerts' url and secret, placeholders such as {env.NAME},
// {file.PATH} and {system.hostname} are replaced at load; one that is unknown or empty is an error.
type App struct {
	// Fleet names the proxies that share one State of each split. Proxies on one store with different fleets know
	// nothing of each other. It matches [a-z0-9][a-z0-9_-]{0,62}. Default: "default".
	Fleet string `json:"fleet,omitempty"`

	// Instance names this proxy among the fleet's; two of one name are flagged. Up to 128 letters, digits, dots,
	// underscores and hyphens. Default: {system.hostname}.
	Instance string `json:"instance,omitempty"`

	// Secrets sign cookies and key the hashes of users. The first is used; the others are previous ones that are still
	// recognised. All proxies of a fleet need the same. Default: one that the store generates, so that whoever can
	// read the store can forge what it signs.
	Secrets []string `json:"secrets,omitempty"`

	// Store says where States are kept. Default: embedded, on this machine's disk.
	Store *StoreConfig `json:"store,omitempty"`

	// OnStale says what happens when the store has not answered for max_stale. "keep" (default) goes on with the last
	// State; "stable" gives a running trial's canary share of at most 50 % to stable.
	OnStale string `json:"on_stale,omitempty"`

	// MaxStale is how long the store may be silent before on_stale applies. Default: 5m.
	MaxStale caddy.Duration `json:"max_stale,omitempty"`

	// BootWait is how long an instance that starts with neither store nor snapshot reports itself not ready, serving
	// stable only. Default: 5s.
	BootWait caddy.Duration `json:"boot_wait,omitempty"`

	// Alerts are the targets that are told of events. Default: nobody is told.
	Alerts []*Alert `json:"alerts,omitempty"`

	// AlertLink is where those who are told find more, such as a dashboard's URL. Default: no link.
	AlertLink string `json:"alert_link,omitempty"`

	appState
}

// What happens when the store is silent for too long.
const (
	onStaleKeep   = "keep"
	onStaleStable = "stable"
)

// StoreConfig says where States are kept: one of its fields.
type StoreConfig struct {
	// Embedded keeps them on this machine's disk. For one proxy.
	Embedded *EmbeddedConfig `json:"embedded,omitempty"`

	// Redis shares them with a fleet.
	Redis *RedisConfig `json:"redis,omitempty"`
}

// EmbeddedConfig configures the store on this machine's disk.
type EmbeddedConfig struct {
	// Dir is the folder. It is created if need be. Default: "switchback" in Caddy's data folder.
	Dir string `json:"dir,omitempty"`
}

// RedisConfig says how to reach Redis: either a url, or addresses.
type RedisConfig struct {
	// URL is redis://[user:password@]host[:port][/db], or rediss:// for TLS.
	URL string `json:"url,omitempty"`

	// Addresses lists servers as host or host:port; the port's default is 6379. One is a single server; with
	// master_name they are Sentinels, with cluster they are some nodes of a Cluster.
	Addresses []string `json:"addresses,omitempty"`

	// MasterName is the name of the master that the Sentinels at the addresses know.
	MasterName string `json:"master_name,omitempty"`

	// Cluster says that the addresses are nodes of a Redis Cluster.
	Cluster bool `json:"cluster,omitempty"`

	// Username is the ACL user; it needs a password. Default: Redis' "default" user.
	Username string `json:"username,omitempty"`

	// Password authenticates the user. Better as {env.NAME} or {file.PATH} than in clear, for Caddy's admin endpoint
	// shows its configuration.
	Password string `json:"password,omitempty"`

	// SentinelUsername is the ACL user of the Sentinels themselves, with master_name. Default: none.
	SentinelUsername string `json:"sentinel_username,omitempty"`

	// SentinelPassword is the password of the Sentinels themselves, with master_name. Default: none.
	SentinelPassword string `json:"sentinel_password,omitempty"`

	// DB is the number of the database, for addresses without cluster; a url carries its own. Default: 0.
	DB int `json:"db,omitempty"`

	// TLS speaks TLS to the addresses. Implied by ca. A url says it by rediss://.
	TLS bool `json:"tls,omitempty"`

	// CA is a PEM file with the authorities that may sign the servers' certificates. Default: the system's.
	CA string `json:"ca,omitempty"`
}
