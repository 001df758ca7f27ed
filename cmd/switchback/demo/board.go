package demo

import (
	"cmp"
	"slices"
	"time"
)

const (
	// recently is the span that shares, error rates and latencies of the live table are from.
	recently = 3 * time.Second
	// cellSpan is the time that one cell of the history stands for.
	cellSpan = 500 * time.Millisecond
	// maxHistory is how many cells of history are kept.
	maxHistory = 400
)

// board collects what the live table shows: totals, the last few seconds in detail, and a coarse history.
type board struct {
	start    time.Time
	variants []string
	totals   map[string]int // answers by variant; refused ones under ""
	recent   []answer       // by the time they ended
	history  []cell
	dropped  int // cells that are too old to be kept
}

// cell sums up cellSpan.
type cell struct {
	answers, refused, failed int
	by                       map[string]int // by variant
}

// view is what the live table shows at one moment.
type view struct {
	rows    []row
	history []cell
}

// row is one variant in the live table; its name is empty for what no agent had a part in: above all what was refused.
type row struct {
	name     string
	answers  int           // since the beginning
	share    float64       // of all recent answers
	errors   float64       // share of failed ones among this variant's recent answers
	idle     bool          // no recent answers: errors and latencies mean nothing
	p50, p95 time.Duration // of recent whole answers, from the request to the last byte
}

// label names the row for people.
func (r row) label() string {
	switch {
	case r.name != "":
		return r.name
	case r.errors > 0:
		return "no answer" // neither an agent's nor a refusal
	}
	return "refused"
}

func newBoard(start time.Time, variants []string) board {
	return board{start: start, variants: slices.Clone(variants), totals: map[string]int{}}
}

// add enters an answer. Failures that no agent had a part in are shown with what was refused.
func (b *board) add(a answer) {
	if a.variant != "" && !slices.Contains(b.variants, a.variant) {
		b.variants = append(b.variants, a.variant)
		slices.Sort(b.variants)
	}
	b.totals[a.variant]++
	b.recent = append(b.recent, a)
	c := b.cellAt(a.ended())
	c.answers++
	c.by[a.variant]++
	switch a.result {
	case failed:
		c.failed++
	case refused:
		c.refused++
	}
}

// ended is when the answer's last byte came.
func (a answer) ended() time.Time { return a.began.Add(a.took) }

// cellAt returns the history's cell for a time, the oldest one if it is no longer kept.
func (b *board) cellAt(at time.Time) *cell {
	i := max(int(at.Sub(b.start)/cellSpan)-b.dropped, 0)
	for len(b.history) <= i {
		b.history = append(b.history, cell{by: map[string]int{}})
	}
	if excess := len(b.history) - maxHistory; excess > 0 {
		b.history = slices.Delete(b.history, 0, excess)
		b.dropped += excess
		i = max(i-excess, 0)
	}
	return &b.history[i]
}

// view sums up the last seconds before now.
func (b *board) view(now time.Time) view {
	since := now.Add(-recently)
	b.recent = slices.DeleteFunc(b.recent, func(a answer) bool { return a.ended().Before(since) })
	v := view{history: slices.Clone(b.history)}
	for _, name := range append(slices.Clone(b.variants), "") {
		v.rows = append(v.rows, b.row(name))
	}
	return v
}

func (b *board) row(name string) row {
	r := row{name: name, answers: b.totals[name]}
	var answers, failures int
	var times []time.Duration
	for _, a := range b.recent {
		if a.variant != name {
			continue
		}
		answers++
		switch a.result {
		case failed:
			failures++
		case served:
			times = append(times, a.took)
		}
	}
	if r.idle = answers == 0; r.idle {
		return r
	}
	r.share = float64(answers) / float64(len(b.recent))
	r.errors = float64(failures) / float64(answers)
	slices.Sort(times)
	r.p50, r.p95 = quantile(times, 0.5), quantile(times, 0.95)
	return r
}

// quantile returns a quantile of sorted values by the nearest rank; 0 if there are none.
func quantile[T cmp.Ordered](sorted []T, q float64) T {
	if len(sorted) == 0 {
		var zero T
		return zero
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
