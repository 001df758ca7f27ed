package splitcmd

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

func TestTablesAlignWithAndWithoutColours(t *testing.T) {
	const want = "" +
		"VARIANT  SHARE  REMARKS\n" +
		"blue     90%\n" +
		"grün     0.5%   killed\n" +
		"red             not known\n"
	for _, colours := range []bool{false, true} {
		table := table{header: []string{"VARIANT", "SHARE", "REMARKS"}}
		table.add(cell{"blue", strong}, cell{"90%", plain}, cell{})
		table.add(cell{"grün", strong}, cell{"0.5%", plain}, cell{"killed", bad})
		table.add(cell{"red", strong}, cell{}, cell{"not\nknown", doubt})
		var b bytes.Buffer
		table.print(&b, look{colours: colours}, "")
		got := b.String()
		if painted := strings.Contains(got, "\x1b[31mkilled\x1b[0m"); painted != colours {
			t.Errorf("colours %v: painted = %v in %q", colours, painted, got)
		}
		if got := withoutColours(got); got != want {
			t.Errorf("colours %v:\n%s\nwant\n%s", colours, got, want)
		}
	}
}

// withoutColours removes the escape sequences that paint adds.
func withoutColours(s string) string {
	for _, c := range []colour{strong, good, doubt, bad, subdued, "0"} {
		s = strings.ReplaceAll(s, "\x1b["+string(c)+"m", "")
	}
	return s
}

func TestColoursAreForTerminalsAlone(t *testing.T) {
	none := func(string) string { return "" }
	if coloured(new(bytes.Buffer), none) {
		t.Error("a buffer has colours")
	}
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if coloured(file, none) {
		t.Error("a file has colours")
	}
}

func TestPrintable(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain words, ümläuts, 日本\n", "plain words, ümläuts, 日本\n"},
		{"\x1b]0;title\x07", `\x1b]0;title\a`},
		{"a\rb\tc", `a\rb\tc`},
		{"\u202egnp.exe", `\u202egnp.exe`},
	}
	for _, tt := range tests {
		if got := printable(tt.in); got != tt.want {
			t.Errorf("printable(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestDuration(t *testing.T) {
	tests := []struct {
		in   time.Duration
		want string
	}{
		{1540 * time.Microsecond, "1.5ms"},
		{842400 * time.Microsecond, "842ms"},
		{12340 * time.Millisecond, "12.3s"},
		{65*time.Minute + 400*time.Millisecond, "1h5m0s"},
	}
	for _, tt := range tests {
		if got := duration(tt.in); got != tt.want {
			t.Errorf("duration(%v) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestSpoken(t *testing.T) {
	tests := []struct {
		in   time.Duration
		want string
	}{
		{300 * time.Millisecond, "300 ms"},
		{40*time.Second + 900*time.Millisecond, "40 s"},
		{12*time.Minute + 59*time.Second, "12 min"},
		{5*time.Hour + 59*time.Minute, "5 h"},
	}
	for _, tt := range tests {
		if got := spoken(tt.in); got != tt.want {
			t.Errorf("spoken(%v) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
