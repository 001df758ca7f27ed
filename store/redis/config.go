package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/switchback-proxy/switchback/splitter"
)

// Config says which Redis to use and how. Either URL or Addresses is needed.
type Config struct {
	// URL is redis://[user[:password]@]host[:port][/db], or rediss:// for TLS. Port 6379 and db 0 are the defaults. User,
	// password and db may be given here or in their own fields, not in both.
	URL string
	// Addresses lists host:port of the Sentinels (with MasterName), of some of a Cluster's nodes (with Cluster), or of
	// one server.
	Addresses []string
	// MasterName is the name by which Sentinel knows the server; empty without Sentinel.
	MasterName string
	// Cluster says that the addresses are nodes of a Redis Cluster.
	Cluster bool
	// Username is the ACL user; empty for the default user.
	Username string
	// Password is the password of Username.
	Password string
	// SentinelUsername and SentinelPassword are for the Sentinels themselves; they are not those of the server.
	SentinelUsername string
	SentinelPassword string
	// DB is the number of the database, 0 or greater. A Cluster has only 0.
	DB int
	// TLS encrypts the connections to Addresses. URL says so itself, by rediss://.
	TLS bool
	// CAFile is a PEM file of the authorities that the servers' certificates are checked against, instead of the
	// system's. It needs TLS.
	CAFile string
	// Fleet names the fleet whose States these are. Default "default".
	Fleet string
}

// defaultFleet is the fleet of a Config that names none.
const defaultFleet = "default"

// resolved returns the Config with URL taken apart into the other fields, or what is wrong with it. No error quotes a
// password, or a URL, which may hold one.
func (c Config) resolved() (Config, error) {
	if c.Fleet == "" {
		c.Fleet = defaultFleet
	}
	if !splitter.ValidName(c.Fleet) {
		return c, fmt.Errorf("fleet %q: must match [a-z0-9][a-z0-9_-]{0,62}", c.Fleet)
	}
	if (c.URL == "") == (len(c.Addresses) == 0) {
		return c, errors.New("redis: needs either a url or addresses")
	}
	if c.URL != "" {
		if err := c.takeURL(); err != nil {
			return c, err
		}
	}
	return c, c.check()
}

// takeURL fills Addresses, Username, Password, DB and TLS from URL.
func (c *Config) takeURL() error {
	u, err := url.Parse(c.URL)
	if err != nil {
		// The parser's error quotes parts of the URL.
		return errors.New("redis url: cannot be parsed (not shown, as it may hold a password); must be " +
			"redis://[user[:password]@]host[:port][/db] with special characters in the password percent-encoded")
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" {
		return fmt.Errorf("redis url: scheme %q: must be redis, or rediss for TLS", u.Scheme)
	}
	if u.Hostname() == "" {
		return errors.New("redis url: has no host; must be redis://[user[:password]@]host[:port][/db]")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return errors.New("redis url: must have no query (?) and no fragment (#)")
	}
	if c.TLS && u.Scheme == "redis" {
		return errors.New("redis url: scheme \"redis\" is without TLS; use rediss")
	}
	c.TLS = u.Scheme == "rediss"
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	c.Addresses = []string{net.JoinHostPort(u.Hostname(), port)}
	if err := c.takeUser(u.User); err != nil {
		return err
	}
	return c.takeDB(strings.Trim(u.Path, "/"))
}

// takeUser fills Username and Password from the URL.
func (c *Config) takeUser(user *url.Userinfo) error {
	if user == nil {
		return nil
	}
	if c.Username != "" || c.Password != "" {
		return errors.New("redis url: has a user or password, and so has the configuration; give them once")
	}
	c.Username = user.Username()
	c.Password, _ = user.Password()
	return nil
}

// takeDB fills DB from the URL's path.
func (c *Config) takeDB(path string) error {
	if path == "" {
		return nil
	}
	db, err := strconv.Atoi(path)
	if err != nil {
		return fmt.Errorf("redis url: database %q: must be a number", path)
	}
	if c.DB != 0 && c.DB != db {
		return fmt.Errorf("redis url: has database %d, the configuration %d; give it once", db, c.DB)
	}
	c.DB = db
	return nil
}

// check says what is wrong with a Config whose URL was taken apart.
func (c Config) check() error {
	for _, address := range c.Addresses {
		if err := checkAddress(address); err != nil {
			return err
		}
	}
	switch {
	case c.MasterName != "" && c.Cluster:
		return fmt.Errorf("redis: master_name %q and cluster exclude each other", c.MasterName)
	case c.MasterName != "" && c.URL != "":
		return fmt.Errorf("redis: master_name %q: needs the Sentinels' addresses, not a url", c.MasterName)
	case c.MasterName == "" && !c.Cluster && len(c.Addresses) > 1:
		return fmt.Errorf("redis: addresses %q: more than one needs master_name (Sentinel) or cluster", c.Addresses)
	case c.MasterName == "" && c.SentinelUsername+c.SentinelPassword != "":
		return errors.New("redis: a user or password for Sentinel needs master_name")
	case c.DB < 0:
		return fmt.Errorf("redis: database %d: must be 0 or greater", c.DB)
	case c.Cluster && c.DB != 0:
		return fmt.Errorf("redis: database %d: a cluster has only 0", c.DB)
	case c.CAFile != "" && !c.TLS:
		return fmt.Errorf("redis: ca %q: needs TLS (rediss://)", c.CAFile)
	case c.Username != "" && c.Password == "":
		return fmt.Errorf("redis: username %q: needs a password", c.Username)
	}
	return nil
}

// checkAddress refuses what is no host:port.
func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return fmt.Errorf("redis: address %q: must be host:port", address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("redis: address %q: port must be 1 to 65535", address)
	}
	return nil
}

// tlsConfig returns how to encrypt; nil means not at all. The server's name is the host that is dialled.
func (c Config) tlsConfig() (*tls.Config, error) {
	if !c.TLS {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("redis: ca: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("redis: ca %q: must hold at least one certificate in PEM form", c.CAFile)
	}
	return config, nil
}

// address says what the store is, for people; without credentials.
func (c Config) address() string {
	scheme := "redis://"
	if c.TLS {
		scheme = "rediss://"
	}
	address := scheme + strings.Join(c.Addresses, ",")
	switch {
	case c.MasterName != "":
		address += " (sentinel " + c.MasterName + ")"
	case c.Cluster:
		address += " (cluster)"
	}
	if c.DB != 0 {
		address += " db " + strconv.Itoa(c.DB)
	}
	return address
}
