package splitcmd

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// look says how output looks.
type look struct {
	zone    *time.Location
	colours bool
}

// colour is a terminal's colour, as the parameter of the escape sequence that selects it (ECMA-48, SGR).
type colour string

// The colours, by what they say.
const (
	plain   colour = ""
	strong  colour = "1"
	good    colour = "32"
	doubt   colour = "33"
	bad     colour = "31"
	subdued colour = "2"
)

// coloured reports whether output to w may have colours: on a terminal, unless NO_COLOR is set (no-color.org) or the
// terminal says that it cannot.
func coloured(w io.Writer, getenv func(string) string) bool {
	return getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && isTerminal(w)
}

// isTerminal reports whether what is read from or written to is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// paint returns s in a colour.
func (l look) paint(s string, c colour) string {
	if !l.colours || c == plain || s == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// time returns a time to the second.
func (l look) time(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(l.zone).Format("2006-01-02 15:04:05 MST")
}

// duration returns a duration to three digits or so: 1.5ms, 842ms, 12.3s, 1h5m0s.
func duration(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

// spoken returns a duration as people say it: 300 ms, 40 s, 12 min, 5 h.
func spoken(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	default:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
}

// printable returns s with everything escaped that is neither visible nor a line's end: names and reasons come from
// other people and could otherwise drive the reader's terminal.
func printable(s string) string {
	var b strings.Builder
	for _, c := range s {
		if c == '\n' || unicode.IsPrint(c) {
			b.WriteRune(c)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(c), "'"))
	}
	return b.String()
}

// cell is one field of a table.
type cell struct {
	text   string
	colour colour
}

// table is aligned text. It pads before it paints: text/tabwriter would count the escape sequences as columns.
type table struct {
	header []string
	rows   [][]cell
}

// add appends a row.
func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

// print writes the table, indented.
func (t *table) print(w io.Writer, l look, indent string) {
	head := make([]cell, len(t.header))
	for i, title := range t.header {
		head[i] = cell{title, subdued}
	}
	rows := append([][]cell{head}, t.rows...)
	widths := make([]int, len(head))
	for _, row := range rows {
		for i := range row {
			row[i].text = strings.ReplaceAll(printable(row[i].text), "\n", " ")
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	for _, row := range rows {
		fmt.Fprintln(w, indent+line(row, widths, l))
	}
}

// line returns a row with its columns padded to the widths, the last one as it is.
func line(row []cell, widths []int, l look) string {
	var b strings.Builder
	gap := 0
	for i, c := range row {
		if c.text == "" {
			gap += widths[i] + 2
			continue
		}
		b.WriteString(strings.Repeat(" ", gap))
		b.WriteString(l.paint(c.text, c.colour))
		gap = widths[i] - utf8.RuneCountInString(c.text) + 2
	}
	return b.String()
}
