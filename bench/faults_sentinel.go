package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/switchback-proxy/switchback/splitter"
)

// deafen has the proxies hear no announcements.
func (sc *scene) deafen(context.Context, *incident) error {
	for _, r := range sc.roads {
		r.deafen(true)
	}
	return nil
}

// undeafen has them hear again.
func (sc *scene) undeafen(context.Context, *incident) error {
	for n, r := range sc.roads {
		r.deafen(false)
		if r.lost() == 0 {
			return fmt.Errorf("no announcement to %s was lost", memberName(n))
		}
	}
	return nil
}

// fill makes the master refuse writes for want of memory.
func (sc *scene) fill(ctx context.Context, _ *incident) error {
	return sc.master.do(ctx, []any{"set", "ballast", strings.Repeat("x", 4<<20)}, []any{"config", "set", "maxmemory", 1 << 20})
}

// empty gives the master its memory back.
func (sc *scene) empty(ctx context.Context, _ *incident) error {
	return sc.master.do(ctx, []any{"config", "set", "maxmemory", 0, "maxmemory-policy", "noeviction"}, []any{"del", "ballast"})
}

// deadPort is where no server is, nor a proxy that could become one.
const deadPort = "1"

// demote makes the master a replica of nobody, which refuses writes. The Sentinels let that pass for a while.
func (sc *scene) demote(ctx context.Context, _ *incident) error {
	return sc.master.do(ctx, []any{"replicaof", "127.0.0.1", deadPort})
}

// promote makes it the master again.
func (sc *scene) promote(ctx context.Context, _ *incident) error {
	return sc.master.do(ctx, []any{"replicaof", "no", "one"})
}

// revoke takes the rights of the proxies, and ends their connections.
func (sc *scene) revoke(ctx context.Context, _ *incident) error {
	for _, s := range sc.servers {
		if err := s.do(ctx, []any{"acl", "setuser", proxyUser, "off"}, []any{"client", "kill", "user", proxyUser}); err != nil {
			return err
		}
	}
	return nil
}

// permit gives the proxies their rights back.
func (sc *scene) permit(ctx context.Context, _ *incident) error {
	for _, s := range sc.servers {
		if err := s.do(ctx, []any{"acl", "setuser", proxyUser, "on"}); err != nil {
			return err
		}
	}
	return nil
}

// evictOrder has a kill ordered through the inbox, and then an order to lift it that is evicted before anybody reads it:
// the server carries both commands out as one, and evicts before the next.
func (sc *scene) evictOrder(ctx context.Context, i *incident) error {
	inbox := keyOf("kill:" + split)
	if err := i.order(ctx, sc.master.client, inbox); err != nil {
		return err
	}
	if err := sc.master.do(ctx, []any{"config", "set", "maxmemory-policy", "volatile-ttl"}); err != nil {
		return err
	}
	_, err := sc.master.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, inbox, "revive", time.Hour)
		p.ConfigSet(ctx, "maxmemory", "1")
		return nil
	})
	if err != nil {
		return fmt.Errorf("order and evict: %w", err)
	}
	if left := sc.master.client.Exists(ctx, inbox).Val(); left > 0 {
		return errors.New("the order was not evicted")
	}
	return nil
}

// order kills the split through the inbox, and waits until all proxies have it.
func (i *incident) order(ctx context.Context, client *redis.Client, inbox string) error {
	const limit = 5 * time.Second
	e := i.loosened()
	e.refuses = true
	i.traffic.expect(e)
	began := time.Now()
	if err := client.Set(ctx, inbox, "found on fire", 0).Err(); err != nil {
		return fmt.Errorf("order a kill: %w", err)
	}
	at, err := i.watch.until(ctx, limit, began, func(s sight) bool { return len(s.kills) > 0 })
	if err != nil {
		return fmt.Errorf("order a kill: %w: %s", err, i.view())
	}
	i.said = append(i.said, fmt.Sprintf("kill by inbox in %.1f s", at.Sub(began).Seconds()))
	for id := range killsOf(i.watch.sights()[0].kills) {
		i.kills[id] = began
	}
	return nil
}

// precious has changes made that all proxies have and the store is about to lose.
func (sc *scene) precious(ctx context.Context, i *incident) error {
	return i.must(ctx, i.weighs(0), i.kill(3, "green"))
}

