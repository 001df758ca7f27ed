package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "demo",
		Usage: "[--stay] [--json] [--redis <url>]",
		Short: "Shows a canary that fails and is switched back, in 40 seconds",
		Long: `Starts two stand-in agents, a proxy in front of them, and a crowd of visitors;
gives the new version, green, 1, 10 and 25 % of the users; lets green fail, and
shows how the proxy switches its users back by itself, how long that took and
how many users saw an error; then kills the split and revives it.

It needs nothing else, and leaves nothing behind. The exit code is 0 only if
each step did what it says.`,
		CobraFunc: build,
	})
}

// build adds flags and sub-commands to the command `demo`.
func build(root *cobra.Command) {
	root.Args = cobra.NoArgs
	var o options
	var asJSON bool
	f := root.Flags()
	f.BoolVar(&o.stay, "stay", false, "go on running afterwards, with commands to play with")
	f.StringVar(&o.redis, "redis", "", "run two proxies on this Redis: redis://localhost:6379")
	f.BoolVar(&asJSON, "json", false, "print a report as JSON; the story goes to standard error")
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := untilSignal(cmd)
		defer stop()
		return show(ctx, o, asJSON)
	}
	root.AddCommand(agentCommand(), visitorsCommand())
}

// untilSignal returns a context that is done when somebody presses Ctrl-C or asks the process to end. The second
// signal ends it at once.
func untilSignal(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	signalled, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(signalled, stop)
	told, tell := context.WithCancelCause(ctx)
	context.AfterFunc(signalled, func() { tell(errInterrupted) })
	return told, stop
}

// errInterrupted means that somebody pressed Ctrl-C, or asked the process to end.
var errInterrupted = errors.New("interrupted")

// show runs the demo and tells its story: on a terminal as a live table, else in lines.
func show(ctx context.Context, o options, asJSON bool) error {
	out := os.Stdout
	if asJSON {
		out = os.Stderr
	}
	start := time.Now()
	d := &demo{
		options: o,
		story:   &story{start: start, headline: headline(o)},
		ledger:  newLedger(users, start, blue, green),
		report:  newReport(o),
	}
	err := d.tell(ctx, out)
	if asJSON {
		return errors.Join(err, d.report.print(os.Stdout, err))
	}
	if err == nil {
		fmt.Fprintf(out, "\nEach step did what it says, in %.1f s.\n", d.report.Seconds)
	}
	return err
}

// headline says what is shown.
func headline(o options) string {
	where := "1 proxy, embedded store"
	if o.redis != "" {
		where = "2 proxies, 1 Redis"
	}
	return fmt.Sprintf("%s; %d visitors, %d requests/s", where, users, rps)
}

// tell runs the demo with its story on out.
func (d *demo) tell(ctx context.Context, out *os.File) error {
	s := newScreen(out, os.Getenv)
	if s == nil {
		d.story.told = teller(out, func() view { return d.ledger.show(time.Now()) })
		d.stayed = func(ctx context.Context, hints string) {
			fmt.Fprint(out, hints)
			<-ctx.Done()
		}
		return d.run(ctx)
	}
	return d.tellLive(ctx, s)
}

// tellLive runs the demo with its story on a screen.
func (d *demo) tellLive(ctx context.Context, s *screen) error {
	look := func() page { return d.story.page(time.Now(), d.ledger.show(time.Now())) }
	stop := inBackground(func(ctx context.Context) { s.run(ctx, look) })
	d.stayed = func(ctx context.Context, hints string) {
		stop()
		fmt.Fprint(s.out, hints)
		s.run(ctx, func() page {
			p := look()
			p.steps = nil
			return p
		})
	}
	err := d.run(ctx)
	stop()
	return err
}

// inBackground runs f until stop is called, which waits for its end and may be called again.
func inBackground(f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}
