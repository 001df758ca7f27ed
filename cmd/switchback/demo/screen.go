package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// redrawEvery is the time between two drawings of the live table.
const redrawEvery = 200 * time.Millisecond

// The size that is assumed of a terminal that does not tell.
const (
	defaultWidth  = 80
	defaultHeight = 24
)

// screen draws pages on a terminal, each over the one before.
type screen struct {
	out      io.Writer
	size     func() (width, height int)
	coloured bool
	drawn    int // lines of the last page, which the next one replaces
}

// newScreen returns a screen for a file, or nil if it is not a terminal that can move its cursor.
func newScreen(f *os.File, getenv func(string) string) *screen {
	if !term.IsTerminal(int(f.Fd())) || getenv("TERM") == "dumb" {
		return nil
	}
	return &screen{out: f, coloured: getenv("NO_COLOR") == "", size: func() (int, int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil || width == 0 || height == 0 {
			return defaultWidth, defaultHeight
		}
		return width, height
	}}
}

// draw replaces the last page by p, cut to the terminal's size.
func (s *screen) draw(p page) {
	width, height := s.size()
	s.replace(p.lines(width, height-1), width)
}

// leave replaces the last page by the whole of p and leaves it there: what is drawn next goes below.
func (s *screen) leave(p page) {
	width, _ := s.size()
	s.replace(p.lines(width, 0), width)
	s.drawn = 0
}

func (s *screen) replace(lines []line, width int) {
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.drawn) // cursor up
	}
	b.WriteString("\r")
	for _, l := range lines {
		b.WriteString(l.text(width, s.coloured) + "\x1b[K\n") // erase the rest of the line
	}
	b.WriteString("\x1b[J") // erase all below
	s.drawn = len(lines)
	fmt.Fprint(s.out, b.String())
}

// run draws what look returns until ctx is done, and leaves the last page there.
func (s *screen) run(ctx context.Context, look func() page) {
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		s.draw(look())
		select {
		case <-ctx.Done():
			s.leave(look())
			return
		case <-tick.C:
		}
	}
}

// teller returns what tells each step in plain lines, with a line about the traffic after each.
func teller(out io.Writer, traffic func() view) func(step) {
	return func(s step) {
		switch s.mark {
		case running:
			fmt.Fprintf(out, "%5.1f s  %s ...\n", s.began.Seconds(), s.title)
			return
		case passed:
			fmt.Fprintf(out, "%5.1f s  ok: %s\n", (s.began + s.took).Seconds(), s.text)
		case broken:
			fmt.Fprintf(out, "%5.1f s  FAILED: %s\n", (s.began + s.took).Seconds(), s.text)
		}
		if text := traffic().String(); text != "" {
			fmt.Fprintf(out, "         %s\n", text)
		}
	}
}

// String says what the last seconds were like, in one line; it is empty if there were no answers.
func (v view) String() string {
	var parts []string
	for _, r := range v.rows {
		switch {
		case r.idle:
		case r.name == "":
			parts = append(parts, r.label()+": "+percent(r.share)+" of requests")
		default:
			parts = append(parts, fmt.Sprintf("%s: %s of requests, %s errors, p50 %s, p95 %s", r.name, percent(r.share),
				percent(r.errors), millis(r.p50), millis(r.p95)))
		}
	}
	return strings.Join(parts, " | ")
}
