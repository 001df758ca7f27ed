package splitcmd

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/health"
)

func judgeCommand(h host) *cobra.Command {
	return &cobra.Command{
		Use:   "judge",
		Short: "Judges rollouts that are played on standard input",
		Long: `Judges rollouts that a simulator plays on standard input, a JSON object a line, by
the default settings, and answers each tick with a line: {"decision":"ok"} or
{"decision":"fail_back","reason":"errors"}. No proxy is asked and nothing is
changed: it measures the judge. docs/judge.md describes the lines.`,
		Example: h.examples("split judge < rollout.jsonl"),
		Args:    atMost(0),
		RunE: h.runAlone(func(_ context.Context, s *session, _ []string) error {
			return playAll(s.cmd.InOrStdin(), s.out)
		}),
	}
}

// maxLine is how long a line may be: a tick has two histograms for each of 128 groups.
const maxLine = 4 << 20

// How long a tick may be, and how far from the start, in seconds.
const (
	maxTick = 3600
	maxTime = 1e9
)

// playAll plays every rollout of in, and answers each tick.
func playAll(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	answers := json.NewEncoder(out)
	var p *played
	for n := 1; lines.Scan(); n++ {
		var l playedLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		switch {
		case l.Type == "start":
			p = newPlayed(l)
		case l.Type != "tick":
			return fmt.Errorf("line %d: type %q: must be start or tick", n, l.Type)
		case p == nil:
			return fmt.Errorf("line %d: a tick before any start", n)
		default:
			answer, err := p.tick(l)
			if err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
			if err := answers.Encode(answer); err != nil {
				return fmt.Errorf("answer line %d: %w", n, err)
			}
		}
	}
	return lines.Err()
}

// playedLine is a line of a rollout: its start, or a tick.
type playedLine struct {
	Type   string  `json:"type"`
	Groups int     `json:"groups"`
	Run    uint64  `json:"run"`
	T      float64 `json:"t"`  // s
	Dt     float64 `json:"dt"` // s
	Warmup bool    `json:"warmup"`

	Baseline playedArm `json:"baseline"`
	Canary   playedArm `json:"canary"`
}

// playedArm is what became of the requests of one variant that began in a tick.
type playedArm struct {
	Groups []playedGroup `json:"groups"`
}

// playedGroup is a group's part: requests and failures; of those that began well, how many broke off later; and how
// many had a time in which bucket.
type playedGroup struct {
	N       uint32      `json:"n"`
	K       uint32      `json:"k"`
	Alive   uint32      `json:"an"`
	Aborted uint32      `json:"a"`
	Latency [][2]uint32 `json:"lat"`
	TTFB    [][2]uint32 `json:"ttfb"`
}

type playedAnswer struct {
	Decision string `json:"decision"`
	Reason   string `json:"reason,omitempty"`
}

// played is one rollout.
type played struct {
	judge    *health.Judge
	settings health.Settings
	limits   health.Limits
	run      uint64
	began    bool
}

func newPlayed(l playedLine) *played {
	p := &played{judge: health.NewJudge(), settings: health.DefaultSettings(), limits: health.DefaultLimits(), run: l.Run}
	p.judge.Rest(health.Trial{Settings: &p.settings, Limits: &p.limits})
	return p
}

func (p *played) tick(l playedLine) (playedAnswer, error) {
	if !(l.Dt >= 1 && l.Dt <= maxTick && math.Abs(l.T) <= maxTime) {
		return playedAnswer{}, fmt.Errorf("t %g, dt %g: t must be at most %g s either way, and dt from 1 to %g s", l.T, l.Dt, float64(maxTime), float64(maxTick))
	}
	if !l.Warmup && !p.began {
		p.began = true
		p.judge.Begin(health.Trial{Epoch: p.run, Settings: &p.settings, Limits: &p.limits})
	}
	var sum health.Second
	for arm, groups := range [health.NumArms][]playedGroup{health.Baseline: l.Baseline.Groups, health.Canary: l.Canary.Groups} {
		for g, in := range groups {
			if err := in.addTo(&sum, arm, g); err != nil {
				return playedAnswer{}, err
			}
		}
	}
	p.judge.Fold(int64(l.T+l.Dt), time.Duration(l.Dt*float64(time.Second)), &sum)
	if v := p.judge.Verdict(); v.Result == health.Fail {
		return playedAnswer{"fail_back", v.Stream}, nil
	}
	return playedAnswer{Decision: "ok"}, nil
}

// addTo puts a group's requests where they would be if every failure were fast and every time known at once.
func (in playedGroup) addTo(sum *health.Second, arm, g int) error {
	if g >= len(sum.Arms[arm][0]) {
		return fmt.Errorf("%d groups of users: must be at most %d", g+1, len(sum.Arms[arm][0]))
	}
	if in.K > in.N || in.Aborted > in.Alive {
		return fmt.Errorf("group %d: %d of %d failed and %d of %d broke off: no part is greater than the whole",
			g, in.K, in.N, in.Aborted, in.Alive)
	}
	latency, err := bins(in.Latency)
	if err != nil {
		return fmt.Errorf("group %d: latency: %w", g, err)
	}
	ttfb, err := bins(in.TTFB)
	if err != nil {
		return fmt.Errorf("group %d: ttfb: %w", g, err)
	}
	ages := &sum.Arms[arm]
	ages[health.AgeFast][g] = health.Cell{N: in.N, Failed: in.K}
	ages[health.AgeSlow][g] = health.Cell{N: in.N, Failed: in.K, Latency: latency, TTFB: ttfb}
	ages[health.AgeLate][g] = health.Cell{N: in.N, Alive: in.Alive, Broken: in.Aborted, Latency: latency, TTFB: ttfb}
	ages[health.AgeLong][g] = health.Cell{N: in.N, Latency: latency, TTFB: ttfb}
	return nil
}

func bins(pairs [][2]uint32) ([]health.Bin, error) {
	out := make([]health.Bin, len(pairs))
	for i, p := range pairs {
		if p[0] >= health.Buckets {
			return nil, fmt.Errorf("bucket %d: must be below %d", p[0], health.Buckets)
		}
		out[i] = health.Bin{Bucket: uint8(p[0]), N: p[1]}
	}
	return out, nil
}
