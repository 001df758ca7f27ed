package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

const (
	// heldTrials is how many trials a scenario gets, at most, in which nothing may happen.
	heldTrials = 2
	// maxLate is by how much one request in a hundred may come late, in ms: on a machine that is too busy the users, who are
	// on it too, ask when they can, and what is measured is the machine.
	maxLate = 100.0
	// statedAfter is the time of health for which the bars of what comes later are stated.
	statedAfter = 30 * time.Minute
)

// judge measures how soon bad canaries are failed back, and that others are not, where everything is as it is by default:
// two proxies on one Redis, real agents, and users who ask both proxies. Several splits are in each scenario, each with
// agents and users of its own, so that one run gives a median. They are measured side by side, in two rounds.
func judge(ctx context.Context, l *lab, s scale) ([]row, error) {
	var rows []row
	for i, round := range [][]scenario{fromTheStart, later} {
		found, err := l.judgeAll(ctx, round, s, fmt.Sprintf("round %d", i+1))
		if err := errors.Join(err, l.close()); err != nil {
			return nil, err
		}
		rows = append(rows, found...)
	}
	return rows, nil
}

// judgeAll plays scenarios side by side, and reports them.
func (l *lab) judgeAll(ctx context.Context, scenarios []scenario, s scale, round string) ([]row, error) {
	var trials []*trial
	for _, c := range scenarios {
		if s.scenarios != nil && !slices.Contains(s.scenarios, c.name) {
			continue
		}
		n := s.trials
		if c.bar == 0 {
			n = min(n, heldTrials)
		}
		for i := range n {
			trials = append(trials, &trial{scenario: c, split: fmt.Sprintf("%s-%d", c.name, i+1)})
		}
	}
	if len(trials) == 0 {
		return nil, nil
	}
	p, err := l.startDuo(ctx, trials)
	if err != nil {
		return nil, err
	}
	findings, busy, err := p.play(ctx, trials, s)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, c := range scenarios {
		if found := findings[c.name]; found != nil {
			rows = append(rows, c.report(found, s))
		}
	}
	return append(rows, busy.row(round, trials)), nil
}

// duo is two proxies on one Redis, that have the splits of all trials.
type duo struct {
	redis   *server
	proxies []*proxy
}

// startDuo starts all that the trials need, but their users.
func (l *lab) startDuo(ctx context.Context, trials []*trial) (*duo, error) {
	p := new(duo)
	var err error
	if p.redis, err = l.startServer(ctx); err != nil {
		return nil, err
	}
	for _, t := range trials {
		if t.blue, err = l.startAgent(); err != nil {
			return nil, err
		}
		if t.green, err = l.startAgent(); err != nil {
			return nil, err
		}
	}
	for n := range 2 {
		one, err := l.startProxy(ctx, duoSettings(memberName(n), p.redis.address, trials))
		if err != nil {
			return nil, err
		}
		p.proxies = append(p.proxies, one)
	}
	users := l.newUsers()
	for _, t := range trials {
		t.control = p.proxies[0].control
		t.stored = func(ctx context.Context, split string) (*splitter.State, error) {
			return readState(ctx, p.redis.client, split)
		}
		t.load = &load{client: users, users: namesOfUsers(trialUsers), rate: trialRate}
		for _, one := range p.proxies {
			t.load.addresses = append(t.load.addresses, fmt.Sprintf("http://%s/%s/ask", one.address, t.split))
		}
	}
	return p, nil
}

// newUsers returns the client of users who give up after a time.
func (l *lab) newUsers() *http.Client {
	const kept = 1000 // connections
	c := &http.Client{Timeout: clientsGiveUp, Transport: &http.Transport{MaxIdleConnsPerHost: kept}}
	l.atEnd(func() error {
		c.CloseIdleConnections()
		return nil
	})
	return c
}

// duoSettings are those of a proxy with a split for each trial, whose canary has nothing yet.
func duoSettings(name, redis string, trials []*trial) settings {
	var site strings.Builder
	for _, t := range trials {
		fmt.Fprintf(&site, `	handle /%s/* {
		traffic_split %[1]s {
			key header X-User-ID
			stable blue
			canary green
			variant blue 100%% %s
			variant green 0%% %s
		}
	}
`, t.split, t.blue.address, t.green.address)
	}
	return settings{name: name, app: fmt.Sprintf("instance %s\nstore redis {\nurl redis://%s\n}", name, redis), site: site.String()}
}

