package caddymodule

import (
	"math"
	"strings"
	"testing"
)

func TestParseShare(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want float64
	}{
		{"0%", 0}, {"0.001%", 0.00001}, {"0.1%", 0.001}, {"5%", 0.05}, {"33.333%", 0.33333}, {"99.9%", 0.999},
		{"100%", 1},
	} {
		thousandths, err := parseShare(tt.in)
		if got := share(thousandths); err != nil || got != tt.want {
			t.Errorf("%q: got %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{"", "%", "5", "5 %", "-5%", "+5%", "5.%", ".5%", "5.0001%", "101%", "1e1%", "NaN%", "5%%"} {
		if got, err := parseShare(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func TestParsePoints(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want float64
	}{
		{"0pp", 0}, {"0.001pp", 0.00001}, {"0.2pp", 0.002}, {"1pp", 0.01}, {"50pp", 0.5}, {"100pp", 1},
	} {
		if got, err := parsePoints(tt.in); err != nil || got != tt.want {
			t.Errorf("%q: got %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
	for in, want := range map[string]string{
		"0.2%": "write 0.2pp", "5%": "write 5pp", "0.2": "such as 0.2pp", "": "such as 0.2pp", "pp": "such as 0.2pp",
		"%": "such as 0.2pp", "0.2 pp": "such as 0.2pp", "0.2%pp": "such as 0.2pp", "0.2PP": "such as 0.2pp",
		"-1pp": "such as 0.2pp", "101pp": "such as 0.2pp", "0.0001pp": "such as 0.2pp", "1e1pp": "such as 0.2pp",
		"NaNpp": "such as 0.2pp", "0.2p": "such as 0.2pp", "0.2pppp": "such as 0.2pp", "101%": "such as 0.2pp",
	} {
		if got, err := parsePoints(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want an error with %q", in, got, err, want)
		}
	}
}

func TestParseProbability(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want float64
	}{
		{"0.01", 0.01}, {"1%", 0.01}, {"0.001%", 0.00001}, {"0.05", 0.05}, {"5%", 0.05}, {"1", 1}, {".5", 0.5},
	} {
		if got, err := parseProbability(tt.in); err != nil || got != tt.want {
			t.Errorf("%q: got %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{"", "0", "0%", "0.0", "-0.01", "+0.01", "1e-2", "0x1p-2", "NaN", "Inf", "0,01", "1_0", ".", "1pp", "%"} {
		if got, err := parseProbability(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

// TestRatesMeet checks that the two ways to write the limit of errors are one limit, to the last bit.
func TestRatesMeet(t *testing.T) {
	for thousandths := range 100_001 {
		failing, succeeding := share(errorRate(thousandths)), share(successRate(100_000-thousandths))
		if failing != succeeding {
			t.Fatalf("max_error_rate %d is %v, min_success_rate %d is %v",
				thousandths, failing, 100_000-thousandths, succeeding)
		}
	}
}

func TestParseQuantile(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want float64
	}{
		{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.999", 0.99999}, {"p0.001", 0.00001},
	} {
		if got, err := parseQuantile(tt.in); err != nil || got != tt.want {
			t.Errorf("%q: got %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{"", "p", "95", "p0", "p100", "p101", "p95%", "P95", "p-1", "p99.9999", "pp95", "p 95"} {
		if got, err := parseQuantile(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func FuzzParseShare(f *testing.F) {
	f.Add("5%")
	f.Add("99.999%")
	f.Fuzz(func(t *testing.T, in string) {
		thousandths, err := parseShare(in)
		if s := share(thousandths); err == nil && !(s >= 0 && s <= 1) {
			t.Errorf("%q: got %v, want 0 to 1", in, s)
		}
	})
}

func FuzzParsePoints(f *testing.F) {
	f.Add("0.2pp")
	f.Add("0.2%")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := parsePoints(in)
		if !(got >= 0 && got <= 1) || err == nil && !strings.HasSuffix(in, "pp") {
			t.Errorf("%q: got %v, %v, want 0 to 1 from what ends in pp", in, got, err)
		}
	})
}

func FuzzParseProbability(f *testing.F) {
	f.Add("0.01")
	f.Add("1%")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := parseProbability(in)
		if err == nil && !(got > 0 && got <= math.MaxFloat64) {
			t.Errorf("%q: got %v, want above 0", in, got)
		}
	})
}

func FuzzParseQuantile(f *testing.F) {
	f.Add("p95")
	f.Add("p99.9")
	f.Fuzz(func(t *testing.T, in string) {
		q, err := parseQuantile(in)
		if err == nil && !(q > 0 && q < 1) || math.IsNaN(q) {
			t.Errorf("%q: got %v, want above 0 and below 1", in, q)
		}
	})
}
