package splitter

import (
	"fmt"
	"strconv"
	"strings"
)

// Rate is how many requests a second a kill may end, over the whole fleet. The zero value sets no bound. Its text is a
// whole number and its unit: "200/s".
type Rate uint32

// rateUnit is the only unit that there is: a release that needs another needs another field, as this one could not read
// its States.
const rateUnit = "/s"

// String returns the text: "200/s".
func (r Rate) String() string { return strconv.FormatUint(uint64(r), 10) + rateUnit }

// MarshalText returns what String does. No bound has no text of its own: leave it out.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads "200/s", from 1/s on.
func (r *Rate) UnmarshalText(text []byte) error {
	number, found := strings.CutSuffix(string(text), rateUnit)
	n, err := strconv.ParseUint(number, 10, 32)
	if !found || err != nil || n == 0 {
		return fmt.Errorf("rate %q: must be a whole number of requests a second, as in 200/s", text)
	}
	*r = Rate(n)
	return nil
}
