package health

import (
	"strconv"
	"time"
)

// percent writes a share for people: 0.0482 is "4.82%".
func percent(share float64) string { return short(share*100) + "%" }

// short writes a number with at most three significant digits after the point's left side, without an exponent.
func short(x float64) string {
	digits := 2
	if x >= 99.95 || x <= -99.95 {
		digits = 1
	}
	s := strconv.FormatFloat(x, 'f', digits, 64)
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}

// rounded writes a time for people, to three digits or so.
func rounded(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		d = d.Round(100 * time.Millisecond)
	case d >= time.Second:
		d = d.Round(10 * time.Millisecond)
	case d >= 10*time.Millisecond:
		d = d.Round(time.Millisecond)
	default:
		d = d.Round(10 * time.Microsecond)
	}
	return Duration(d).String()
}
