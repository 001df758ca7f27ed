package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// The crowd: enough users that even 1 % of them are somebody, at a rate that a small machine bears.
const (
	users = 1000
	rps   = 200
)

// wordDelay is the mean time between two words of an agent: an answer takes about a sixth of a second.
const wordDelay = 22 * time.Millisecond

// options are the command's flags.
type options struct {
	stay  bool
	redis string // URL; empty: one proxy on the embedded store
}

// proxyCount is how many proxies run.
func (o options) proxyCount() int {
	if o.redis == "" {
		return 1
	}
	return 2
}

// demo is one run.
type demo struct {
	options options
	story   *story
	ledger  *ledger
	report  report
	// stayed is told when all steps are done and the demo stays.
	stayed func(ctx context.Context, hints string)

	green    *agent
	greenAt  string // host:port
	proxies  []*proxy
	failing  int // the era in which green began to fail
	after    int // the era that began with the failback
	abort    context.CancelCauseFunc
	running  sync.WaitGroup
	cleanups []func() error // called in the opposite order
}

// run does all steps, and leaves nothing behind. If ctx is done before the last of them is, that is an error.
func (d *demo) run(ctx context.Context) (err error) {
	inner, abort := context.WithCancelCause(ctx)
	d.abort = abort
	defer func() { err = errors.Join(err, d.close()) }()
	for _, s := range d.scenes() {
		if err := d.play(inner, s); err != nil {
			return err
		}
	}
	if !d.options.stay {
		return nil
	}
	d.stayed(inner, d.hints())
	if err := context.Cause(inner); !errors.Is(err, errInterrupted) {
		return err
	}
	return nil
}

// play does one step and reports it. If it is broken, the proxies' logs may say why.
func (d *demo) play(ctx context.Context, s scene) error {
	d.story.begin(s.title)
	text, err := s.do(ctx)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	d.report.add(d.story.end(text, err))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errInterrupted):
		return err
	}
	return fmt.Errorf("step %q: %w%s", s.title, err, d.lastWords())
}

// lastWords returns the ends of all proxies' logs.
func (d *demo) lastWords() string {
	text := ""
	for _, p := range d.proxies {
		text += p.lastWords()
	}
	return text
}

// close ends and removes everything that start began. The order matters: visitors leave before the proxies end, and
// these before their files and keys are removed.
func (d *demo) close() error {
	var errs []error
	for _, cleanup := range slices.Backward(d.cleanups) {
		errs = append(errs, cleanup())
	}
	d.abort(nil)
	d.running.Wait()
	return errors.Join(errs...)
}

func (d *demo) cleanup(f func() error) { d.cleanups = append(d.cleanups, f) }

// start starts agents, proxies and visitors.
func (d *demo) start(ctx context.Context) (string, error) {
	began := time.Now()
	dir, err := os.MkdirTemp("", "switchback-demo-")
	if err != nil {
		return "", fmt.Errorf("make a folder for the proxies' files: %w", err)
	}
	d.cleanup(func() error { return os.RemoveAll(dir) })
	s := settings{Fleet: newFleet(), Redis: d.options.redis != ""}
	if s.Redis {
		if err := d.openRedis(ctx, s.Fleet); err != nil {
			return "", err
		}
	}
	if _, s.Blue, err = d.startAgent(ctx, blue); err != nil {
		return "", err
	}
	if d.green, s.Green, err = d.startAgent(ctx, green); err != nil {
		return "", err
	}
	d.greenAt = s.Green
	if err := d.startProxies(ctx, dir, s); err != nil {
		return "", err
	}
	d.startCrowd(ctx)
	return fmt.Sprintf("ready after %.1f s at %s", time.Since(began).Seconds(), d.sites()), nil
}

func (d *demo) openRedis(ctx context.Context, fleet string) error {
	client, err := openRedis(ctx, d.options.redis)
	if err != nil {
		return err
	}
	d.cleanup(func() error { return d.leaveRedis(context.WithoutCancel(ctx), client, fleet) })
	return nil
}

func (d *demo) leaveRedis(ctx context.Context, client *redis.Client, fleet string) error {
	return errors.Join(removeFleet(ctx, client, fleet), client.Close())
}

// startAgent starts a stand-in agent on a loopback port, which it returns.
func (d *demo) startAgent(ctx context.Context, name string) (*agent, string, error) {
	listener, err := listenLocally(ctx)
	if err != nil {
		return nil, "", err
	}
	a := newAgent(name, wordDelay)
	d.background(ctx, func(ctx context.Context) {
		if err := serve(ctx, listener, a); err != nil {
			d.abort(fmt.Errorf("agent %s: %w", name, err))
		}
	})
	return a, listener.Addr().String(), nil
}

// background runs f until the demo cleans up, and waits for it then.
func (d *demo) background(ctx context.Context, f func(context.Context)) {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	d.running.Go(func() {
		defer close(ended)
		f(ctx)
	})
	d.cleanup(func() error {
		stop()
		<-ended
		return nil
	})
}

func (d *demo) startProxies(ctx context.Context, dir string, s settings) error {
	for i := range d.options.proxyCount() {
		s.Instance = fmt.Sprintf("proxy-%d", i+1)
		p, err := startProxy(ctx, filepath.Join(dir, fmt.Sprint(i+1)), d.options.redis, s)
		if p != nil {
			d.proxies = append(d.proxies, p)
		}
		if err != nil {
			return err
		}
		d.cleanup(p.close)
		d.running.Go(func() { d.watchProxy(ctx, p) })
	}
	return d.awaitFleet(ctx)
}

// watchProxy ends the demo if a proxy ends before it.
func (d *demo) watchProxy(ctx context.Context, p *proxy) {
	select {
	case <-ctx.Done():
	case <-p.ended:
		d.abort(fmt.Errorf("%s has ended: %w", p.name, p.err))
	}
}

// awaitFleet waits until every proxy knows all others.
func (d *demo) awaitFleet(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit,
		fmt.Errorf("the proxies did not find each other within %s", startLimit))
	defer cancel()
	return poll(ctx, func() (bool, error) {
		for _, p := range d.proxies {
			fleet, err := p.client.Instances(ctx)
			if err != nil || len(fleet.Instances) != len(d.proxies) {
				return false, err
			}
		}
		return true, nil
	})
}

func (d *demo) startCrowd(ctx context.Context) {
	c := crowd{users: users, rps: rps, ledger: d.ledger}
	for _, p := range d.proxies {
		c.targets = append(c.targets, "http://"+p.site)
	}
	d.background(ctx, c.run)
}

// sites lists where the proxies answer.
func (d *demo) sites() string {
	text := ""
	for i, p := range d.proxies {
		if i > 0 {
			text += " and "
		}
		text += "http://" + p.site
	}
	return text
}
