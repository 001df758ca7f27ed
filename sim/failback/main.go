// Command failback measures the bars of automatic failback in virtual time and prints them as a table. It exits with 1
// if one is missed.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/switchback-proxy/switchback/sim"
)

func main() {
	quick := flag.Bool("quick", false, "simulate a small part, in seconds")
	flag.Parse()
	debug.SetGCPercent(400) // little memory, many short-lived values
	scale := sim.Full
	if *quick {
		scale = sim.Quick
	}
	ok, err := sim.Run(os.Stdout, scale)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}
