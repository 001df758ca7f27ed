package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func TestSVG(t *testing.T) {
	f := figure{title: "a < b", charts: []chart{{
		title: "x & y",
		x:     axis{label: "minutes", low: 0, high: 10, ticks: []tick{{0, "0"}, {10, "10"}}},
		y:     axis{label: "times", low: 1, high: 100, log: true, ticks: []tick{{10, "10"}}},
		lines: []line{{name: "one", end: true, points: []point{{0, 0}, {5, 10}, {20, 1000}}}, {name: "none", dashed: true}},
	}}}
	got := string(f.svg())
	for in := xml.NewDecoder(strings.NewReader(got)); ; {
		_, err := in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("it is no XML: %v", err)
		}
	}
	// The point in the middle is in the middle, and those beyond the axes at their ends.
	if want := `d="M74.0 328.0L418.0 193.0L762.0 58.0"`; !strings.Contains(got, want) {
		t.Errorf("the line is not drawn as %s:\n%s", want, got)
	}
	if n := strings.Count(got, "<circle"); n != 1 {
		t.Errorf("%d dots, want one at the end of the line that has one", n)
	}
}

func TestInformation(t *testing.T) {
	// With a baseline that is known for certain, and nothing but equality harmless, it is the relative entropy alone.
	if got, want := information(0.01, 0.3, 1e9, 1, 0), entropy(0.3, 0.01); math.Abs(got-want) > 1e-4*want {
		t.Errorf("information is %g, want nearly %g", got, want)
	}
	if got := information(0.01, 0.014, 19, 1.2, 0.002); got > 1e-9 {
		t.Errorf("what is harmless has information %g against it, want none", got)
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		in   []float64
		want float64
		ok   bool
	}{
		{[]float64{3, 1, 2}, 2, true}, {[]float64{-1, 5, 4}, 5, true}, {[]float64{-1, -1, 4}, 0, false}, {nil, 0, false},
	} {
		if got, ok := median(test.in); got != test.want || ok != test.ok {
			t.Errorf("the median of %v is %g, %t, want %g, %t", test.in, got, ok, test.want, test.ok)
		}
	}
}
