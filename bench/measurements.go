package main

import (
	"context"
	"time"

	"github.com/switchback-proxy/switchback/sim"
)

// measurement is one thing that is measured: a row of the table, or several that come of the same run.
type measurement struct {
	name    string
	what    string // in words, to show while it is measured
	measure func(context.Context, *lab, scale) ([]row, error)
	// apart is whether it is only measured when asked for by name.
	apart bool
}

// measurements are all there are, in the order of the table.
var measurements = []measurement{
	{name: "decide", what: "deciding by a header's key", measure: decide},
	{name: "overhead", what: "processor time and allocations of the handler beside a plain reverse_proxy", measure: overhead},
	{name: "scan", what: "processor time of looking into a stream of tokens", measure: scan},
	{name: "delay", what: "how long a token is under way, beside a plain reverse_proxy", measure: delay},
	{name: "propagate", what: "changes at one proxy until another serves by them, over one Redis", measure: propagate},
	{name: "polled", what: "the same where the other hears no announcements", measure: polled},
	{name: "members", what: "changes until all of a large fleet decide by them", measure: members},
	{name: "idle", what: "what a proxy without traffic costs Redis and its own machine", measure: idle},
	{name: "streams", what: "memory of open streams", measure: streams},
	{name: "cut", what: "a kill that cuts open streams", measure: cut},
	{name: "judge", what: "canaries that are bad, and some that only seem so, behind two proxies", measure: judge},
	{name: "fleet-redis", what: "what fleets that judge ask of Redis", measure: fleetRedis},
	{name: "judge-cost", what: "what judging takes of time and memory", measure: judgeCost},
	{name: "detect", what: "canaries that turn bad after a healthy time", measure: detect},
	{name: "rescue", what: "a canary that refuses connections", measure: rescue},
	{name: "sim", what: "the judge in virtual time", measure: simulate},
	{name: "faults", what: "what befalls a fleet's Redis, in turn, with traffic on five proxies", measure: faults, apart: true},
}

// names returns what can be asked for.
func names() []string { return namesOf(func(measurement) bool { return true }) }

// usual returns what is measured unless something else is asked for.
func usual() []string { return namesOf(func(m measurement) bool { return !m.apart }) }

func namesOf(wanted func(measurement) bool) []string {
	var all []string
	for _, m := range measurements {
		if wanted(m) {
			all = append(all, m.name)
		}
	}
	return all
}

// scale says how much is measured.
type scale struct {
	tries     int           // for decide
	pairs     int           // of processes for overhead, scan and delay, each of which gives blocks
	blocks    int           // of each pair
	block     int           // requests to each of a pair
	chats     int           // chats with each of a pair for scan, in a block
	delays    int           // chats by each way for delay, in a block
	changes   int           // for propagate
	polled    int           // changes for polled
	streams   int           // open at once
	rounds    int           // of processes for streams
	cut       int           // streams open at a kill
	kills     int           // that cut them
	healthy   time.Duration // before a canary turns bad
	outage    time.Duration // for which a canary is looked at that must not be failed back
	trials    int           // for each of judge's scenarios
	scenarios []string      // to try, by name; nil for all
	fleets    []int         // instances of each for fleet-redis, in rising order
	judged    int           // seconds, and requests, for judge-cost
	aging     time.Duration // for which a fleet serves before it is measured
	members   int           // changes for members
	idle      time.Duration // for which nothing happens, and for which fleets are measured
	faults    []string      // to try, by name; nil for all
	span      time.Duration // for which a fault lasts that has no end of its own
	simulate  sim.Scale
}

// full is what the bars are stated for. It takes a quarter of an hour, of which judge takes five minutes and fleet-redis
// three; and faults, apart, three.
var full = scale{tries: 3, pairs: 3, blocks: 15, block: 1600, chats: 32, delays: 4, changes: 300, polled: 20, streams: 2000,
	rounds: 5, cut: 1000, kills: 5, healthy: time.Minute, outage: 2 * time.Minute, trials: 6, fleets: []int{10, 20, 50},
	judged: 20_000, aging: 130 * time.Second, members: 300, idle: 30 * time.Second, span: 6 * time.Second, simulate: sim.Full}

// quick is for trying things out. It takes four minutes, and faults, apart, two.
var quick = scale{tries: 1, pairs: 1, blocks: 15, block: 800, chats: 16, delays: 2, changes: 50, polled: 4, streams: 300,
	rounds: 1, cut: 300, kills: 1, healthy: 10 * time.Second, outage: 40 * time.Second, trials: 2, fleets: []int{2, 5, 10},
	judged: 5000, aging: 15 * time.Second, members: 50, idle: 5 * time.Second, span: 2 * time.Second, simulate: sim.Quick}
