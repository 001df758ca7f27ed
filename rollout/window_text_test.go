package rollout_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/rollout"
)

func TestParseWindow(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want rollout.Window
	}{
		{"09:00-17:00", rollout.Window{From: 540, To: 1020}},
		{"9:30-24:00", rollout.Window{From: 570, To: 1440}},
		{"22:00-06:00 Europe/Berlin", rollout.Window{From: 1320, To: 360, Zone: "Europe/Berlin"}},
		{"sat,sun 00:00-12:00", rollout.Window{Days: []time.Weekday{6, 0}, From: 0, To: 720}},
		{"mon,wed-fri  10:00-11:00   UTC", rollout.Window{Days: []time.Weekday{1, 3, 4, 5}, From: 600, To: 660, Zone: "UTC"}},
		{"sat-mon 10:00-11:00", rollout.Window{Days: []time.Weekday{6, 0, 1}, From: 600, To: 660}},
	} {
		got, err := rollout.ParseWindow(tt.in)
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, *got); diff != "" {
			t.Errorf("%q: want -, got +:\n%s", tt.in, diff)
		}
	}
}

func TestParseWindowErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                     `window "": must be days, hours and a time zone, such as mon-fri 09:00-17:00 Europe/Berlin; days and zone can be left out`,
		"mon-fri":              `window "mon-fri": must be days, hours and a time zone, such as mon-fri 09:00-17:00 Europe/Berlin; days and zone can be left out`,
		"09:00-17:00 UTC UTC":  `window "09:00-17:00 UTC UTC": must be days, hours and a time zone, such as mon-fri 09:00-17:00 Europe/Berlin; days and zone can be left out`,
		"someday 09:00-17:00":  `window days "someday": must be of sun, mon, tue, wed, thu, fri, sat, such as mon-fri or sat,sun`,
		"mon-mon 09:00-17:00":  `window days "mon-mon": must be of sun, mon, tue, wed, thu, fri, sat, such as mon-fri or sat,sun`,
		"sat,fri-sun 9:00-9:1": `window days "sat,fri-sun": sat is given twice`,
		"09:00":                `window hours "09:00": must be two times of 24 hours, such as 09:00-17:00`,
		"24:01-25:00":          `window hours "24:01-25:00": must be two times of 24 hours, such as 09:00-17:00`,
		"24:00-06:00":          `window 24:00-06:00: must begin and end at two different times from 00:00 to 24:00`,
		"09:00-17:00 Local":    `window time zone "Local": must be one of the IANA database, such as Europe/Berlin`,
	} {
		if _, err := rollout.ParseWindow(in); err == nil || err.Error() != want {
			t.Errorf("%q:\ngot  %v\nwant %s", in, err, want)
		}
	}
}

// FuzzParseWindow reads a window again from its own words.
func FuzzParseWindow(f *testing.F) {
	f.Add("mon-fri 09:00-17:00 Europe/Berlin")
	f.Add("sat,sun 22:00-06:00")
	f.Add("sun,mon-wed,fri 0:0-24:00 UTC")
	f.Fuzz(func(t *testing.T, s string) {
		w, err := rollout.ParseWindow(s)
		if err != nil {
			return
		}
		again, err := rollout.ParseWindow(w.String())
		if err != nil {
			t.Fatalf("%q is %s, which is not read: %v", s, w, err)
		}
		if diff := cmp.Diff(w, again); diff != "" {
			t.Errorf("%q: first -, again +:\n%s", s, diff)
		}
	})
}
