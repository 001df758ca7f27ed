package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"
)

// scene is a Sentinel setup, with a crew each of which has a road of its own to it, and what one fault leaves for its
// end. Its methods are the faults.
type scene struct {
	*sentinelSetup
	roads           []*road
	old             []byte  // a snapshot of the last proxy from the beginning
	master, replica *server // as the fault began
}

// sentinelFaults are the faults of a Sentinel setup, in the order in which they are tried.
var sentinelFaults = []string{"pub/sub cut", "out of memory", "read-only", "auth revoked", "inbox evicted", "week-old snapshot",
	"older dump", "restarted empty", "killed", "frozen", "lost writes", "two halves"}

// startSentinelCrew starts all of it.
func startSentinelCrew(ctx context.Context, l *lab) (*crew, []fault, error) {
	setup, err := l.startSentinel(ctx)
	if err != nil {
		return nil, nil, err
	}
	sc := &scene{sentinelSetup: setup, roads: make([]*road, crewSize)}
	for n := range sc.roads {
		if sc.roads[n], err = l.newRoad(addresses(setup.servers[:]), addresses(setup.watchers[:])); err != nil {
			return nil, nil, err
		}
	}
	c, err := l.startCrew(ctx, sc.store, func(ctx context.Context) (redis.Cmdable, error) {
		master, _, err := setup.roles(ctx)
		if err != nil {
			return nil, err
		}
		return master.client, nil
	})
	if err != nil {
		return nil, nil, err
	}
	sc.old, err = firstSnapshot(ctx, c.snapshotFile(crewSize-1))
	return c, sc.faults(), err
}

// firstSnapshot returns a snapshot as soon as it is written.
func firstSnapshot(ctx context.Context, file string) (doc []byte, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("no snapshot within %s", startLimit))
	defer cancel()
	err = poll(ctx, func() (bool, error) {
		doc, err = os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	})
	return doc, err
}

// store returns the directives of a proxy's store.
func (sc *scene) store(n int) string {
	return strings.Join([]string{addressesLine(sc.roads[n].sentinels), "master_name " + masterName,
		"username " + proxyUser, "password " + proxyPassword}, "\n")
}

// faults returns the faults by name.
func (sc *scene) faults() []fault {
	all := map[string]fault{
		"pub/sub cut":       {begin: sc.deafen, end: sc.undeafen},
		"out of memory":     {begin: sc.fill, end: sc.empty, refuses: true},
		"read-only":         {begin: sc.demote, end: sc.promote, refuses: true},
		"auth revoked":      {begin: sc.revoke, end: sc.permit, refuses: true},
		"inbox evicted":     {begin: sc.evictOrder, end: sc.empty, refuses: true},
		"week-old snapshot": {begin: sc.forgetWeek, end: sc.returnAged},
		"older dump":        {begin: sc.restoreDump, loses: true},
		"restarted empty":   {begin: sc.restartEmpty, loses: true},
		"killed":            {begin: sc.killMaster, end: sc.restart},
		"frozen":            {begin: sc.freezeMaster, end: sc.thawMaster},
		"lost writes":       {begin: sc.loseWrites, end: sc.restart, loses: true},
		"two halves":        {begin: sc.part, during: sc.changeBoth, end: sc.unite, loses: true},
	}
	var listed []fault
	for _, name := range sentinelFaults {
		f := all[name]
		f.name = name
		begin := f.begin
		f.begin = func(ctx context.Context, i *incident) error { return errors.Join(sc.ready(ctx), begin(ctx, i)) }
		listed = append(listed, f)
	}
	return listed
}

// ready waits until the servers are whole, and notes who is who.
func (sc *scene) ready(ctx context.Context) error {
	if err := sc.calm(ctx); err != nil {
		return err
	}
	var err error
	sc.master, sc.replica, err = sc.roles(ctx)
	return err
}
