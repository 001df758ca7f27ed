package splitter

import (
	"fmt"
	"strconv"
	"strings"
)

// Weight is a variant's share of the buckets, in 1/100 000. People read and write it as a percentage: "1%", "0.5%",
// "0.001%"; so does JSON.
type Weight uint32

// Full is the share of everybody.
const Full = Weight(Buckets)

// perPercent is the weight of one percent, and decimals how many digits that leaves behind the point.
const (
	perPercent = Full / 100
	decimals   = 3
)

// weightRule is the end of every message about a weight that cannot be read.
const weightRule = "must be a percentage from 0% to 100% with at most three decimals, such as 0.5%"

// ParseWeight reads a percentage such as "1%", "0.5%" or "0.001%". The sign is required, so that nobody takes 1 for
// everybody or 0.5 for a half; signs, spaces, exponents and a missing digit on either side of a point are errors.
func ParseWeight(s string) (Weight, error) {
	number, isPercent := strings.CutSuffix(s, "%")
	if !isPercent {
		return 0, fmt.Errorf("weight %q: the %% sign is missing; it %s", s, weightRule)
	}
	whole, fraction, hasPoint := strings.Cut(number, ".")
	if !isDigits(whole) || hasPoint && !isDigits(fraction) || len(fraction) > decimals {
		return 0, fmt.Errorf("weight %q: it %s", s, weightRule)
	}
	// Padded to thousandths the digits are the weight itself.
	thousandths := whole + fraction + strings.Repeat("0", decimals-len(fraction))
	w, err := strconv.ParseUint(thousandths, 10, 32)
	if err != nil || Weight(w) > Full {
		return 0, fmt.Errorf("weight %q: it %s", s, weightRule)
	}
	return Weight(w), nil
}

// String returns the shortest percentage that ParseWeight reads as w.
func (w Weight) String() string {
	whole, rest := w/perPercent, w%perPercent
	if rest == 0 {
		return fmt.Sprintf("%d%%", whole)
	}
	return strings.TrimRight(fmt.Sprintf("%d.%0*d", whole, decimals, rest), "0") + "%"
}

// MarshalText returns the percentage, or an error for more than 100 %, which could not be read again.
func (w Weight) MarshalText() ([]byte, error) {
	if w > Full {
		return nil, fmt.Errorf("weight %q: it %s", w, weightRule)
	}
	return []byte(w.String()), nil
}

// UnmarshalText reads a percentage as [ParseWeight] does.
func (w *Weight) UnmarshalText(text []byte) error {
	parsed, err := ParseWeight(string(text))
	if err != nil {
		return err
	}
	*w = parsed
	return nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