// forgetWeek stops a proxy and takes back its memory by a week, while the fleet goes on.
func (sc *scene) forgetWeek(ctx context.Context, i *incident) error {
	const last = crewSize - 1
	if err := sc.precious(ctx, i); err != nil {
		return err
	}
	i.traffic.hold(last)
	if err := i.proxies[last].close(); err != nil {
		return err
	}
	aged, err := age(sc.old, 7*24*time.Hour)
	if err != nil {
		return err
	}
	return os.WriteFile(i.snapshotFile(last), aged, 0o600)
}

// returnAged starts the proxy again.
func (sc *scene) returnAged(ctx context.Context, i *incident) error {
	const last = crewSize - 1
	i.watch.forget(last)
	if err := i.proxies[last].start(ctx); err != nil {
		return err
	}
	i.traffic.let(last)
	return nil
}

// restoreDump has the master come back with what it had some changes ago.
func (sc *scene) restoreDump(ctx context.Context, i *incident) error {
	backup, err := sc.master.backUp()
	if err != nil {
		return err
	}
	if err := sc.precious(ctx, i); err != nil {
		return err
	}
	return sc.master.restartFrom(ctx, backup)
}

// restartEmpty has the master come back with nothing.
func (sc *scene) restartEmpty(ctx context.Context, i *incident) error {
	if err := sc.precious(ctx, i); err != nil {
		return err
	}
	return sc.master.restartFrom(ctx, "")
}

// killMaster ends the master at once.
func (sc *scene) killMaster(context.Context, *incident) error { return sc.master.kill() }

// restart waits until the replica has taken over, which is where the fault ends for the proxies. Then it brings the old
// master back, of which the Sentinels make a replica: what proxies serve by must not change with it.
func (sc *scene) restart(ctx context.Context, i *incident) error {
	waiting, cancel := context.WithTimeoutCause(ctx, calmLimit, fmt.Errorf("no failover within %s", calmLimit))
	defer cancel()
	err := poll(waiting, func() (bool, error) {
		address, err := sc.masterAddress(waiting, sc.watchers[0])
		return address == sc.replica.address, err
	})
	if err == nil {
		err = i.recover(ctx)
	}
	return errors.Join(err, sc.master.start(ctx), sc.calm(ctx))
}

// freezeMaster has the master hang, with all connections open.
func (sc *scene) freezeMaster(context.Context, *incident) error { return sc.master.process.freeze() }

// thawMaster lets it go on: with commands that wait since, and perhaps in the belief that it is still the master.
func (sc *scene) thawMaster(context.Context, *incident) error { return sc.master.process.thaw() }

// loseWrites has the master acknowledge changes that its replica does not get, and then die.
func (sc *scene) loseWrites(ctx context.Context, i *incident) error {
	if err := sc.replica.do(ctx, []any{"replicaof", "127.0.0.1", deadPort}); err != nil {
		return err
	}
	if err := sc.precious(ctx, i); err != nil {
		return err
	}
	return sc.master.kill()
}

// halfFrom is the first proxy of those that are led to the other half.
const halfFrom = 3

// part makes a second master, and leads some of the proxies to it.
func (sc *scene) part(ctx context.Context, _ *incident) error {
	if err := sc.replica.do(ctx, []any{"replicaof", "no", "one"}); err != nil {
		return err
	}
	return sc.lead(sc.replica)
}

// lead leads the other half's proxies to a server.
func (sc *scene) lead(to *server) error {
	var err error
	for _, r := range sc.roads[halfFrom:] {
		err = errors.Join(err, r.relays[sc.master.address].turn(to.address))
	}
	return err
}

// changeBoth has both halves change the weights, so that both write the same revision, and kill: the split here, the
// canary there. Of the weights, the lower canary share is to hold in the end, and of the kills, both.
func (sc *scene) changeBoth(ctx context.Context, i *incident) error {
	if err := wait(ctx, time.Second); err != nil {
		return err
	}
	here, err := i.weigh(ctx, 0)
	if err != nil {
		return err
	}
	if _, err := i.weigh(ctx, halfFrom); err != nil {
		return err
	}
	i.right = map[splitter.Weight]bool{here: true} // which is the lower one
	if err := errors.Join(i.killOff(ctx, halfFrom+1, "green"), i.killOff(ctx, 1, "")); err != nil {
		return err
	}
	return wait(ctx, time.Second)
}

// unite makes the second master a replica again, and leads everybody to the first one.
func (sc *scene) unite(ctx context.Context, _ *incident) error {
	return errors.Join(sc.replica.do(ctx, []any{"replicaof", "127.0.0.1", portOf(sc.master.address)}), sc.lead(sc.master))
}