// play runs all trials at once, and returns what became of them by the scenarios' names, and what that cost.
func (p *duo) play(ctx context.Context, trials []*trial, s scale) (map[string][]finding, *business, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	busy, err := p.begin()
	if err != nil {
		return nil, nil, err
	}
	found, errs := make([]finding, len(trials)), make([]error, len(trials))
	var all sync.WaitGroup
	for i, t := range trials {
		all.Go(func() {
			if found[i], errs[i] = t.run(ctx, s); errs[i] != nil {
				errs[i] = fmt.Errorf("%s: %w", t.split, errs[i])
				stop() // nothing is to be learned of the others without it
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	byScenario := map[string][]finding{}
	for i, t := range trials {
		byScenario[t.name] = append(byScenario[t.name], found[i])
	}
	return byScenario, busy, busy.end()
}

// business is how busy the processes of a round are. The load is this one: users, and agents.
type business struct {
	names []string
	pids  []int
	began time.Time
	used  []time.Duration // so far when it began; in the end, meanwhile
	took  time.Duration
}

// begin notes what the processes have used so far.
func (p *duo) begin() (*business, error) {
	b := &business{
		names: []string{"proxy 1", "proxy 2", "redis", "load"},
		pids:  []int{p.proxies[0].cmd.Process.Pid, p.proxies[1].cmd.Process.Pid, p.redis.process.cmd.Process.Pid, os.Getpid()},
		began: time.Now(),
	}
	b.used = make([]time.Duration, len(b.pids))
	return b, b.add(-1)
}

// end works out what they have used since.
func (b *business) end() error {
	b.took = time.Since(b.began)
	return b.add(1)
}

func (b *business) add(sign time.Duration) error {
	for i, pid := range b.pids {
		t, err := processorTime(pid)
		if err != nil {
			return err
		}
		b.used[i] += sign * t
	}
	return nil
}

// row reports whether the users could ask when they were to.
func (b *business) row(round string, trials []*trial) row {
	var late []float64
	for _, t := range trials {
		late = append(late, t.load.late...)
	}
	var shares []string
	figures := map[string]float64{}
	for i, name := range b.names {
		share := 100 * b.used[i].Seconds() / b.took.Seconds()
		shares = append(shares, fmt.Sprintf("%s %.0f %%", name, share))
		figures[strings.ReplaceAll(name, " ", "_")+"_cpu_percent"] = share
	}
	p99 := quantile(late, 0.99)
	figures["late_p99_ms"] = p99
	return row{
		What:     fmt.Sprintf("the load of %s: %d splits, %d requests in %.0f s", round, len(trials), len(late), b.took.Seconds()),
		Measured: fmt.Sprintf("p99 %.1f ms late", p99),
		Baseline: "of a core: " + strings.Join(shares, ", "),
		Bar:      fmt.Sprintf("<= %.0f ms", maxLate),
		OK:       p99 <= maxLate,
		Figures:  figures,
	}
}

// report is the row of a scenario.
func (c scenario) report(found []finding, s scale) row {
	if c.bar > 0 {
		return c.reportFailbacks(found, s)
	}
	return c.reportHeld(found, s)
}

// reportFailbacks says how soon canaries were failed back.
func (c scenario) reportFailbacks(found []finding, s scale) row {
	r := row{What: fmt.Sprintf("%s, %d splits", c.what, len(found))}
	var took, users []float64
	ok := true
	for _, f := range found {
		took, users = append(took, f.took.Seconds()), append(users, float64(f.users))
		switch {
		case !f.failedBack:
			ok = false
			r.Notes = append(r.Notes, fmt.Sprintf("not failed back within %s: %s", maxAwaited, f.verdict.Reason))
		case f.took <= 0:
			ok = false
			r.Notes = append(r.Notes, "failed back before it was bad: "+f.why)
		}
	}
	r.Measured = fmt.Sprintf("median %.1f s (%.1f to %.1f s); %.0f users saw a failure (%.0f to %.0f)", median(took),
		slices.Min(took), slices.Max(took), median(users), slices.Min(users), slices.Max(users))
	r.Bar = fmt.Sprintf("median <= %.0f s", c.bar.Seconds())
	if c.well {
		r.What += fmt.Sprintf(", well for %s", s.healthy)
		if s.healthy != statedAfter {
			r.Bar += fmt.Sprintf(", stated for %s", statedAfter)
		}
	}
	r.OK = ok && median(took) <= c.bar.Seconds()
	r.Figures = map[string]float64{"failback_median_s": median(took), "failback_greatest_s": slices.Max(took),
		"users_with_errors_median": median(users)}
	return r
}

// reportHeld says that canaries were not failed back.
func (c scenario) reportHeld(found []finding, s scale) row {
	r := row{What: fmt.Sprintf("%s for %s, %d splits", c.what, s.outage, len(found)), Bar: "no failback"}
	failbacks := 0
	var shared []float64
	for _, f := range found {
		switch {
		case f.failedBack:
			failbacks++
			r.Notes = append(r.Notes, "failed back: "+f.why)
		case c.wrong != nil && c.wrong(f) != "":
			r.Notes = append(r.Notes, c.wrong(f))
		}
		shared = append(shared, f.shared.Seconds())
	}
	r.OK = len(r.Notes) == 0
	r.Measured = fmt.Sprintf("%d failbacks", failbacks)
	r.Figures = map[string]float64{"failbacks": float64(failbacks)}
	switch latest := slices.Max(shared); {
	case latest > 0:
		r.Measured += fmt.Sprintf(", called shared within %.1f s", latest)
		r.Bar += fmt.Sprintf(", called shared within %.0f s", maxShared.Seconds())
		r.Figures["shared_s"] = latest
	case failbacks == 0:
		r.Measured += ", " + found[0].verdict.Result.String()
		r.Notes = append(r.Notes, found[0].verdict.Reason)
	}
	return r
}
