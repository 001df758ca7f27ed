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
}

// measurements are all there are, in the order of the table.
var measurements = []measurement{
	{"decide", "deciding by a header's key", decide},
	{"overhead", "processor time and allocations of the handler beside a plain reverse_proxy", overhead},
	{"propagate", "changes at one proxy until another serves by them, over one Redis", propagate},
	{"polled", "the same where the other hears no announcements", polled},
	{"streams", "memory of open streams", streams},
	{"cut", "a kill that cuts open streams", cut},
	{"detect", "canaries that turn bad after a healthy time", detect},
	{"sim", "the judge in virtual time", simulate},
}

func names() []string {
	var all []string
	for _, m := range measurements {
		all = append(all, m.name)
	}
	return all
}

// scale says how much is measured.
type scale struct {
	tries    int           // for decide
	pairs    int           // of processes for overhead, each of which gives blocks
	blocks   int           // of each pair
	block    int           // requests to each of a pair
	changes  int           // for propagate
	polled   int           // changes for polled
	streams  int           // open at once
	rounds   int           // of processes for streams
	cut      int           // streams open at a kill
	kills    int           // that cut them
	healthy  time.Duration // before the canary turns bad
	simulate sim.Scale
}

// full is what the bars are stated for. It takes seven or eight minutes.
var full = scale{tries: 3, pairs: 3, blocks: 15, block: 1600, changes: 300, polled: 20, streams: 2000, rounds: 3, cut: 1000,
	kills: 5, healthy: time.Minute, simulate: sim.Full}

// quick is for trying things out. It takes about a minute.
var quick = scale{tries: 1, pairs: 1, blocks: 15, block: 800, changes: 50, polled: 4, streams: 300, rounds: 1, cut: 300,
	kills: 1, healthy: 5 * time.Second, simulate: sim.Quick}
