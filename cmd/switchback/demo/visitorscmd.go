package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// sayEvery is the time between two lines of visitors that are not on a terminal.
const sayEvery = 10 * time.Second

// maxUsers bounds what is remembered of visitors.
const maxUsers = 1_000_000

// visitorsCommand returns the command `demo visitors`.
func visitorsCommand() *cobra.Command {
	var c crowd
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "visitors",
		Short: "Sends a crowd of visitors to proxies",
		Long: `Sends a crowd of visitors to one or more proxies, at a steady rate. Each has an
ID in the header X-User-ID and reads every answer to its last byte. What they
see is shown by the version that the agent names in the response header
` + versionHeader + `.`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringSliceVar(&c.targets, "target", nil, "base URLs of the proxies, such as http://localhost:8080; required")
	f.IntVar(&c.users, "users", 200, "how many different visitors there are")
	f.Float64Var(&c.rps, "rps", 50, "requests a second")
	f.DurationVar(&limit, "for", 0, "how long to go on; 0 is until Ctrl-C")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := c.check(); err != nil {
			return err
		}
		ctx, stop := untilSignal(cmd)
		defer stop()
		if limit > 0 {
			ctx, stop = context.WithTimeout(ctx, limit)
			defer stop()
		}
		c.show(ctx, os.Stdout)
		return nil
	}
	return cmd
}

// check says what is wrong with a crowd, and makes its targets uniform.
func (c *crowd) check() error {
	if len(c.targets) == 0 {
		return errors.New("--target is required: the proxies' base URLs, such as http://localhost:8080")
	}
	for i, target := range c.targets {
		u, err := url.Parse(target)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("--target %q: must be a URL such as http://localhost:8080", target)
		}
		c.targets[i] = strings.TrimSuffix(target, "/")
	}
	if c.users < 1 || c.users > maxUsers {
		return fmt.Errorf("--users %d: must be from 1 to %d", c.users, maxUsers)
	}
	if !(c.rps > 0 && c.rps <= 10_000) {
		return fmt.Errorf("--rps %g: must be above 0, and at most 10000", c.rps)
	}
	return nil
}

// show lets the crowd ask until ctx is done, and shows what they see.
func (c *crowd) show(ctx context.Context, out *os.File) {
	start := time.Now()
	c.ledger = newLedger(c.users, start)
	headline := fmt.Sprintf("%d visitors, %g requests/s", c.users, c.rps)
	look := func() page {
		now := time.Now()
		return page{headline: headline, elapsed: now.Sub(start), view: c.ledger.show(now)}
	}
	stop := inBackground(func(ctx context.Context) {
		if s := newScreen(out, os.Getenv); s != nil {
			s.run(ctx, look)
			return
		}
		sayRegularly(ctx, out, look)
	})
	defer stop()
	c.run(ctx)
}

// sayRegularly writes a line about the traffic now and then, and one in the end.
func sayRegularly(ctx context.Context, out io.Writer, look func() page) {
	tick := time.NewTicker(sayEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			fmt.Fprintln(out, look().summary())
			return
		case <-tick.C:
			fmt.Fprintln(out, look().summary())
		}
	}
}

// summary says in one line how long it goes on and what the last seconds were like.
func (p page) summary() string {
	text := p.view.String()
	if text == "" {
		text = "no answers"
	}
	return fmt.Sprintf("%6.1f s  %s", p.elapsed.Seconds(), text)
}
