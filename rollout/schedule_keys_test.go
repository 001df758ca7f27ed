//go:build unix

package rollout_test

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/switchback-proxy/switchback/store/storetest"
)

var (
	// dumpKeys returns name and content of all keys of a pattern.
	dumpKeys = goredis.NewScript(`
local all = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  all[#all + 1] = key
  all[#all + 1] = redis.call('DUMP', key)
end
return all`)
	// restoreKeys removes all keys of a pattern and writes others: their names and contents follow.
	restoreKeys = goredis.NewScript(`
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  redis.call('DEL', key)
end
for i = 2, #ARGV, 2 do
  redis.call('RESTORE', ARGV[i], 0, ARGV[i + 1])
end
return 0`)
)

// fleetKeys are the keys of one fleet on one server, for whoever has a hand on all of them at once.
type fleetKeys struct {
	client *goredis.Client
	fleet  string
}

// onServer returns a client that stays on a server's side of all wires. The caller closes it.
func onServer(r *storetest.Redis) *goredis.Client {
	return goredis.NewClient(&goredis.Options{Addr: r.Addr(), Protocol: 2, DisableIdentity: true})
}

func (k fleetKeys) addr() string { return k.client.Options().Addr }

// control is the pattern of the keys that States, kills and members are in; they share one slot.
func (k fleetKeys) control() string { return "switchback:{" + k.fleet + "}:*" }

// inbox is the key of the break-glass inbox.
func (k fleetKeys) inbox() string { return "switchback:{" + k.fleet + "}:kill:assistant" }

// dump returns all that the control keys hold.
func (k fleetKeys) dump() ([]string, error) {
	return dumpKeys.Run(context.Background(), k.client, nil, k.control()).StringSlice()
}

// restore makes the control keys hold what dump returned, and nothing else, in one step.
func (k fleetKeys) restore(all []string) error {
	args := []any{k.control()}
	for _, s := range all {
		args = append(args, s)
	}
	return restoreKeys.Run(context.Background(), k.client, nil, args...).Err()
}

// clear removes all keys of the fleet.
func (k fleetKeys) clear() error {
	return errors.Join(k.restore(nil),
		restoreKeys.Run(context.Background(), k.client, nil, "switchback:{"+k.fleet+"/*").Err())
}

// order writes into the break-glass inbox.
func (k fleetKeys) order(text string) error {
	return k.client.Set(context.Background(), k.inbox(), text, 0).Err()
}

// standing returns what is in the inbox; empty if nothing is.
func (k fleetKeys) standing() (string, error) {
	text, err := k.client.Get(context.Background(), k.inbox()).Result()
	if err != nil && !errors.Is(err, goredis.Nil) {
		return "", fmt.Errorf("inbox of %s: %w", k.fleet, err)
	}
	return text, nil
}
