package rollout_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/rollout"
)

// What a window says when it opens is the first minute that it contains, also where the clock is put forward or back.
func TestWindowOpens(t *testing.T) {
	for _, tt := range []struct{ window, at, want string }{
		{"09:00-17:00", "2026-09-05T08:59:30Z", "2026-09-05T09:00:00Z"},
		{"09:00-17:00", "2026-09-05T10:00:30Z", "2026-09-05T10:00:30Z"},
		{"09:00-17:00", "2026-09-05T17:00:00Z", "2026-09-06T09:00:00Z"},
		{"sun 09:00-17:00", "2026-09-06T17:00:00Z", "2026-09-13T09:00:00Z"},
		{"fri 22:00-06:00", "2026-09-05T06:00:00Z", "2026-09-11T22:00:00Z"},
		// The clock is put forward: at midnight to 01:00, and at 02:00 to 03:00, so that there is no 02:30.
		{"00:00-08:00 America/Santiago", "2026-09-05T23:59:00-04:00", "2026-09-06T01:00:00-03:00"},
		{"02:30-03:30 Europe/Berlin", "2026-03-29T01:59:00+01:00", "2026-03-29T03:00:00+02:00"},
		{"sun 02:10-02:50 Europe/Berlin", "2026-03-29T01:59:00+01:00", "2026-04-05T02:10:00+02:00"},
		// It is put back: at 03:00 to 02:00, so that there are two of 02:00, and the window opens twice.
		{"02:00-03:00 Europe/Berlin", "2026-10-25T01:59:00+02:00", "2026-10-25T02:00:00+02:00"},
		{"02:00-02:30 Europe/Berlin", "2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00"},
	} {
		w, err := rollout.ParseWindow(tt.window)
		if err != nil {
			t.Fatal(err)
		}
		at, want := instant(t, tt.at), instant(t, tt.want)
		if got := w.Opens(at); !got.Equal(want) {
			t.Errorf("%s at %s: got %s, want %s", w, tt.at, got.In(want.Location()).Format(time.RFC3339), tt.want)
		}
	}
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// clockChanges are days on which clocks are put forward or back: by an hour, by half of one, by two, at midnight, and by a
// whole day; and one on which none is.
var clockChanges = []struct {
	zone string
	days []string
}{
	{"", []string{"2026-06-01"}},
	{"Europe/Berlin", []string{"2026-03-29", "2026-10-25"}},
	{"America/Santiago", []string{"2026-04-04", "2026-09-06"}},
	{"America/Havana", []string{"2026-03-08", "2026-11-01"}},
	{"Australia/Lord_Howe", []string{"2026-04-05", "2026-10-04"}},
	{"Antarctica/Troll", []string{"2026-03-29", "2026-10-25"}},
	{"Africa/Cairo", []string{"2026-04-24", "2026-10-29"}},
	{"Pacific/Apia", []string{"2011-12-30"}},
}

// Opens says what looking at each minute says.
func TestWindowOpensByMinutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		change := rapid.SampledFrom(clockChanges).Draw(t, "change")
		zone, err := time.LoadLocation(change.zone)
		if err != nil {
			t.Fatal(err)
		}
		day, err := time.ParseInLocation(time.DateOnly, rapid.SampledFrom(change.days).Draw(t, "day"), zone)
		if err != nil {
			t.Fatal(err)
		}
		w := &rollout.Window{
			From: rapid.IntRange(0, 24*60-1).Draw(t, "from"), To: rapid.IntRange(0, 24*60).Draw(t, "to"), Zone: change.zone,
			Days: rapid.SliceOfNDistinct(rapid.Map(rapid.IntRange(0, 6), func(n int) time.Weekday { return time.Weekday(n) }),
				0, 7, rapid.ID).Draw(t, "days"),
		}
		if w.From == w.To {
			t.Skip("no window")
		}
		at := day.Add(time.Duration(rapid.IntRange(-36*60*60, 36*60*60).Draw(t, "seconds")) * time.Second)
		want := at
		for !w.Contains(want) {
			want = want.Truncate(time.Minute).Add(time.Minute)
		}
		if got := w.Opens(at); !got.Equal(want) {
			t.Errorf("%s at %s: got %s, want %s", w, at, got.In(zone), want.In(zone))
		}
	})
}
