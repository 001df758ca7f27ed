package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ParseWindow reads a window as [Window.String] returns it: "[days] from-to [zone]", such as
// "mon-fri 09:00-17:00 Europe/Berlin". Days are names of three letters, single or from-to, with commas between; none
// means every day. Times are from 00:00 to 24:00, and the end may be on the next day.
func ParseWindow(s string) (*Window, error) {
	words := strings.Fields(s)
	w := new(Window)
	var err error
	if len(words) > 0 && !isHours(words[0]) {
		if w.Days, err = parseDays(words[0]); err != nil {
			return nil, err
		}
		words = words[1:]
	}
	if len(words) == 0 || len(words) > 2 {
		return nil, fmt.Errorf("window %q: must be days, hours and a time zone, such as mon-fri 09:00-17:00 Europe/Berlin; "+
			"days and zone can be left out", s)
	}
	if w.From, w.To, err = parseHours(words[0]); err != nil {
		return nil, err
	}
	if len(words) == 2 {
		w.Zone = words[1]
	}
	return w, w.validate()
}

// isHours reports whether a word means hours rather than days.
func isHours(word string) bool { return word[0] >= '0' && word[0] <= '9' }

func parseDays(s string) (days []time.Weekday, err error) {
	for item := range strings.SplitSeq(s, ",") {
		first, last, isSpan := strings.Cut(item, "-")
		from, to := slices.Index(dayNames[:], first), slices.Index(dayNames[:], last)
		if !isSpan {
			to = from
		}
		if from < 0 || to < 0 || isSpan && from == to {
			return nil, fmt.Errorf("window days %q: must be of %s, such as mon-fri or sat,sun", s, strings.Join(dayNames[:], ", "))
		}
		for n := range (to-from+7)%7 + 1 {
			day := time.Weekday((from + n) % 7)
			if slices.Contains(days, day) {
				return nil, fmt.Errorf("window days %q: %s is given twice", s, dayNames[day])
			}
			days = append(days, day)
		}
	}
	return days, nil
}

func parseHours(s string) (from, to int, err error) {
	first, last, isSpan := strings.Cut(s, "-")
	from, fromOK := parseMinute(first)
	to, toOK := parseMinute(last)
	if !isSpan || !fromOK || !toOK {
		return 0, 0, fmt.Errorf("window hours %q: must be two times of 24 hours, such as 09:00-17:00", s)
	}
	return from, to, nil
}

// parseMinute returns a time of day in minutes since midnight.
func parseMinute(s string) (int, bool) {
	if s == "24:00" {
		return minutesADay, true
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil
}
