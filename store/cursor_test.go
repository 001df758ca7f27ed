package store_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/store"
)

// FuzzParseCursor: a cursor is read as it stands, or refused.
func FuzzParseCursor(f *testing.F) {
	for _, text := range []string{"0-0", "1767323045000-7", "18446744073709551615-18446744073709551615", "", "1", "1-", "01-0", "+1-0", "1-0-0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := store.ParseCursor(text)
		if err == nil && c.String() != text || err != nil && !errors.Is(err, store.ErrCursor) {
			t.Errorf("ParseCursor(%q): got %v, %v", text, c, err)
		}
	})
}

// Cursors only ever go up, whatever the clock does, and are those of the clock as long as it goes up too.
func TestNextCursor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var last store.Cursor
		for _, millis := range rapid.SliceOf(rapid.Int64Range(-5, 50)).Draw(rt, "clock") {
			next := last.Next(time.UnixMilli(millis))
			if next.Compare(last) <= 0 || last.Compare(next) >= 0 || next.Compare(next) != 0 {
				rt.Fatalf("%v after %v: want it to come after it", next, last)
			}
			if millis > 0 && uint64(millis) > last.Millis && next != (store.Cursor{Millis: uint64(millis)}) {
				rt.Fatalf("at %d after %v: got %v, want the time", millis, last, next)
			}
			if next.Before(time.UnixMilli(millis)) {
				rt.Fatalf("%v is before %d, when it was logged", next, millis)
			}
			last = next
		}
	})
}
