package demo

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/splitter"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sampleHistory is 20 cells: blue alone, then green at 1, 10 and 25 %, failing, failed back, killed.
func sampleHistory() []cell {
	var cells []cell
	add := func(n, onGreen, failures, refusals int) {
		for range n {
			by := map[string]int{blue: 100 - onGreen - refusals, green: onGreen, "": refusals}
			cells = append(cells, cell{answers: 100, failed: failures, refused: refusals, by: by})
		}
	}
	add(4, 0, 0, 0)
	add(3, 1, 0, 0)
	add(3, 10, 0, 0)
	add(3, 25, 0, 0)
	add(2, 25, 12, 0)
	add(2, 0, 0, 0)
	add(3, 0, 0, 100)
	return cells
}

func samplePage() page {
	ms := time.Millisecond
	return page{
		headline: "1 proxy, embedded store; 1000 visitors, 200 requests/s",
		elapsed:  17_340 * ms,
		weights:  map[string]splitter.Weight{blue: 75_000, green: 25_000},
		view: view{
			history: sampleHistory(),
			rows: []row{
				{name: blue, answers: 12_345, share: 0.743, p50: 164 * ms, p95: 213 * ms},
				{name: green, answers: 1_042, share: 0.257, errors: 0.481, p50: 121 * ms, p95: 150 * ms},
				{name: "", answers: 600, idle: true},
			},
		},
		steps: []step{
			{title: "everybody on blue", text: "0 of 505 users are on green", mark: passed, began: 600 * ms},
			{title: "green to 1%", mark: passed, began: 3_600 * ms,
				text: "8 of 1000 users are on green (1 to 24 expected); nobody moved back; applied by 1 of 1 instance in 2 ms"},
			{title: "green to 10%", text: "nobody came", mark: broken, began: 8_700 * ms},
			{title: "green begins to fail", mark: running, began: 12_300 * ms},
		},
	}
}

// texts returns a page's lines as a terminal gets them.
func texts(p page, width, height int, coloured bool) []string {
	var all []string
	for _, l := range p.lines(width, height) {
		all = append(all, l.text(width, coloured))
	}
	return all
}

func TestPage(t *testing.T) {
	bare := page{headline: "200 visitors", view: view{rows: []row{{name: blue, idle: true}}}}
	short := samplePage()
	short.steps = short.steps[:1]
	for _, tt := range []struct {
		name          string
		page          page
		width, height int
		coloured      bool
	}{
		{"wide", samplePage(), 120, 0, false},
		{"narrow", samplePage(), 80, 0, false},
		{"low", samplePage(), 80, 12, false},
		{"coloured", short, 80, 0, true},
		{"bare", bare, 80, 24, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Join(texts(tt.page, tt.width, tt.height, tt.coloured), "\n") + "\n"
			checkGolden(t, "page_"+tt.name+".txt", strings.ReplaceAll(got, "\x1b", "ESC"))
		})
	}
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", path, diff)
	}
}

// TestPageFitsAnyTerminal: a line that is too long would wrap, and the next page would be drawn in the wrong place.
func TestPageFitsAnyTerminal(t *testing.T) {
	for width := 1; width <= 200; width++ {
		for _, height := range []int{1, 5, 12, 24, 50} {
			p := samplePage()
			lines := texts(p, width, height, false)
			least := len(p.lines(width, 0)) - len(p.stepLines(max(width, leastWidth)))
			if want := max(height, least); len(lines) > want {
				t.Errorf("%d × %d: got %d lines, want at most %d", width, height, len(lines), want)
			}
			for _, l := range lines {
				if n := utf8.RuneCountInString(l); n > width {
					t.Errorf("%d × %d: %q has %d characters", width, height, l, n)
				}
			}
		}
	}
}

func TestScreenDrawsOverTheLastPage(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, size: func() (int, int) { return 80, 24 }}
	p := page{view: view{rows: []row{{name: blue, idle: true}}}}
	s.draw(p)
	if got := out.String(); strings.Contains(got, "A") || !strings.HasPrefix(got, "\r") {
		t.Errorf("first page: got %q, want no movement of the cursor", got)
	}
	first := strings.Count(out.String(), "\n")
	for range 2 {
		out.Reset()
		s.draw(p)
		if got, want := out.String(), fmt.Sprintf("\x1b[%dA\r", first); !strings.HasPrefix(got, want) {
			t.Errorf("next page: got %q, want it to begin with %q", got, want)
		}
		if got, want := strings.Count(out.String(), "\x1b[K\n"), first; got != want {
			t.Errorf("next page: got %d erased lines, want %d", got, want)
		}
	}
	s.leave(p)
	out.Reset()
	s.draw(p)
	if got := out.String(); !strings.HasPrefix(got, "\r  Switchback") {
		t.Errorf("after leave: got %q, want a page below", got)
	}
}

func TestTellerTellsInLines(t *testing.T) {
	var out bytes.Buffer
	s := &story{start: time.Now()}
	tell := teller(&out, func() view {
		return view{rows: []row{
			{name: blue, share: 0.9, p50: 160 * time.Millisecond, p95: 210 * time.Millisecond},
			{name: green, idle: true},
			{name: "", share: 0.1},
		}}
	})
	s.told = func(st step) {
		st.began, st.took = time.Second, 2*time.Second // whatever the clock says
		tell(st)
	}
	s.begin("first")
	s.progress("half of it")
	s.end("done", nil)
	s.begin("second")
	s.end("", os.ErrNotExist)
	const traffic = "         blue: 90.0% of requests, 0.0% errors, p50 160 ms, p95 210 ms | refused: 10.0% of requests\n"
	want := "  1.0 s  first ...\n  3.0 s  ok: done\n" + traffic + "  1.0 s  second ...\n  3.0 s  FAILED: file does not exist\n" + traffic
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{bar(0, 10), ""},
		{bar(0.0001, 10), "▏"},
		{bar(0.5, 10), "█████"},
		{bar(0.55, 10), "█████▌"},
		{bar(1, 10), "██████████"},
		{string([]rune{level(0), level(0.001), level(0.5), level(1), level(7)}), "▁▂▅██"},
		{pad("äöü", 5) + "|", "äöü  |"},
		{pad("äöü", 2) + "|", "äö|"},
		{padLeft("ä", 3), "  ä"},
		{strings.Join(wrap("one two  three", 7), "|"), "one two|three"},
		{strings.Join(wrap("incomprehensibilities of", 7), "|"), "incomprehensibilities|of"},
		{strings.Join(wrap("", 7), "|"), ""},
		{line{{"abc", good}, {"def", plain}}.text(4, true), "\x1b[32mabc\x1b[0md"},
		{line{{"abc", good}, {"def", bad}}.text(3, true), "\x1b[32mabc\x1b[0m"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
