package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/switchback-proxy/switchback/splitter"
)

const (
	// crewSize is how many proxies serve behind a store that has faults.
	crewSize = 5
	// crewFleet is the fleet's name, which is part of all of its keys.
	crewFleet = "default"
)

// keyOf returns the name of one of the fleet's keys.
func keyOf(rest string) string { return "switchback:{" + crewFleet + "}:" + rest }

// crew is the proxies behind one store, with traffic on all of them and an eye on each.
type crew struct {
	proxies []*proxy
	traffic *traffic
	watch   *watch
	// stored reads the store itself.
	stored func(context.Context) (*splitter.State, error)
}

// startCrew starts proxies, the n-th with the store that storeOf says, all at once as a machine room would, and when all
// serve, the visitors.
func (l *lab) startCrew(ctx context.Context, storeOf func(n int) string, client func(context.Context) (redis.Cmdable, error)) (*crew, error) {
	c := &crew{proxies: make([]*proxy, crewSize), stored: func(ctx context.Context) (*splitter.State, error) {
		r, err := client(ctx)
		if err != nil {
			return nil, err
		}
		return readState(ctx, r, split)
	}}
	errs := make([]error, crewSize)
	var all sync.WaitGroup
	labs := make([]*lab, crewSize) // a lab is one goroutine's
	for n := range crewSize {
		labs[n] = newLab(l.dir)
		l.atEnd(labs[n].close)
		all.Go(func() { c.proxies[n], errs[n] = labs[n].startProxy(ctx, crewSettings(n, storeOf(n))) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c.watch = l.startWatch(ctx, c.proxies)
	var err error
	c.traffic, err = l.startTraffic(ctx, c.proxies)
	return c, err
}

// crewSettings are those of one proxy of the crew, whose variants answer by themselves.
func crewSettings(n int, store string) settings {
	s := fleetSettings(memberName(n), "")
	s.app = fmt.Sprintf("instance %s\nfleet %s\nstore redis {\n%s\n}", memberName(n), crewFleet, store)
	return s
}

// memberName returns the name of the n-th proxy.
func memberName(n int) string { return fmt.Sprintf("proxy-%d", n+1) }

// snapshotFile returns where the n-th proxy remembers the split.
func (c *crew) snapshotFile(n int) string {
	return filepath.Join(c.proxies[n].dir, "caddy", "switchback", "snapshots", crewFleet, memberName(n), split+".json")
}

// readState reads a split's State as the store has it.
func readState(ctx context.Context, client redis.Cmdable, split string) (*splitter.State, error) {
	doc, err := client.HGet(ctx, keyOf("state:"+split), "doc").Bytes()
	if err != nil {
		return nil, fmt.Errorf("read the state from Redis: %w", err)
	}
	return splitter.Decode(doc)
}

// killsOf returns the ids of kills, as a set.
func killsOf(kills []splitter.Kill) map[string]bool {
	ids := map[string]bool{}
	for _, k := range kills {
		ids[k.ID] = true
	}
	return ids
}

// addressesLine is the directive that names the servers.
func addressesLine(all []string) string { return "addresses " + strings.Join(all, " ") }
