package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// rescueUsers is how many users ask once each, of whom the canary gets a fifth.
	rescueUsers = 500
	// rescueRate is how many of them ask in a second: all have before the judge can fail the canary back.
	rescueRate = 1000
)

// rescue sends users to a split of whose canary every upstream refuses connections, and counts who saw an error; and
// measures from the first of them until the State says that the canary was failed back, as rescued requests count as
// its failures all the same.
//
// Everything is as it is by default.
func rescue(ctx context.Context, l *lab, _ scale) ([]row, error) {
	blue, err := l.startAgent()
	if err != nil {
		return nil, err
	}
	nobody, err := l.refusing(ctx, blue)
	if err != nil {
		return nil, err
	}
	p, err := l.startProxy(ctx, rescueSettings(blue.address, nobody))
	if err != nil {
		return nil, err
	}
	began := time.Now()
	users := askOnceEach(ctx, p.address)
	status, err := p.control.Status(ctx, split)
	if err != nil {
		return nil, err
	}
	refused := status.Variants[1].Summary.Failures
	if refused == 0 {
		return nil, errors.New("the canary was asked by nobody, or its refusals count for nothing")
	}
	l.startVisitors(ctx, p.address) // the trial goes on
	at, _, err := awaitFailback(ctx, p, maxDetect+time.Minute)
	if err != nil {
		return nil, err
	}
	took := at.Sub(began)
	return []row{{
		What:     fmt.Sprintf("canary at 20 %% refuses connections, %d users: who saw an error", rescueUsers),
		Measured: fmt.Sprintf("%d of %d placed there", users.failed.Load(), refused),
		Bar:      "0",
		OK:       users.failed.Load() == 0,
		Figures:  map[string]float64{"users_with_errors": float64(users.failed.Load()), "canary_failures": float64(refused)},
	}, {
		What:     "the same canary: first request -> failback",
		Measured: fmt.Sprintf("%.1f s", took.Seconds()),
		Bar:      fmt.Sprintf("<= %.0f s", maxDetect.Seconds()),
		OK:       took <= maxDetect,
		Figures:  map[string]float64{"failback_s": took.Seconds()},
	}}, nil
}

// refusing returns an address that refuses connections, and that nobody else can come to listen at before the lab is
// closed: the near end of a connection to the agent.
func (l *lab) refusing(ctx context.Context, a *agent) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", a.address)
	if err != nil {
		return "", fmt.Errorf("connect to an agent: %w", err)
	}
	l.atEnd(conn.Close)
	address := conn.LocalAddr().String()
	if accepts(ctx, address) {
		return "", fmt.Errorf("%s accepts connections, and nobody listens there", address)
	}
	return address, nil
}

// rescueSettings are those of a canary at 20 %.
func rescueSettings(blue, green string) settings {
	return settings{name: "rescue", app: "store embedded", site: fmt.Sprintf(`traffic_split %s {
		key header X-User-ID
		stable blue
		canary green
		variant blue 80%% %s
		variant green 20%% %s
	}`, split, blue, green)}
}

// once are users who ask once each.
type once struct{ failed atomic.Int64 }

// askOnceEach sends users at a steady rate, each with a connection of its own, and returns when all have their answers,
// or ctx is done.
func askOnceEach(ctx context.Context, address string) *once {
	var users sync.WaitGroup
	ticker := time.NewTicker(time.Second / rescueRate)
	defer ticker.Stop()
	o := new(once)
	for i := range rescueUsers {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			users.Go(func() { o.ask(ctx, address, fmt.Sprintf("user-%d", i)) })
		}
	}
	users.Wait()
	return o
}

// ask has one user ask.
func (o *once) ask(ctx context.Context, address, user string) {
	v, err := visit(ctx, address, "/", user)
	if err != nil {
		o.failed.Add(1)
		return
	}
	a, err := v.ask()
	if err = errors.Join(err, v.close()); err != nil || a.status != http.StatusOK {
		o.failed.Add(1)
	}
}
