package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// page is all that the live table shows at one moment.
type page struct {
	headline string
	elapsed  time.Duration
	view     view
	weights  map[string]splitter.Weight // nil: not known, and not shown
	steps    []step
}

// The table's columns: widths in characters. The bar takes what is left.
const (
	nameWidth    = 10
	weightWidth  = 7
	numberWidth  = 9
	leastBar     = 8
	mostBar      = 30
	fixedWidth   = 2 + nameWidth + weightWidth + 2 + 5*numberWidth
	leastWidth   = fixedWidth + leastBar
	historyLabel = 19
)

// lines draws the page. It is at most height lines high: what does not fit are the oldest steps. Height 0 means that
// everything fits.
func (p page) lines(width, height int) []line {
	width = max(width, leastWidth)
	lines := []line{p.title(width), nil, p.header(width)}
	for _, r := range p.view.rows {
		if r.name != "" || r.answers > 0 {
			lines = append(lines, p.row(r, width))
		}
	}
	lines = append(lines, nil, p.shares(width), p.errors(width))
	steps := p.stepLines(width)
	if len(steps) == 0 {
		return lines
	}
	lines = append(lines, nil)
	if room := height - len(lines); height > 0 && len(steps) > room {
		steps = steps[len(steps)-max(room, 0):]
	}
	return append(lines, steps...)
}

func (p page) title(width int) line {
	clock := fmt.Sprintf("%.1f s", p.elapsed.Seconds())
	return line{
		{"  Switchback demo", strong},
		{pad("  "+p.headline, width-len("  Switchback demo")-len(clock)), plain},
		{clock, subdued},
	}
}

func (p page) header(width int) line {
	weight := ""
	if p.weights != nil {
		weight = "weight"
	}
	text := "  " + pad("variant", nameWidth) + padLeft(weight, weightWidth) + "  " +
		pad("share, last "+short(recently), barWidth(width)+numberWidth) +
		padLeft("requests", numberWidth) + padLeft("errors", numberWidth) + padLeft("p50", numberWidth) +
		padLeft("p95", numberWidth)
	return line{{text, subdued}}
}

func barWidth(width int) int { return min(width-fixedWidth, mostBar) }

func (p page) row(r row, width int) line {
	weight, style := "", styleOf(r.name)
	if w, known := p.weights[r.name]; known {
		weight = w.String()
	}
	l := line{
		{"  " + pad(r.label(), nameWidth), style},
		{padLeft(weight, weightWidth) + "  ", plain},
		{pad(bar(r.share, barWidth(width)), barWidth(width)), style},
		{padLeft(percent(r.share), numberWidth), plain},
		{padLeft(fmt.Sprint(r.answers), numberWidth), plain},
	}
	if r.idle || r.name == "" {
		return append(l, span{padLeft("-", numberWidth) + padLeft("-", numberWidth) + padLeft("-", numberWidth), subdued})
	}
	return append(l,
		span{padLeft(percent(r.errors), numberWidth), alarm(r.errors > 0)},
		span{padLeft(millis(r.p50), numberWidth) + padLeft(millis(r.p95), numberWidth), plain})
}

// shares draws green's share over time, scaled to its greatest.
func (p page) shares(width int) line {
	cells := p.cells(width)
	values, most := make([]float64, len(cells)), 0.1
	for i, c := range cells {
		values[i] = ratio(c.by[green], c.answers)
		most = max(most, values[i])
	}
	var b strings.Builder
	for _, v := range values {
		b.WriteRune(level(v / most))
	}
	return line{{pad("  green's share", historyLabel), subdued}, {b.String(), styleOf(green)}}
}

// errors draws the share of failed answers over time, and where most were refused.
func (p page) errors(width int) line {
	const scale = 0.3
	var b strings.Builder
	for _, c := range p.cells(width) {
		switch {
		case 2*c.refused > c.answers:
			b.WriteRune('×')
		case c.failed == 0:
			b.WriteRune(' ')
		default:
			b.WriteRune(level(max(ratio(c.failed, c.answers)/scale, 0.2)))
		}
	}
	return line{{pad("  errors, refused", historyLabel), subdued}, {b.String(), bad}}
}

// cells returns the part of the history that fits.
func (p page) cells(width int) []cell {
	h := p.view.history
	return h[max(len(h)-(width-historyLabel-1), 0):]
}

func (p page) stepLines(width int) []line {
	var lines []line
	for _, s := range p.steps {
		sign, style := s.sign()
		text := s.title
		if s.text != "" {
			text += ": " + s.text
		}
		prefix := fmt.Sprintf("%5.1f s  ", s.began.Seconds())
		indent := strings.Repeat(" ", 4+len(prefix))
		for i, part := range wrap(text, width-len(indent)-1) {
			if i == 0 {
				lines = append(lines, line{{"  " + sign + " ", style}, {prefix, subdued}, {part, plain}})
				continue
			}
			lines = append(lines, line{{indent + part, plain}})
		}
	}
	return lines
}

// sign returns what stands before a step.
func (s step) sign() (string, style) {
	switch s.mark {
	case passed:
		return "✓", good
	case broken:
		return "✗", bad
	}
	return "▸", strong
}
