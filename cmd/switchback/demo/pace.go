package demo

import "time"

// maxBacklog is how far a pace catches up: what was missed before that is left out, so that a crowd that was held up
// does not come all at once.
const maxBacklog = 250 * time.Millisecond

// pace keeps a steady rate on a machine that is sometimes late: what was missed a moment ago is made up for.
type pace struct {
	interval time.Duration
	due      time.Time // of the next one; zero before the first
}

// next returns how long to wait from now until the next one is due, 0 if it is.
func (p *pace) next(now time.Time) time.Duration {
	if p.due.IsZero() {
		p.due = now
	}
	if oldest := now.Add(-maxBacklog); p.due.Before(oldest) {
		p.due = oldest
	}
	delay := max(p.due.Sub(now), 0)
	p.due = p.due.Add(p.interval)
	return delay
}
