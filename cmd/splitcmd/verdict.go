package splitcmd

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// printVerdict says what the canary comes to, by which numbers, and on whose evidence.
func (s *session) printVerdict(status control.Status) {
	v := status.Verdict
	if v == nil {
		s.say("verdict", unjudged(status), subdued)
		return
	}
	text, c := verdict(*v)
	parts := []cell{{text + " (" + plural(status.JudgedInstances, "instance") + ")", c}}
	if v.Threshold > 0 { // a release that compares nothing has none
		parts = slices.Insert(parts, 0, toward(*v))
	}
	s.sayIn("verdict", parts...)
	if len(status.Missing) > 0 {
		s.say("missing", "no evidence came in time from "+strings.Join(status.Missing, ", "), doubt)
	}
	if n := status.LateFrames; n > 0 {
		s.say("late", plural(int(n), "frame")+" of evidence came too late to be judged", doubt)
	}
	s.printStreams(*v)
}

// unjudged says why there is no verdict.
func unjudged(status control.Status) string {
	if r, err := rulesOf(status); err == nil && r.Failback != nil && status.Progress.Phase == splitter.PhaseTrial {
		return "not judged yet"
	}
	return "none: nothing is judged"
}

// verdict says a verdict in words, in the colour of what it means.
func verdict(v health.Verdict) (string, colour) {
	c := doubt
	switch v.Result {
	case health.Pass:
		c = good
	case health.Fail:
		c = bad
	}
	return v.Result.String() + ": " + v.Reason, c
}

// barCells is how many cells a bar has.
const barCells = 10

// toward draws how far it is to the alarm. It is full only when the alarm is there.
func toward(v health.Verdict) cell {
	share := min(max(v.Toward, 0), 1)
	c := good
	switch {
	case share == 1:
		c = bad
	case int(share*barCells) > 0:
		c = doubt
	}
	return cell{bar(share), c}
}

// bar draws a share from 0 to 1, with its percentage. It is full, and says 100 %, at 1 alone.
func bar(share float64) string {
	full, percent := int(share*barCells), math.Round(share*100)
	if share < 1 {
		percent = min(percent, 99)
	}
	return fmt.Sprintf("%s%s %.0f%%", strings.Repeat("█", full), strings.Repeat("░", barCells-full), percent)
}

// printStreams shows what each stream says of the canary. Those that have met none of its requests are left out.
func (s *session) printStreams(v health.Verdict) {
	t := table{header: []string{"STREAM", "CANARY", "STABLE", "EVIDENCE"}}
	for _, x := range v.Streams {
		if x.Canary.N > 0 {
			t.add(streamCells(x, v.Threshold)...)
		}
	}
	if len(t.rows) == 0 {
		return
	}
	fmt.Fprintln(s.out)
	t.print(s.out, s.look, "  ")
	fmt.Fprintf(s.out, "  %s\n\n", s.look.paint(fmt.Sprintf("CANARY, STABLE: the share of bad requests, lately. EVIDENCE: "+
		"failed back at %s.", strength(v.Threshold)), subdued))
}

func streamCells(x health.StreamVerdict, threshold float64) []cell {
	c := plain
	switch {
	case threshold > 0 && x.Evidence >= threshold:
		c = bad
	case x.Evidence >= 1:
		c = doubt
	}
	canary, baseline := x.Latest()
	return []cell{{question(x), strong}, rateCell(x, canary), rateCell(x, baseline), {strength(x.Evidence), c}}
}

// question says what a stream asks of each request.
func question(x health.StreamVerdict) string {
	text := x.Stream
	if x.Limit > 0 {
		text += fmt.Sprintf(" %.4g%%", x.Limit*100)
	}
	if x.Slow > 0 {
		text += " over " + duration(time.Duration(x.Slow))
	}
	return text
}

// rateCell shows a share and of how many, or only of how many where no request is bad by itself.
func rateCell(x health.StreamVerdict, r health.Rate) cell {
	n := fmt.Sprintf("%.0f", r.N)
	switch {
	case r.N == 0:
		return cell{"-", plain}
	case x.IsMean():
		return cell{"- of " + n, plain}
	}
	return cell{fmt.Sprintf("%.3g%% of %s", r.Share()*100, n), plain}
}

// strength shows evidence.
func strength(e float64) string {
	switch {
	case e < 0.01:
		return "<0.01"
	case e < 10:
		return fmt.Sprintf("%.2f", e)
	case e < 1e6:
		return fmt.Sprintf("%.0f", math.Floor(e))
	}
	return ">1000000"
}
