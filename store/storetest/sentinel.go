//go:build unix

package storetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Sentinels is a master with one replica, watched by three Redis Sentinels, all on loopback ports.
type Sentinels struct {
	// Master and Replica are the servers, by the roles that they begin with.
	Master, Replica *Redis
	watchers        []*Redis
}

// MasterName is the name by which the Sentinels of StartSentinel know the master.
const MasterName = "switchback-test"

// StartSentinel starts them and waits until each knows of all others, which takes a few seconds. The Sentinels replace a
// dead master after about a second. It is skipped with -short.
func StartSentinel(t testing.TB) *Sentinels {
	t.Helper()
	if testing.Short() {
		t.Skip("sentinels take seconds to start")
	}
	s := &Sentinels{Master: StartRedis(t)}
	s.Replica = StartRedis(t, "--replicaof", "127.0.0.1 "+s.Master.port, "--repl-diskless-sync-delay", "0")
	s.Replica.await("the first copy", func() bool {
		return strings.Contains(s.Replica.text("INFO", "replication"), "master_link_status:up")
	})
	for range 3 {
		s.watchers = append(s.watchers, startWatcher(t, s.Master))
	}
	for _, w := range s.watchers {
		w.await("two other sentinels and a replica", func() bool {
			return len(w.list("SENTINEL", "SENTINELS", MasterName)) == 2 && len(w.list("SENTINEL", "REPLICAS", MasterName)) == 1
		})
	}
	return s
}

// Addresses returns host:port of every Sentinel.
func (s *Sentinels) Addresses() []string {
	var all []string
	for _, w := range s.watchers {
		all = append(all, w.Addr())
	}
	return all
}

// startWatcher starts one Sentinel.
func startWatcher(t testing.TB, master *Redis) *Redis {
	t.Helper()
	r := newRedis(t, nil)
	config := fmt.Sprintf(`port %[1]s
bind 127.0.0.1
dir %[2]s
sentinel monitor %[3]s 127.0.0.1 %[4]s 2
sentinel down-after-milliseconds %[3]s 500
sentinel failover-timeout %[3]s 1000
`, r.port, r.folder, MasterName, master.port)
	path := filepath.Join(r.folder, "sentinel.conf") // which a Sentinel rewrites
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	r.args = []string{path, "--sentinel"}
	r.connect(nil)
	r.start()
	return r
}
