package store

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrCursor means that a text is no cursor of an event log.
var ErrCursor = errors.New("not a cursor")

// Cursor is where an event is in its log: when it was logged, by the store's clock, and its number among those of the same
// millisecond. As text it is both, with a hyphen between them: what Redis calls the id of a stream's entry.
type Cursor struct {
	Millis uint64 // since 1970
	Seq    uint64
}

// ParseCursor reads what String writes; all else is ErrCursor.
func ParseCursor(text string) (Cursor, error) {
	millis, seq, _ := strings.Cut(text, "-")
	var c Cursor
	var errs [2]error
	c.Millis, errs[0] = strconv.ParseUint(millis, 10, 64)
	c.Seq, errs[1] = strconv.ParseUint(seq, 10, 64)
	if errs[0] != nil || errs[1] != nil || c.String() != text {
		return Cursor{}, fmt.Errorf("%w: %.80q: must be the cursor of an event, two whole numbers with a hyphen", ErrCursor, text)
	}
	return c, nil
}

// String returns the cursor as text.
func (c Cursor) String() string {
	return strconv.FormatUint(c.Millis, 10) + "-" + strconv.FormatUint(c.Seq, 10)
}

// Compare returns a negative number if c is before other, 0 if they are the same, and else a positive one.
func (c Cursor) Compare(other Cursor) int {
	return cmp.Or(cmp.Compare(c.Millis, other.Millis), cmp.Compare(c.Seq, other.Seq))
}

// Next returns the cursor of an event that is logged now, after the one at c, even if the clock went back since.
func (c Cursor) Next(now time.Time) Cursor {
	if millis := uint64(max(now.UnixMilli(), 0)); millis > c.Millis {
		return Cursor{Millis: millis}
	}
	return Cursor{Millis: c.Millis, Seq: c.Seq + 1}
}

// Before reports whether the event was logged before t.
func (c Cursor) Before(t time.Time) bool { return c.Millis < uint64(max(t.UnixMilli(), 0)) }
