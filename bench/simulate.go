package main

import (
	"context"
	"fmt"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/switchback-proxy/switchback/sim"
)

// simulate measures the judge in virtual time, many times over: false failbacks of a healthy canary, failbacks where
// both variants turn bad together, and how soon a bad canary is found.
func simulate(_ context.Context, _ *lab, s scale) ([]row, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // little memory, many short-lived values
	var table strings.Builder
	ok, err := sim.Run(&table, s.simulate)
	if err != nil {
		return nil, err
	}
	rows, err := simulated(table.String())
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		ok = ok || !r.OK
	}
	if !ok {
		return nil, fmt.Errorf("a simulated bar is missed, but none in the table:\n%s", table.String())
	}
	return rows, nil
}

// gutter is what stands between two columns of the simulation's table.
var gutter = regexp.MustCompile(` {2,}`)

// simulated reads the simulation's table: what, measured, bar, and whether it is missed.
func simulated(table string) ([]row, error) {
	var rows []row
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		cells := gutter.Split(strings.TrimRight(line, " "), -1)
		if len(cells) < 3 || i == 0 && cells[0] != "what" {
			return nil, fmt.Errorf("line %d of the simulation's table has %d columns, want what, measured and bar: %q", i+1, len(cells), line)
		}
		if i > 0 {
			rows = append(rows, row{What: "simulated: " + cells[0], Measured: cells[1], Bar: cells[2], OK: len(cells) == 3})
		}
	}
	return rows, nil
}
