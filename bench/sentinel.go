package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// masterName is the name by which Sentinel knows the servers.
	masterName = "fleet"
	// sentinels is how many there are; two of them must agree that the master is down.
	sentinels = 3
	// proxyUser and proxyPassword are who the proxies are to the servers, with the least that they need.
	proxyUser, proxyPassword = "proxy", "secret"
	// calmLimit is how long servers may take until they are whole again: Sentinel waits for ten seconds before it makes
	// a replica of an old master.
	calmLimit = time.Minute
)

// persistent are the arguments of a server that keeps on disk all that it has acknowledged.
var persistent = []string{"--appendonly", "yes", "--appendfsync", "everysec"}

// sentinelSetup is two servers, of which one is the master, watched by Sentinels.
type sentinelSetup struct {
	servers  [2]*server
	watchers [sentinels]*server
}

// startSentinel starts all of it, which ends with the lab.
func (l *lab) startSentinel(ctx context.Context) (*sentinelSetup, error) {
	s := new(sentinelSetup)
	rights := []string{"--user", proxyUser, "on", ">" + proxyPassword, "~switchback:*", "&switchback:*", "+@all"}
	for i := range s.servers {
		args := append(append([]string{}, persistent...), rights...)
		if i > 0 {
			args = append(args, "--replicaof", "127.0.0.1", portOf(s.servers[0].address))
		}
		var err error
		if s.servers[i], err = l.startServer(ctx, args...); err != nil {
			return nil, err
		}
	}
	for i := range s.watchers {
		var err error
		if s.watchers[i], err = l.startWatcher(ctx, s.servers[0].address); err != nil {
			return nil, err
		}
	}
	return s, s.calm(ctx)
}

// startWatcher starts one Sentinel.
func (l *lab) startWatcher(ctx context.Context, master string) (*server, error) {
	s, err := l.newServer("sentinel")
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`port %s
bind 127.0.0.1
dir %s
sentinel monitor %s 127.0.0.1 %s 2
sentinel down-after-milliseconds %[3]s 1500
sentinel failover-timeout %[3]s 4000
`, portOf(s.address), s.dir, masterName, portOf(master))
	file := filepath.Join(s.dir, "sentinel.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("write Sentinel's configuration: %w", err)
	}
	s.args = []string{file, "--sentinel"}
	return s, s.start(ctx)
}

// addresses returns where servers listen.
func addresses(servers []*server) []string {
	var all []string
	for _, s := range servers {
		all = append(all, s.address)
	}
	return all
}

// roles returns the master and the replica, as the Sentinels have it.
func (s *sentinelSetup) roles(ctx context.Context) (master, replica *server, err error) {
	address, err := s.masterAddress(ctx, s.watchers[0])
	if err != nil {
		return nil, nil, err
	}
	if address == s.servers[0].address {
		return s.servers[0], s.servers[1], nil
	}
	return s.servers[1], s.servers[0], nil
}

// masterAddress asks one Sentinel for the master.
func (s *sentinelSetup) masterAddress(ctx context.Context, watcher *server) (string, error) {
	reply, err := watcher.client.Do(ctx, "sentinel", "get-master-addr-by-name", masterName).StringSlice()
	if err != nil || len(reply) != 2 {
		return "", fmt.Errorf("ask Sentinel for the master: %v: %w", reply, err)
	}
	return reply[0] + ":" + reply[1], nil
}

// calm waits until one server is master, the other its replica and in step, and all Sentinels see it so.
func (s *sentinelSetup) calm(ctx context.Context) error {
	var why string
	ctx, cancel := context.WithTimeoutCause(ctx, calmLimit, fmt.Errorf("the servers are not whole within %s", calmLimit))
	defer cancel()
	err := poll(ctx, func() (bool, error) {
		why = s.unrest(ctx)
		return why == "", nil
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, why)
	}
	return nil
}

// unrest says what is not as it should be; nothing if all is.
func (s *sentinelSetup) unrest(ctx context.Context) string {
	master, replica, err := s.roles(ctx)
	if err != nil {
		return err.Error()
	}
	for _, w := range s.watchers {
		if address, err := s.masterAddress(ctx, w); err != nil || address != master.address {
			return fmt.Sprintf("the Sentinels do not agree on the master: %s and %s, %v", master.address, address, err)
		}
		view, err := w.client.Do(ctx, "sentinel", "master", masterName).StringSlice()
		if err != nil || !hasPair(view, "flags", "master") || !hasPair(view, "num-slaves", "1") ||
			!hasPair(view, "num-other-sentinels", fmt.Sprint(sentinels-1)) {
			return fmt.Sprintf("a Sentinel sees %v: %v", view, err)
		}
	}
	if info := replication(ctx, master.client); !info["role:master"] || !info["connected_slaves:1"] {
		return fmt.Sprintf("the master says %v", info)
	}
	if info := replication(ctx, replica.client); !info["role:slave"] || !info["master_link_status:up"] ||
		!info["master_port:"+portOf(master.address)] {
		return fmt.Sprintf("the replica says %v", info)
	}
	return ""
}

// hasPair reports whether a flat list of names and values has one.
func hasPair(flat []string, name, value string) bool {
	for i := 0; i+1 < len(flat); i += 2 {
		if flat[i] == name {
			return flat[i+1] == value
		}
	}
	return false
}

// replication returns the lines that a server says of its replication; none if it does not answer.
func replication(ctx context.Context, client *redis.Client) map[string]bool {
	lines := map[string]bool{}
	for line := range strings.Lines(client.Info(ctx, "replication").Val()) {
		lines[strings.TrimSpace(line)] = true
	}
	return lines
}
