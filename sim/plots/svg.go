package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strings"
)

// figure is a file: charts side by side under a title, and one legend for all of them.
type figure struct {
	title  string
	charts []chart
}

// chart has two axes and lines.
type chart struct {
	title string
	x, y  axis
	lines []line
}

// axis goes from low to high, on a logarithmic scale or a plain one.
type axis struct {
	label     string
	low, high float64
	log       bool
	ticks     []tick
}

// tick is a number on an axis, as people write it.
type tick struct {
	at   float64
	name string
}

// line joins points. What is beyond the axes is drawn at their ends.
type line struct {
	name   string
	color  int
	dashed bool
	dots   bool
	end    bool // a dot at its last point
	points []point
}

type point struct{ x, y float64 }

// The measures of a chart, in pixels.
const (
	height  = 270.0
	left    = 74.0
	right   = 18.0
	top     = 58.0
	bottom  = 46.0
	rowHigh = 17.0 // of the legend
)

// style has colours for light and for dark surroundings. The lines' are told apart in both, and by people who see no red.
const style = `
 text{font:12px system-ui,sans-serif;fill:#24292f}
 .t{font-weight:600;font-size:13px} .m{text-anchor:middle} .e{text-anchor:end}
 .b{fill:#fff} .g{stroke:#d0d7de;stroke-width:1} .a{stroke:#6e7781;stroke-width:1} .l{fill:none;stroke-width:1.8}
 .c0{stroke:#0969da} .c1{stroke:#d1242f} .c2{stroke:#1a7f37} .c3{stroke:#bf8700} .c4{stroke:#6e7781}
 @media (prefers-color-scheme:dark){
 text{fill:#d1d7e0} .b{fill:#0d1117} .g{stroke:#2f353d} .a{stroke:#8b949e}
 .c0{stroke:#58a6ff} .c1{stroke:#ff7b72} .c2{stroke:#3fb950} .c3{stroke:#e3b341} .c4{stroke:#8b949e} }
`

// svg writes the figure.
func (f figure) svg() []byte {
	wide := 390.0
	if len(f.charts) == 1 {
		wide = 780
	} else if len(f.charts) == 3 {
		wide = 280
	}
	rows := 0
	for _, c := range f.charts {
		rows = max(rows, len(c.lines))
	}
	total, high := wide*float64(len(f.charts)), top+height+bottom+float64(rows)*rowHigh+10
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %g %g" role="img">`, total, high, total, high)
	fmt.Fprintf(&b, "\n<title>%s</title>\n<style>%s</style>\n", html.EscapeString(f.title), style)
	fmt.Fprintf(&b, "<rect class=\"b\" width=\"%g\" height=\"%g\"/>\n", total, high)
	fmt.Fprintf(&b, "<text class=\"t\" x=\"12\" y=\"22\">%s</text>\n", html.EscapeString(f.title))
	for i, c := range f.charts {
		c.draw(&b, wide*float64(i)+left, wide-left-right)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// draw writes a chart whose inner part begins at x0 and is so wide.
func (c chart) draw(b *bytes.Buffer, x0, wide float64) {
	x := func(v float64) float64 { return x0 + c.x.place(v)*wide }
	y := func(v float64) float64 { return top + (1-c.y.place(v))*height }
	base := top + height
	text(b, "m", x0+wide/2, top-12, c.title)
	for _, t := range c.y.ticks {
		fmt.Fprintf(b, `<path class="g" d="M%.1f %.1fh%.1f"/>`+"\n", x0, y(t.at), wide)
		text(b, "e", x0-6, y(t.at)+4, t.name)
	}
	for _, t := range c.x.ticks {
		fmt.Fprintf(b, `<path class="a" d="M%.1f %.1fv5"/>`+"\n", x(t.at), base)
		text(b, "m", x(t.at), base+18, t.name)
	}
	fmt.Fprintf(b, `<path class="a" fill="none" d="M%.1f %.1fv%.1fh%.1f"/>`+"\n", x0, top, height, wide)
	text(b, "m", x0+wide/2, base+36, c.x.label)
	fmt.Fprintf(b, `<text class="m" transform="translate(%.1f %.1f) rotate(-90)">%s</text>`+"\n", x0-60, top+height/2, html.EscapeString(c.y.label))
	for i, l := range c.lines {
		l.draw(b, x, y)
		at := base + bottom + float64(i)*rowHigh + 8
		fmt.Fprintf(b, `<path class="l c%d"%s d="M%.1f %.1fh26"/>`+"\n", l.color, l.dash(), x0, at)
		text(b, "", x0+32, at+4, l.name)
	}
}

// draw writes a line.
func (l line) draw(b *bytes.Buffer, x, y func(float64) float64) {
	var d strings.Builder
	for i, p := range l.points {
		letter := "L"
		if i == 0 {
			letter = "M"
		}
		fmt.Fprintf(&d, "%s%.1f %.1f", letter, x(p.x), y(p.y))
	}
	if d.Len() > 0 {
		fmt.Fprintf(b, `<path class="l c%d"%s d="%s"/>`+"\n", l.color, l.dash(), d.String())
	}
	for i, p := range l.points {
		if l.dots || l.end && i == len(l.points)-1 {
			fmt.Fprintf(b, `<circle class="l c%d" cx="%.1f" cy="%.1f" r="2.5"/>`+"\n", l.color, x(p.x), y(p.y))
		}
	}
}

func (l line) dash() string {
	if l.dashed {
		return ` stroke-dasharray="5 4"`
	}
	return ""
}

func text(b *bytes.Buffer, class string, x, y float64, s string) {
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f">%s</text>`+"\n", class, x, y, html.EscapeString(s))
}

// place returns where a value is on the axis, from 0 to 1.
func (a axis) place(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		v, low, high = math.Log(max(v, a.low)), math.Log(low), math.Log(high)
	}
	return min(max((v-low)/(high-low), 0), 1)
}
