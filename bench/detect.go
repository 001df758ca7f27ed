package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// What the canary's visitors do.
const (
	detectRate    = 200              // requests a second, of which the canary gets a tenth
	clientsGiveUp = 30 * time.Second // without an answer
	maxTTFT       = 3 * time.Second
	maxDetect     = 15 * time.Second // from the first bad answer to the failback, beyond a limit that has to pass
)

// trouble is what befalls a canary.
type trouble struct {
	what     string
	befall   func(green *agent)
	failback string // the directive's block; empty for the defaults
	bar      time.Duration
}

// troubles are measured side by side, as each takes more than a minute and little of the machine.
var troubles = []trouble{{
	what:   "canary, 10 % of 200 rps, turns 50 % errors: first bad answer -> failback",
	befall: func(green *agent) { green.fail(50) },
	bar:    maxDetect,
}, {
	what:     "canary, 10 % of 200 rps, never answers: first hung request -> failback",
	befall:   (*agent).hang,
	failback: fmt.Sprintf("failback {\nmax_ttft p95 %s\n}", maxTTFT),
	bar:      maxTTFT + maxDetect,
}}

// detect measures how soon canaries that turn bad are failed back.
func detect(ctx context.Context, l *lab, s scale) ([]row, error) {
	rows, errs := make([]row, len(troubles)), make([]error, len(troubles))
	var all sync.WaitGroup
	for i, t := range troubles {
		all.Go(func() {
			own := newLab(l.dir)
			rows[i], errs[i] = t.detect(ctx, own, s)
			errs[i] = errors.Join(errs[i], own.close())
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return rows, nil
}

// detect sends visitors to a proxy, lets its canary turn bad, and measures from the first bad answer until the State
// says that the canary was failed back.
func (t trouble) detect(ctx context.Context, l *lab, s scale) (row, error) {
	blue, err := l.startAgent()
	if err != nil {
		return row{}, err
	}
	green, err := l.startAgent()
	if err != nil {
		return row{}, err
	}
	p, err := l.startProxy(ctx, trialSettings(blue, green, t.failback))
	if err != nil {
		return row{}, err
	}
	visitors := l.startVisitors(ctx, p.address)
	if err := wait(ctx, s.healthy); err != nil {
		return row{}, err
	}
	answered := visitors.served.Load()
	if answered == 0 {
		return row{}, errors.New("nobody was answered while both were well")
	}
	t.befall(green)
	at, why, err := awaitFailback(ctx, p, t.bar+time.Minute)
	if err != nil {
		return row{}, err
	}
	bad := green.firstBad.Load()
	if bad == 0 {
		return row{}, fmt.Errorf("failed back (%s) before the canary had done anything wrong", why)
	}
	took := at.Sub(time.Unix(0, bad))
	return row{
		What:     t.what,
		Measured: fmt.Sprintf("%.1f s", took.Seconds()),
		Bar:      fmt.Sprintf("<= %.0f s", t.bar.Seconds()),
		OK:       took <= t.bar,
		Figures:  map[string]float64{"failback_s": took.Seconds(), "answered_rps": float64(answered) / s.healthy.Seconds()},
	}, nil
}

// trialSettings are those of a canary on trial at 10 %.
func trialSettings(blue, green *agent, failback string) settings {
	return settings{name: "trial", app: "store embedded", site: fmt.Sprintf(`traffic_split %s {
		key header X-User-ID
		stable blue
		canary green
		variant blue 90%% %s
		variant green 10%% %s
		%s
	}`, split, blue.address, green.address, failback)}
}

// awaitFailback returns when the failback was seen, and why it came about.
func awaitFailback(ctx context.Context, p *proxy, limit time.Duration) (at time.Time, why string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no failback within %s", limit))
	defer cancel()
	err = poll(ctx, func() (bool, error) {
		s, err := p.control.Status(ctx, split)
		at, why = time.Now(), s.Progress.Why
		return s.Progress.Phase == splitter.PhaseFailedBack, err
	})
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return at, why, err
}

// audience are the visitors of a proxy on trial.
type audience struct {
	client *http.Client
	served atomic.Int64 // answers that came whole, whatever their status
}

// startVisitors sends requests at a steady rate, each by a user of its own who gives up after a time, until the lab is
// closed.
func (l *lab) startVisitors(ctx context.Context, address string) *audience {
	ctx, stop := context.WithCancel(ctx)
	a := &audience{client: &http.Client{Timeout: clientsGiveUp, Transport: &http.Transport{MaxIdleConnsPerHost: detectRate}}}
	var visitors sync.WaitGroup
	visitors.Go(func() {
		ticker := time.NewTicker(time.Second / detectRate)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				visitors.Go(func() {
					if a.visit(ctx, address) == nil {
						a.served.Add(1)
					}
				})
			}
		}
	})
	l.atEnd(func() error {
		stop()
		visitors.Wait()
		a.client.CloseIdleConnections()
		return nil
	})
	return a
}

// visit makes one request and reads its answer, if one comes.
func (a *audience) visit(ctx context.Context, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("X-User-ID", fmt.Sprintf("user-%d", rand.Uint64()))
	resp, err := a.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
