package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/switchback-proxy/switchback/caddymodule"
)

// asProxy is the environment variable that makes this program a proxy.
const asProxy = "SWITCHBACK_BENCH_PROXY"

// Exit codes.
const (
	exitMissed = 1 // a bar is missed
	exitFailed = 2 // a measurement could not be made, or the command line is wrong
)

func main() {
	if os.Getenv(asProxy) != "" {
		caddycmd.Main()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends this process at once, and with it all others
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are the command line.
type options struct {
	quick, json     bool
	only            []string
	healthy, outage time.Duration // in place of the scale's; 0: that
}

// run is the whole program. The table goes to out, progress and complaints to messages.
func run(ctx context.Context, args []string, out, messages io.Writer) int {
	o, err := parse(args, messages)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(messages, "bench:", err)
		return exitFailed
	}
	rows, err := measure(ctx, o.scale(), o.only, messages)
	show := printTable
	if o.json {
		show = printJSON
	}
	if err := errors.Join(err, show(out, rows)); err != nil {
		fmt.Fprintln(messages, "bench:", err)
		return exitFailed
	}
	if slices.ContainsFunc(rows, func(r row) bool { return !r.OK }) {
		return exitMissed
	}
	return 0
}

// scale is how much is to be measured.
func (o options) scale() scale {
	s := full
	if o.quick {
		s = quick
	}
	s.healthy, s.outage = cmp.Or(o.healthy, s.healthy), cmp.Or(o.outage, s.outage)
	return s
}

// parse reads the command line.
func parse(args []string, messages io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(messages)
	flags.BoolVar(&o.quick, "quick", false, "measure little, to try things out: the figures mean less")
	flags.BoolVar(&o.json, "json", false, "print JSON instead of a table")
	flags.DurationVar(&o.healthy, "health", 0, "for judge and detect: how long a canary is well before it turns bad (default 1m)")
	flags.DurationVar(&o.outage, "outage", 0, "for judge: how long a canary is looked at that must not be failed back (default 2m)")
	only := flags.String("only", "", "measure these alone, separated by commas: "+strings.Join(names(), ", "))
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("argument %q: there are only flags", flags.Arg(0))
	}
	if o.healthy < 0 || o.outage < 0 {
		return o, fmt.Errorf("--health %s, --outage %s: must not be negative", o.healthy, o.outage)
	}
	if *only == "" {
		o.only = usual()
		return o, nil
	}
	o.only = strings.Split(*only, ",")
	for _, name := range o.only {
		if !slices.Contains(names(), name) {
			return o, fmt.Errorf("--only %q: must be some of %s", name, strings.Join(names(), ", "))
		}
	}
	return o, nil
}

// measure makes the measurements named, one after the other so that none disturbs another, and returns the rows of
// those that worked.
func measure(ctx context.Context, s scale, only []string, messages io.Writer) ([]row, error) {
	dir, err := os.MkdirTemp("", "sb-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	var rows []row
	var failed error
	for _, m := range measurements {
		if !slices.Contains(only, m.name) || ctx.Err() != nil {
			continue
		}
		fmt.Fprintf(messages, "%s: %s …\n", m.name, m.what)
		began := time.Now()
		l := newLab(dir)
		found, err := m.measure(ctx, l, s)
		if err = errors.Join(err, l.close()); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", m.name, err))
		}
		for i := range found {
			found[i].Name = m.name
		}
		rows = append(rows, found...)
		fmt.Fprintf(messages, "%s: took %s\n", m.name, time.Since(began).Round(100*time.Millisecond))
	}
	return rows, errors.Join(failed, context.Cause(ctx), os.RemoveAll(dir))
}
