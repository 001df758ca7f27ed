package caddymodule

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// validate checks which options go together, and the form of each. It never quotes a url, which may hold a password.
func (r *RedisConfig) validate(g stage) error {
	switch {
	case (r.URL == "") == (len(r.Addresses) == 0):
		return wrong("", "store redis must have either url or addresses")
	case r.Username != "" && r.Password == "":
		return wrong("username", "redis username %q needs a password", r.Username)
	case r.MasterName == "" && r.SentinelUsername+r.SentinelPassword != "":
		return wrong("", "sentinel_username and sentinel_password need master_name")
	}
	if r.URL != "" {
		return r.validateURL(g)
	}
	for i, address := range r.Addresses {
		if !g.unknown(address) && !isAddress(address) {
			return wrong(item("addresses", i), "redis address %q must be host or host:port", address)
		}
	}
	return r.validateTopology()
}

// validateTopology checks a configuration by addresses.
func (r *RedisConfig) validateTopology() error {
	switch {
	case r.Cluster && r.MasterName != "":
		return wrong("cluster", "store redis has cluster and master_name; it must be one or the other")
	case r.Cluster && r.DB != 0:
		return wrong("db", "db %d: a Redis Cluster has only database 0", r.DB)
	case r.DB < 0:
		return wrong("db", "db %d must be 0 or more", r.DB)
	case len(r.Addresses) > 1 && !r.Cluster && r.MasterName == "":
		return wrong("addresses", "%d redis addresses need master_name (they are Sentinels) or cluster (they are nodes)",
			len(r.Addresses))
	}
	return nil
}

// validateURL checks a configuration by url.
func (r *RedisConfig) validateURL(g stage) error {
	switch {
	case r.Cluster || r.MasterName != "":
		return wrong("url", "store redis has url; cluster and master_name go with addresses")
	case r.DB != 0:
		return wrong("db", "db %d: a url carries its own, such as redis://host:6379/%d", r.DB, r.DB)
	case r.TLS:
		return wrong("tls", "tls goes with addresses; a url says it by rediss://")
	case g.unknown(r.URL):
		return nil
	}
	u, err := url.Parse(r.URL)
	if err != nil || !isRedisURL(u) {
		return wrong("url", "redis url (not shown, it may hold a password) must be redis://host:port/db, or rediss:// "+
			"for TLS, with special characters percent-encoded")
	}
	if r.CA != "" && u.Scheme != "rediss" {
		return wrong("ca", "ca %q needs TLS: the url must begin with rediss://, not %s://", r.CA, u.Scheme)
	}
	if u.User != nil && r.Username+r.Password != "" {
		return wrong("url", "redis url has a user or password of its own; it must be there or in username and password")
	}
	return nil
}

func isRedisURL(u *url.URL) bool {
	db := strings.Trim(u.Path, "/")
	_, err := strconv.ParseUint(db, 10, 16)
	return (u.Scheme == "redis" || u.Scheme == "rediss") && isAddress(u.Host) && (db == "" || err == nil) &&
		u.RawQuery == "" && u.Fragment == ""
}

// isAddress reports whether s is a host, or a host and a port.
func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil { // no port
		return s != "" && !strings.ContainsAny(s, "/@ ") && (!strings.Contains(s, ":") || net.ParseIP(s) != nil)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && host != "" && !strings.ContainsAny(host, "/@ ")
}
