package caddymodule

import (
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// parseApp parses the global option. Syntax:
//
//	switchback {
//	    fleet     <name>
//	    instance  <name>
//	    secret    <secret> [<previous secrets...>]
//	    store     embedded [<dir>]
//	    store     redis {
//	        url         <url>
//	        addresses   <host[:port]...>
//	        master_name <name>
//	        cluster
//	        tls
//	        username    <user>
//	        password    <password>
//	        sentinel_username <user>
//	        sentinel_password <password>
//	        db          <number>
//	        ca          <PEM file>
//	    }
//	    on_stale  keep|stable
//	    max_stale <duration>
//	    boot_wait <duration>
//	    alert     <name> <url> {
//	        events   <kinds...>
//	        severity info|warning|critical
//	        template <text>
//	        secret   <secret>
//	    }
//	    alert_link <url>
//	}
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next() // the option's name
	if existing != nil {
		return nil, d.Errf("the global option %s is given twice; it may be given once", globalOption)
	}
	app := new(App)
	at := positions{}
	at.mark("", d)
	if d.NextArg() {
		return nil, d.Errf("unexpected %q after %s, which takes a block only", d.Val(), globalOption)
	}
	if err := parseBlock(d, globalOption, app.subDirectives(at)); err != nil {
		return nil, err
	}
	if err := at.locate(app.validate(asWritten)); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: globalOption, Value: caddyconfig.JSON(app, nil)}, nil
}

func (a *App) subDirectives(at positions) map[string]subDirective {
	return map[string]subDirective{
		"fleet":     at.marked("fleet", text(&a.Fleet, "a name")),
		"instance":  at.marked("instance", text(&a.Instance, "a name")),
		"secret":    at.marked("secrets", once(a.parseSecret)),
		"store":     at.marked("store", once(func(d *caddyfile.Dispenser) error { return a.parseStore(d, at) })),
		"on_stale":  at.marked("on_stale", text(&a.OnStale, "keep or stable")),
		"max_stale": duration(&a.MaxStale),
		"boot_wait": duration(&a.BootWait),
		"alert":     repeated(func(d *caddyfile.Dispenser) error { return a.parseAlert(d, at) }),

		"alert_link": at.marked("alert_link", text(&a.AlertLink, "a url, such as that of a dashboard")),
	}
}

func (a *App) parseSecret(d *caddyfile.Dispenser) error {
	a.Secrets = d.RemainingArgs()
	if len(a.Secrets) == 0 {
		return d.Err("secret needs a secret; previous ones may follow")
	}
	return nil
}

func (a *App) parseStore(d *caddyfile.Dispenser, at positions) error {
	kind, err := parseArg(d, "embedded or redis")
	if err != nil {
		return err
	}
	a.Store = new(StoreConfig)
	switch kind {
	case "embedded":
		a.Store.Embedded = new(EmbeddedConfig)
		if d.NextArg() {
			a.Store.Embedded.Dir = d.Val()
		}
		return nil
	case "redis":
		a.Store.Redis = new(RedisConfig)
		return parseBlock(d, "store redis", a.Store.Redis.subDirectives(at))
	}
	return d.Errf("store %q: it must be embedded or redis", kind)
}

func (r *RedisConfig) subDirectives(at positions) map[string]subDirective {
	const path = "store.redis."
	return map[string]subDirective{
		"url":               at.marked(path+"url", text(&r.URL, "a url, such as redis://localhost:6379/0")),
		"addresses":         at.marked(path+"addresses", repeated(r.parseAddresses)),
		"master_name":       at.marked(path+"master_name", text(&r.MasterName, "the master's name")),
		"cluster":           at.marked(path+"cluster", toggle(&r.Cluster)),
		"tls":               at.marked(path+"tls", toggle(&r.TLS)),
		"username":          at.marked(path+"username", text(&r.Username, "a user")),
		"password":          at.marked(path+"password", text(&r.Password, "a password")),
		"sentinel_username": at.marked(path+"sentinel_username", text(&r.SentinelUsername, "a user")),
		"sentinel_password": at.marked(path+"sentinel_password", text(&r.SentinelPassword, "a password")),
		"db":                at.marked(path+"db", once(r.parseDB)),
		"ca":                at.marked(path+"ca", text(&r.CA, "a PEM file")),
	}
}

func (r *RedisConfig) parseAddresses(d *caddyfile.Dispenser) error {
	addresses := d.RemainingArgs()
	if len(addresses) == 0 {
		return d.Err("addresses needs at least one host:port")
	}
	r.Addresses = slices.Concat(r.Addresses, addresses)
	return nil
}

func (r *RedisConfig) parseDB(d *caddyfile.Dispenser) error {
	number, err := parseArg(d, "a number")
	if err != nil {
		return err
	}
	if r.DB, err = strconv.Atoi(number); err != nil {
		return d.Errf("db %q: it must be a number", number)
	}
	return nil
}
