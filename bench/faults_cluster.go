package main

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// clusterFaults are the faults of a Cluster, in the order in which they are tried.
var clusterFaults = []string{"slot moved", "node killed"}

// startClusterCrew starts a Cluster with a crew on it.
func startClusterCrew(ctx context.Context, l *lab) (*crew, []fault, error) {
	cl, err := l.startCluster(ctx)
	if err != nil {
		return nil, nil, err
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses(cl.nodes), ContextTimeoutEnabled: true})
	l.atEnd(client.Close)
	c, err := l.startCrew(ctx, func(int) string { return addressesLine(addresses(cl.nodes)) + "\ncluster" },
		func(context.Context) (redis.Cmdable, error) { return client, nil })
	if err != nil {
		return nil, nil, err
	}
	var dead *server
	return c, []fault{{
		name:   "slot moved",
		begin:  func(context.Context, *incident) error { return nil },
		during: func(ctx context.Context, i *incident) error { return cl.moveUnderLoad(ctx, i) },
	}, {
		name: "node killed",
		begin: func(ctx context.Context, _ *incident) error {
			_, home, err := cl.home(ctx, keyOf("state:"+split))
			if err != nil {
				return err
			}
			dead = cl.nodes[home]
			return dead.kill()
		},
		end: func(ctx context.Context, _ *incident) error {
			if err := dead.start(ctx); err != nil {
				return err
			}
			return cl.calm(ctx)
		},
	}}, nil
}

// moveUnderLoad moves the slot of the fleet's keys to the next node while the usual changes are made, so slowly that
// they meet a slot that is partly here and partly there.
func (c *cluster) moveUnderLoad(ctx context.Context, i *incident) error {
	slot, from, err := c.home(ctx, keyOf("state:"+split))
	if err != nil {
		return err
	}
	moved := make(chan error, 1)
	go func() { moved <- c.move(ctx, slot, from, (from+1)%clusterNodes, i.span/6) }()
	err = usualChanges(ctx, i)
	return errors.Join(err, <-moved)
}
