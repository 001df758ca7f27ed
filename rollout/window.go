package rollout

import (
	"fmt"
	"slices"
	"time"
)

// minutesADay is how many minutes a day has, as far as a [Window] is concerned.
const minutesADay = 24 * 60

// Contains reports whether t is within the window. A nil window has no end.
func (w *Window) Contains(t time.Time) bool { return w == nil || w.has(t.In(w.location())) }

// has reports whether a moment is within the window by the clock of its location, which is the window's.
func (w *Window) has(local time.Time) bool {
	minute := local.Hour()*60 + local.Minute()
	if w.From < w.To {
		return w.hasDay(local.Weekday()) && minute >= w.From && minute < w.To
	}
	yesterday := (local.Weekday() + 6) % 7
	return w.hasDay(local.Weekday()) && minute >= w.From || w.hasDay(yesterday) && minute < w.To
}

// Opens returns when the window opens next, at or after t: t itself within it. Where the clock is put forward over the
// hour at which it would open, that is when it has been; where the clock is put back, it may open twice.
func (w *Window) Opens(t time.Time) time.Time {
	if w.Contains(t) {
		return t
	}
	local := t.In(w.location())
	for last := t.AddDate(0, 1, 0); local.Before(last); {
		local = w.mayOpen(local)
		if w.has(local) {
			return local
		}
	}
	return local // no clock change hides a window for so long
}

// mayOpen returns the next moment at which the window may open: the clock shows From, or a day begins, or the clock is put
// forward or back. Until that the clock goes on evenly.
func (w *Window) mayOpen(local time.Time) time.Time {
	const day = minutesADay * time.Minute
	hour, minute, second := local.Clock()
	sinceMidnight := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute +
		time.Duration(second)*time.Second + time.Duration(local.Nanosecond())
	next := local.Add(day - sinceMidnight)
	if from := time.Duration(w.From) * time.Minute; from > sinceMidnight {
		next = local.Add(from - sinceMidnight)
	}
	if _, change := local.ZoneBounds(); !change.IsZero() && change.Before(next) {
		return change
	}
	return next
}

func (w *Window) hasDay(d time.Weekday) bool { return len(w.Days) == 0 || slices.Contains(w.Days, d) }

// location returns the window's time zone, which Validate has found to exist.
func (w *Window) location() *time.Location {
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// String returns the window as it is configured, such as "mon-fri 09:00-17:00 Europe/Berlin".
func (w *Window) String() string {
	text := fmt.Sprintf("%02d:%02d-%02d:%02d", w.From/60, w.From%60, w.To/60, w.To%60)
	if days := daysText(w.Days); days != "" {
		text = days + " " + text
	}
	if w.Zone != "" {
		text += " " + w.Zone
	}
	return text
}

// dayNames are how configurations name the days, from Sunday.
var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// daysText lists days, three and more in a row as from-to.
func daysText(days []time.Weekday) string {
	text := ""
	for i := 0; i < len(days); {
		last := i
		for last+1 < len(days) && days[last+1] == (days[last]+1)%7 {
			last++
		}
		if text != "" {
			text += ","
		}
		text += dayNames[days[i]%7]
		if last > i+1 {
			text += "-" + dayNames[days[last]%7]
			i = last + 1
		} else {
			i++
		}
	}
	return text
}

func (w *Window) validate() error {
	if w == nil {
		return nil
	}
	for _, d := range w.Days {
		if d < time.Sunday || d > time.Saturday {
			return fmt.Errorf("window day %d: must be from 0 (Sunday) to 6", d)
		}
	}
	if w.From < 0 || w.From >= minutesADay || w.To < 0 || w.To > minutesADay || w.From == w.To {
		return fmt.Errorf("window %s: must begin and end at two different times from 00:00 to 24:00", w)
	}
	if _, err := time.LoadLocation(w.Zone); err != nil || w.Zone == "Local" {
		return fmt.Errorf("window time zone %q: must be one of the IANA database, such as Europe/Berlin", w.Zone)
	}
	return nil
}
