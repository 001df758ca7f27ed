//go:build unix

package storetest

import (
	"strings"
	"testing"
)

// slots is how many hash slots a Redis Cluster has.
const slots = 16384

// Cluster is a Redis Cluster of masters on loopback ports, the slots shared out evenly.
type Cluster struct {
	// Nodes lists the masters.
	Nodes []*Redis
	t     testing.TB
}

// StartCluster starts a cluster of n masters and waits until it is well, which takes about two seconds. It needs Redis 7
// or newer, and is skipped with -short.
func StartCluster(t testing.TB, n int) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("a cluster takes seconds to start")
	}
	c := &Cluster{t: t}
	ports := make([]string, n) // of the cluster's bus
	for i := range n {
		ports[i] = freePort(t)
		node := StartRedis(t, "--cluster-enabled", "yes", "--cluster-port", ports[i])
		node.Do("CLUSTER", "ADDSLOTSRANGE", i*slots/n, (i+1)*slots/n-1)
		node.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		c.Nodes = append(c.Nodes, node)
	}
	for i, node := range c.Nodes[1:] {
		c.Nodes[0].Do("CLUSTER", "MEET", "127.0.0.1", node.port, ports[i+1])
	}
	for _, node := range c.Nodes {
		node.await("the whole cluster", func() bool {
			slots, known := node.Do("CLUSTER", "SLOTS").([]any)
			return known && len(slots) == n && strings.Contains(node.text("CLUSTER", "INFO"), "cluster_state:ok")
		})
	}
	return c
}

// Addresses returns host:port of every node.
func (c *Cluster) Addresses() []string {
	var all []string
	for _, node := range c.Nodes {
		all = append(all, node.Addr())
	}
	return all
}

// Owner returns the node that holds a key, and its place among the nodes.
func (c *Cluster) Owner(key string) (node *Redis, place int) {
	c.t.Helper()
	slot := c.slot(key)
	for i, node := range c.Nodes {
		id := node.text("CLUSTER", "MYID")
		for _, entry := range node.list("CLUSTER", "SLOTS") {
			held := entry.([]any)
			if held[0].(int64) <= slot && slot <= held[1].(int64) && held[2].([]any)[2] == id {
				return node, i
			}
		}
	}
	c.t.Fatalf("no node holds key %s", key)
	return nil, 0
}

// MoveSlot moves the slot of a key, with all that is in it, from its node to the next one, as redis-cli does.
// Halfway, with some keys here and some there, it calls halfway.
func (c *Cluster) MoveSlot(key string, halfway func()) {
	c.t.Helper()
	from, place := c.Owner(key)
	to := c.Nodes[(place+1)%len(c.Nodes)]
	slot, fromID, toID := c.slot(key), from.text("CLUSTER", "MYID"), to.text("CLUSTER", "MYID")
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	inSlot := from.list("CLUSTER", "GETKEYSINSLOT", slot, 1000)
	from.migrate(to, inSlot[:len(inSlot)/2])
	halfway()
	from.migrate(to, from.list("CLUSTER", "GETKEYSINSLOT", slot, 1000))
	for _, node := range append([]*Redis{to, from}, c.Nodes...) { // the new owner first
		node.Do("CLUSTER", "SETSLOT", slot, "NODE", toID)
	}
}

// slot returns the hash slot of a key.
func (c *Cluster) slot(key string) int64 {
	c.t.Helper()
	return c.Nodes[0].Do("CLUSTER", "KEYSLOT", key).(int64)
}

// migrate moves keys to another server.
func (r *Redis) migrate(to *Redis, keys []any) {
	r.t.Helper()
	if len(keys) > 0 {
		r.Do(append([]any{"MIGRATE", "127.0.0.1", to.port, "", 0, patience.Milliseconds(), "KEYS"}, keys...)...)
	}
}
