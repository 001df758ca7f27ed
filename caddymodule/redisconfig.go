package caddymodule

import (
	"net"
	"strings"

	"github.com/switchback-proxy/switchback/store/redis"
)

const redisPort = "6379"

// redisConfig returns how to open the Redis that a prepared App names.
func (a *App) redisConfig() redis.Config {
	r := a.Store.Redis
	addresses := make([]string, len(r.Addresses))
	for i, address := range r.Addresses {
		addresses[i] = withPort(address)
	}
	return redis.Config{
		URL:              r.URL,
		Addresses:        addresses,
		MasterName:       r.MasterName,
		Cluster:          r.Cluster,
		Username:         r.Username,
		Password:         r.Password,
		SentinelUsername: r.SentinelUsername,
		SentinelPassword: r.SentinelPassword,
		DB:               r.DB,
		TLS:              r.TLS || r.CA != "" && r.URL == "",
		CAFile:           r.CA,
		Fleet:            a.Fleet,
	}
}

// withPort adds Redis' port to an address that has none.
func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), redisPort)
}
