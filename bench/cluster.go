package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// clusterNodes is how many nodes the Cluster has, all of them masters.
const clusterNodes = 3

// cluster is a Redis Cluster.
type cluster struct {
	nodes []*server
	ids   []string // that the nodes have given themselves
}

// startCluster starts a Cluster, which ends with the lab, and returns when all of its nodes serve.
func (l *lab) startCluster(ctx context.Context) (*cluster, error) {
	const slots = 16384
	c := new(cluster)
	for i := range clusterNodes {
		node, err := l.startNode(ctx)
		if err != nil {
			return nil, err
		}
		id, err := node.client.Do(ctx, "cluster", "myid").Text()
		if err != nil {
			return nil, fmt.Errorf("ask a node for its id: %w", err)
		}
		c.nodes, c.ids = append(c.nodes, node), append(c.ids, id)
		err = node.do(ctx, []any{"cluster", "set-config-epoch", i + 1},
			[]any{"cluster", "addslotsrange", i * slots / clusterNodes, (i+1)*slots/clusterNodes - 1},
			[]any{"cluster", "meet", "127.0.0.1", portOf(c.nodes[0].address), busPort(c.nodes[0])})
		if err != nil {
			return nil, err
		}
	}
	return c, c.calm(ctx)
}

// startNode starts one node that knows of no other.
func (l *lab) startNode(ctx context.Context) (*server, error) {
	s, err := l.newServer("node")
	if err != nil {
		return nil, err
	}
	s.args = append([]string{"--port", portOf(s.address), "--bind", "127.0.0.1", "--dir", s.dir, "--save", "",
		"--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", busPort(s)}, persistent...)
	return s, s.start(ctx)
}

// busPort returns where a node speaks with others: as far above its own port as no port of a server's own can be.
func busPort(s *server) string {
	port, err := strconv.Atoi(portOf(s.address))
	if err != nil {
		return "" // which the server refuses
	}
	return strconv.Itoa(port + steadyPorts)
}

// calm waits until all nodes say that the Cluster is whole.
func (c *cluster) calm(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, calmLimit, fmt.Errorf("the Cluster is not whole within %s", calmLimit))
	defer cancel()
	return poll(ctx, func() (bool, error) {
		for _, n := range c.nodes {
			info := n.client.ClusterInfo(ctx).Val()
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", clusterNodes)) {
				return false, nil
			}
		}
		return true, nil
	})
}

// home returns the slot of a key and the index of the node that has it.
func (c *cluster) home(ctx context.Context, key string) (slot int64, node int, err error) {
	if slot, err = c.nodes[0].client.ClusterKeySlot(ctx, key).Result(); err != nil {
		return 0, 0, fmt.Errorf("ask for a key's slot: %w", err)
	}
	shards, err := c.nodes[0].client.ClusterShards(ctx).Result()
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the slots: %w", err)
	}
	for _, shard := range shards {
		has := slices.ContainsFunc(shard.Slots, func(r redis.SlotRange) bool { return r.Start <= slot && slot <= r.End })
		if i := slices.Index(c.ids, shard.Nodes[0].ID); has && i >= 0 {
			return slot, i, nil
		}
	}
	return 0, 0, fmt.Errorf("slot %d: no node has it", slot)
}

// move brings a slot from one node to another while clients use it, a key each pause.
func (c *cluster) move(ctx context.Context, slot int64, from, to int, pause time.Duration) error {
	source, target := c.nodes[from], c.nodes[to]
	if err := target.do(ctx, []any{"cluster", "setslot", slot, "importing", c.ids[from]}); err != nil {
		return err
	}
	if err := source.do(ctx, []any{"cluster", "setslot", slot, "migrating", c.ids[to]}); err != nil {
		return err
	}
	for {
		keys, err := source.client.ClusterGetKeysInSlot(ctx, int(slot), 1).Result()
		if err != nil {
			return fmt.Errorf("ask for the slot's keys: %w", err)
		}
		if len(keys) == 0 {
			break
		}
		if err := migrate(ctx, source.client, target, keys[0]); err != nil {
			return err
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
	for _, n := range []*server{target, source, c.nodes[3-from-to]} {
		if err := n.do(ctx, []any{"cluster", "setslot", slot, "node", c.ids[to]}); err != nil {
			return err
		}
	}
	return nil
}

// migrate moves one key.
func migrate(ctx context.Context, source *redis.Client, target *server, key string) error {
	const timeout = 2000 // milliseconds
	err := source.Do(ctx, "migrate", "127.0.0.1", portOf(target.address), key, 0, timeout).Err()
	if err != nil {
		return fmt.Errorf("migrate a key: %w", err)
	}
	return nil
}
