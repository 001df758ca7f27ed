package demo

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// style is how a terminal shows text: the parameter of the escape sequence that selects it (ECMA-48, SGR).
type style string

// The styles, by what they say.
const (
	plain   style = ""
	strong  style = "1"
	subdued style = "2"
	good    style = "32"
	bad     style = "31"
)

// styleOf returns a variant's style: blue and green are.
func styleOf(variant string) style {
	switch variant {
	case blue:
		return "34"
	case green:
		return "32"
	case "":
		return bad
	}
	return plain
}

// alarm is the style of a number that is bad, or not.
func alarm(isBad bool) style {
	if isBad {
		return bad
	}
	return plain
}

// span is a piece of text of one style, and a line is a line of them. Every character is one column wide.
type (
	span struct {
		text  string
		style style
	}
	line []span
)

// text returns the line cut to a width, with escape sequences if coloured.
func (l line) text(width int, coloured bool) string {
	var b strings.Builder
	for _, s := range l {
		text := cut(s.text, width)
		width -= utf8.RuneCountInString(text)
		if coloured && s.style != plain && text != "" {
			text = "\x1b[" + string(s.style) + "m" + text + "\x1b[0m"
		}
		b.WriteString(text)
	}
	return strings.TrimRight(b.String(), " ")
}

// cut returns at most width characters of s.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(width, 0)])
}

// pad fills s up with spaces to a width, or cuts it.
func pad(s string, width int) string {
	s = cut(s, width)
	return s + strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 0))
}

// padLeft puts spaces before s up to a width.
func padLeft(s string, width int) string {
	return strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 0)) + s
}

// wrap breaks text into lines of at most width characters, at spaces. Longer words stay whole.
func wrap(text string, width int) []string {
	var lines []string
	current := ""
	for _, word := range strings.Fields(text) {
		if current != "" && utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, current)
			current = ""
		}
		if current != "" {
			current += " "
		}
		current += word
	}
	return append(lines, current)
}

// bar draws a share of a width, in eighths of a character. What is not nothing is seen.
func bar(share float64, width int) string {
	eighths := int(share*float64(width)*8 + 0.5)
	if share > 0 {
		eighths = max(eighths, 1)
	}
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text
}

// level draws a value from 0 to 1 as a block of that height.
func level(v float64) rune {
	blocks := []rune("▁▂▃▄▅▆▇█")
	if v > 0 {
		v = max(v, 1.0/7)
	}
	return blocks[min(int(v*7+0.5), 7)]
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// percent writes a share: 12.3%.
func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

// millis writes a duration: 123 ms.
func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// short writes a whole number of seconds: 3 s.
func short(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }
